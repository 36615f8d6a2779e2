"""The course of a log through the detectors: ten minutes after ten minutes, and day after day.

Nothing here reads a store or a clock: what came is handed in, with the present, so that a log can
be walked again as fast as it can be read.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from penchant.evaluate.watch.config import WatchConfig
from penchant.evaluate.watch.counts import TICK, Counts
from penchant.evaluate.watch.detector import Detector, Look
from penchant.evaluate.watch.drift import Drift
from penchant.evaluate.watch.finding import Finding
from penchant.evaluate.watch.findings import Findings
from penchant.evaluate.watch.quality import Ask, Quality
from penchant.evaluate.watch.rate import Rate
from penchant.evaluate.watch.recent import Happened, Recent, Slates
from penchant.evaluate.watch.repeats import Repeats
from penchant.evaluate.watch.scores import ScoreDrift
from penchant.evaluate.watch.surges import ItemSurges, Own, PersonSurges
from penchant.evaluate.watch.topics import Topics, Vectors

DAY = 86_400.0
KEPT = 2 * DAY + 7200.0  # of events at hand: today, yesterday, and what a look needs before
MOST = 144  # ticks that are looked at in one go; what is older is history
VERSION = 1

_log = logging.getLogger("penchant.watch")


class Course:
    """All detectors over one log. `judged` is the tick up to which they have looked."""

    def __init__(
        self,
        config: WatchConfig,
        findings: Findings,
        *,
        own: Own,
        things: Vectors | None = None,
        words: Vectors | None = None,
        ask: Ask | None = None,
        item: Callable[[int], str] = "item {}".format,
    ) -> None:
        self.config, self.findings = config, findings
        self.counts, self.recent = Counts(), Recent()
        self.judged = 0
        self.closed = -1
        self._item = item
        self._failed: set[str] = set()  # said once
        self.detectors: dict[str, Detector] = {
            "rate": Rate(self.counts, config),
            "drift": Drift(self.counts, config),
            "repeats": Repeats(config),
            "items": ItemSurges(config),
            "persons": PersonSurges(own, config),
            "scores": ScoreDrift(config),
            "shown": Quality("shown", config),
        }
        if things is not None:
            self.detectors["wishes"] = Topics("wishes", things, config)
        if words is not None:
            self.detectors["searches"] = Topics("searches", words, config)
        if ask is not None and config.replay > 0:
            self.detectors["replayed"] = Quality("replayed", config, ask)

    def take(self, events: Happened, slates: Slates, names: Sequence[str], now: float) -> None:
        """Take in what came; `names` are the kinds of the log so far, by number."""
        self.counts.advance(now)
        self.recent.names = list(names)
        acts = self._acts(events)
        self.counts.add(names, events.kinds[acts], events.times[acts])
        self.recent.add(events, slates)

    def look(self, now: float) -> tuple[Finding, ...]:
        """Return what is new or over after looking at all that is complete by `now`.

        A stretch of ten minutes is complete once `grace` has passed after it. Of a past that
        nobody looked at in time, the last day is looked at and the rest is only learned from.
        """
        last = int((now - self.config.grace) // TICK)
        changed: list[Finding] = []
        first = max(self.judged + 1, last - MOST + 1)
        begun = self.judged > 0
        self.counts.advance(now)
        for tick in range(first, last + 1):
            self._close(tick)
            self.counts.expect(tick * TICK)
            if begun:
                changed += self._judge(tick)
        if last > self.judged:
            self.judged = last
            if last // 6 > (first - 1) // 6:
                self.recent.forget(self.judged * TICK - KEPT)
        return tuple(changed)

    def state(self) -> dict[str, Any]:
        """Return everything that must outlive the process, as JSON holds it."""
        return {
            "version": VERSION,
            "judged": self.judged,
            "closed": self.closed,
            "counts": self.counts.state(),
            "detectors": {name: one.state() for name, one in self.detectors.items()},
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what `state` gave; a detector that it does not know begins anew."""
        self.judged, self.closed = int(state["judged"]), int(state["closed"])
        self.counts.restore(state["counts"])
        for name, one in self.detectors.items():
            if name in state["detectors"]:
                one.restore(state["detectors"][name])

    def _acts(self, events: Happened) -> npt.NDArray[np.intp]:
        """Return the events that are the first of their person, kind and second, by place."""
        if not len(events):
            return np.zeros(0, dtype=np.intp)
        first = np.unique(_act(events), return_index=True)[1]
        # The rest of a basket may come with the next reading.
        near = self.recent.between(float(events.times.min()) - 1.0, float(events.times.max()) + 1.0)
        return np.asarray(first[~np.isin(_act(events)[first], _act(near))], dtype=np.intp)

    def _judge(self, tick: int) -> tuple[Finding, ...]:
        held = frozenset(one.key for one in self.findings.open)
        look = Look(tick, self.recent, held, self._item)
        found: list[Finding] = []
        for name, detector in self.detectors.items():
            try:
                found += detector.judge(look)
            except Exception:  # one that fails must not end the others
                if name not in self._failed:
                    _log.exception("the watch cannot judge %s", name)
                self._failed.add(name)
        return self.findings.meet(found, look.now)

    def _close(self, tick: int) -> None:
        """Let the detectors take in every day that is over at a tick, and not yet taken in."""
        over = int(tick * TICK // DAY) - 1
        events = self.recent.events
        if self.closed < 0:
            if not len(events):
                return
            self.closed = int(events.times[0] // DAY) - 1
        for day in range(self.closed + 1, over + 1):
            for detector in self.detectors.values():
                detector.close(day, self.recent)
        self.closed = max(self.closed, over)


def _act(events: Happened) -> npt.NDArray[np.int64]:
    """Return person, kind and second of each event as one number."""
    who = events.users.astype(np.int64) * 64 + events.kinds % 64
    # Seconds wrap after 194 days; nothing that old is beside the present.
    return np.asarray(who << 24 | events.times.astype(np.int64) & 0xFFFFFF, dtype=np.int64)
