"""Stopped variants: a small file beside the tables, replaced whole, which every request looks at.

Who stops a variant (a guard-rail, or a person) may be another process than those that answer. They
ask the file system whether the file is another one than before, which costs a microsecond, so that
a stop holds from the next request on. A file that cannot be read stops everything: what everybody
had before is the safe answer.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from penchant.store.durable import replaced
from penchant.store.faults import StoreError, StoreReadOnly
from penchant.store.lock import FileLock
from penchant.store.place import STOPS_FILE


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
        self.path = directory / STOPS_FILE
        self._read_only = read_only
        # Replaced as one: what the file looked like, and what it said.
        self._known: tuple[tuple[int, ...], Stopped] = ((), _NOTHING)

    def read(self) -> Stopped:
        """Return what is stopped at this moment, in whatever process it was."""
        mark = self._mark()
        known, stopped = self._known
        if mark == known:
            return stopped
        stopped = _NOTHING if not mark else self._parse()
        self._known = (mark, stopped)
        return stopped

    def stop(self, experiment: str, variant: str, stop: Stop) -> bool:
        """Return whether the variant was running: it is stopped now, for good, everywhere."""
        with self._changing() as change:
            before = self.read()
            if variant in before.of(experiment):
                return False
            mine = {**before.of(experiment), variant: stop}
            change(replace(before, stops={**before.stops, experiment: mine}))
            return True

    def lift(self, experiment: str, variant: str, now: float) -> bool:
        """Return whether the variant was stopped: it runs again, and its experiment counts anew."""
        with self._changing() as change:
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
        with self._changing() as change:
            change(replace(self.read(), halted=why))

    @contextmanager
    def _changing(self) -> Iterator[Callable[[Stopped], None]]:
        if self._read_only:
            raise StoreReadOnly(f"{self.path.parent} was opened to read; open it to write")
        lock = FileLock(self.path.with_suffix(".lock"))
        with closing(lock), lock.held():
            yield self._write

    def _write(self, stopped: Stopped) -> None:
        text = json.dumps(asdict(stopped), indent=1, ensure_ascii=False)
        try:
            with replaced(self.path) as file:
                file.write(text.encode())
            self._known = ((-2,), _NOTHING)  # a file of the same tick may look like the one before
        except OSError as error:
            raise StoreError(
                f"{self.path} cannot be written ({error.strerror}), so nothing was stopped or "
                "lifted; free space or give this process the right to write there, and try again"
            ) from error

    def _parse(self) -> Stopped:
        try:
            return _READ.validate_json(self.path.read_bytes())
        except FileNotFoundError:
            return _NOTHING
        except (OSError, ValidationError, ValueError) as error:
            return Stopped(
                halted=f"{self.path} cannot be read ({type(error).__name__}); correct it, or "
                "delete it, which lets every variant run again"
            )

    def _mark(self) -> tuple[int, ...]:
        try:
            found = os.stat(self.path)
        except FileNotFoundError:
            return ()
        except OSError:
            return (-1,)
        return (found.st_ino, found.st_mtime_ns, found.st_size)
