"""Stopped variants: a file beside the tables, at which every request looks.

Who stops a variant (a guard-rail, or a person) may be another process than those that answer. A
file that cannot be read stops everything: what everybody had before is the safe answer.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from penchant.store.place import STOPS_FILE
from penchant.store.sidecar import Sidecar


@dataclass(frozen=True)
class Stop:
    """One variant that was stopped: when (seconds), by what (a guard-rail, or "hand"), and why.

    `evidence` is the comparison that was acted on, as plain data.
    """

    at: float
    by: str
    why: str
    evidence: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Stopped:
    """Everything that was stopped: experiment -> variant -> stop.

    `since` says from when an experiment counts anew, because a stop was lifted then. `halted` is
    why no experiment runs at all, "" where they do.
    """

    stops: Mapping[str, Mapping[str, Stop]] = field(default_factory=dict)
    since: Mapping[str, float] = field(default_factory=dict)
    halted: str = ""

    def of(self, experiment: str) -> Mapping[str, Stop]:
        """Return the stops of an experiment by variant."""
        return self.stops.get(experiment, {})


_NOTHING = Stopped()
_READ = TypeAdapter(Stopped)


class Stops:
    """The stops of one directory. Reading is for every request, writing for one at a time."""

    def __init__(self, directory: Path, *, read_only: bool = False) -> None:
        path = directory / STOPS_FILE
        parse = partial(_parsed, path)
        self._file = Sidecar(path, parse, _rendered, _NOTHING, read_only=read_only)

    def read(self) -> Stopped:
        """Return what is stopped at this moment, in whatever process it was."""
        return self._file.read()

    def stop(self, experiment: str, variant: str, stop: Stop) -> bool:
        """Return whether the variant was running: it is stopped now, for good, everywhere."""
        with self._file.changing() as change:
            before = self.read()
            if variant in before.of(experiment):
                return False
            mine = {**before.of(experiment), variant: stop}
            change(replace(before, stops={**before.stops, experiment: mine}))
            return True

    def lift(self, experiment: str, variant: str, now: float) -> bool:
        """Return whether the variant was stopped: it runs again, and its experiment counts anew."""
        with self._file.changing() as change:
            before = self.read()
            if variant not in before.of(experiment):
                return False
            left = {name: one for name, one in before.of(experiment).items() if name != variant}
            stops = {**before.stops, experiment: left}
            since = {**before.since, experiment: now}
            change(replace(before, stops={k: v for k, v in stops.items() if v}, since=since))
            return True

    def halt(self, why: str) -> None:
        """Stop every experiment there is or will be, or with "" let them run again."""
        with self._file.changing() as change:
            change(replace(self.read(), halted=why))


def _rendered(stopped: Stopped) -> bytes:
    return json.dumps(asdict(stopped), indent=1, ensure_ascii=False).encode()


def _parsed(path: Path, content: bytes | OSError) -> Stopped:
    try:
        if isinstance(content, OSError):
            raise content
        return _READ.validate_json(content)
    except (OSError, ValidationError, ValueError) as error:
        return Stopped(
            halted=f"{path} cannot be read ({type(error).__name__}); correct it, or delete it, "
            "which lets every variant run again"
        )
