"""What is learned between two trainings from slates and their answers, as one fold over both logs.

Joined first (`attribution`), then counted (`rates`, `contexts`) and followed (`following`). All of
it is a function of the two logs: read in any parts, side by side, it ends in the same state, so
that a process that was killed has it back by reading them again.
"""

from __future__ import annotations

import json
import threading
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from penchant.ingest.kinds import Kinds
from penchant.rank.feedback.appeal import Appeal, fit
from penchant.rank.feedback.attribution import Answers, Attribution
from penchant.rank.feedback.clock import Clock
from penchant.rank.feedback.config import FeedbackConfig
from penchant.rank.feedback.contexts import Contexts
from penchant.rank.feedback.following import Following
from penchant.rank.feedback.rates import Rates
from penchant.store.durable import replaced
from penchant.store.impressions import Shown
from penchant.store.log import Events
from penchant.store.vectors import Vectors
from penchant.types import Floats

VERSION = "2"  # of the form of a saved state
_WANTED = -1  # a kind of answer beside those of the log: the first that shows a wish


class Feedback:
    """Answers, rates and weights of a shelf. One thread folds at a time; any may read.

    `shown_until` and `told_until` are the slate and the event up to which it has read.
    """

    def __init__(self, config: FeedbackConfig, kinds: Kinds, following: Following) -> None:
        self.config = config
        self.following = following
        self.rates = Rates(config.half_life)
        self.contexts = Contexts(self.rates, config.half_life, config.contexts)
        self.attribution = Attribution(config, kinds)
        self.shown_until, self.told_until = 0, 0
        self._wanted_from = np.float32(kinds.config.wanted_from)
        self._clock = Clock(2 * config.window)
        self._lock = threading.Lock()
        self._appeal: tuple[int, Floats, Appeal | None] | None = None

    def appeal(self, now: float, vectors: Vectors) -> Appeal | None:
        """Return what texts say of rates at `now`; made once an hour."""
        hour, exposed, answered = self.rates.table(now)
        known = self._appeal
        if known is None or known[0] != hour or known[1] is not exposed:
            found = fit(exposed, answered, vectors.rows(np.arange(len(exposed), dtype=np.int32)))
            known = self._appeal = (hour, exposed, found)
        return known[2]

    def fold(self, shown: Shown, events: Events) -> Answers:
        """Return the answers that the next parts of the two logs, either of them empty, decided."""
        with self._lock:
            if len(shown):
                self._expose(shown)
                self.shown_until = int(shown.numbers[-1])
            if len(events):
                self.told_until = int(events.offsets[-1])
            return self._learn(self.attribution.fold(shown, events))

    @property
    def shown_time(self) -> float:
        """The time of the log of slates, as far as it was read; -inf before its first."""
        return self._clock.now

    def settle(self) -> Answers:
        """Return what is decided if nothing comes any more; for the end of a replay."""
        with self._lock:
            return self._learn(self.attribution.settle())

    def save(self, path: Path, mark: str) -> None:
        """Write the state with the offsets it stands at; `mark` names what else it depends on.

        Whole or not at all: a crash leaves what was there before.
        """
        with self._lock:
            arrays = {f"rates.{name}": one for name, one in self.rates.kept().items()}
            arrays |= {f"following.{name}": one for name, one in self.following.kept().items()}
            arrays |= {f"contexts.{name}": one for name, one in self.contexts.kept().items()}
            said = {
                "mark": self._mark(mark),
                "shown_until": self.shown_until,
                "told_until": self.told_until,
                "clock": self._clock.kept(),
                "attribution": self.attribution.kept(),
            }
        text = np.frombuffer(json.dumps(said).encode(), dtype=np.uint8)
        with replaced(path) as file:
            np.savez(file, said=text, **arrays)  # type: ignore[arg-type]

    def resume(self, path: Path, mark: str) -> bool:
        """Return whether the state of a file could be taken over: it is there, and of that mark."""
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as found:
                arrays = {name: found[name] for name in found.files}
            said = json.loads(arrays.pop("said").tobytes())
            if said["mark"] != self._mark(mark):
                return False
        except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile):
            return False

        def part(name: str) -> dict[str, npt.NDArray[Any]]:
            return {k.removeprefix(name): v for k, v in arrays.items() if k.startswith(name)}

        with self._lock:
            self.rates.resume(part("rates."))
            self.contexts.resume(part("contexts."))
            self.following.resume(part("following."))
            self.attribution.resume(said["attribution"])
            self._clock.resume(said["clock"])
            self.shown_until, self.told_until = said["shown_until"], said["told_until"]
        return True

    def _mark(self, mark: str) -> list[str]:
        return [mark, self.config.model_dump_json(), str(self.following.dimension), VERSION]

    def _expose(self, shown: Shown) -> None:
        # What was shown at no time of this log (a question about next year) was shown to nobody.
        jump = 2 * self.config.window
        read = self._clock.read
        known = np.array([abs(time - read(time)) <= jump for time in shown.times.tolist()])
        sizes = np.diff(shown.starts)
        line = np.repeat(known, sizes)
        places = np.arange(len(shown.items)) - np.repeat(shown.starts[:-1], sizes)
        self.rates.show(
            shown.items[line],
            places[line].astype(np.int32),
            np.repeat(shown.times, sizes)[line],
        )
        self.contexts.show(shown, known)

    def _learn(self, answers: Answers) -> Answers:
        if not len(answers):
            return answers
        wanted: npt.NDArray[np.bool_] = (answers.strengths >= self._wanted_from) & (
            answers.shared > 0
        )
        for n in np.flatnonzero(wanted).tolist():
            # A purchase after a click is the same wish.
            wanted[n] = answers.slates[n].answer(int(answers.places[n]), _WANTED)
        columns = answers.items[wanted], answers.places[wanted], answers.times[wanted]
        self.rates.answer(*columns)
        self.contexts.answer(
            *columns,
            answers.numbers[wanted],
            [answers.slates[n].context for n in np.flatnonzero(wanted).tolist()],
        )
        self.following.fold(answers, wanted)
        return answers
