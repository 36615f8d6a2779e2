"""Events that say again what was just said: a client that sends everything twice.

A retry with the same event_id is harmless and never gets here. What does is the same act under
another id: same person, item and kind a moment later, within a minute.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from penchant.evaluate.watch.config import WatchConfig
from penchant.evaluate.watch.detector import Look
from penchant.evaluate.watch.finding import Finding
from penchant.evaluate.watch.recent import Happened, Recent
from penchant.measure.surprise import above, spread_of
from penchant.types import Mask

WITHIN = 60.0
HOURS = (1, 6)
DAYS = 28
_KNOWN = 3  # days without which nothing is expected
_LEAST = 20  # repeats that are worth a word
_LEAST_SPREAD = 0.05
_TIMES = 2.0  # what the share has to grow by


class Repeats:
    """The share of repeated events against that of the last four weeks."""

    def __init__(self, config: WatchConfig) -> None:
        self._config = config
        self._days: list[list[int]] = []  # repeats and events of each day

    def judge(self, look: Look) -> Iterator[Finding]:
        """Yield a finding where far more is repeated than usual."""
        known = [row for row in self._days if row[1]]
        if len(known) < _KNOWN:
            return
        usual = (sum(r for r, _ in known) + 0.5) / (sum(n for _, n in known) + 1.0)
        again, all_of = np.array(known, dtype=np.float64).T
        held = ("repeats", "events") in look.held
        limit = -2.0 if held else float(np.log10(self._config.surprise))
        for hours in HOURS:
            events = look.recent.between(look.now - 3600.0 * hours, look.now)
            came, due = int(repeated(events).sum()), usual * len(events)
            times = 1.0 + (_TIMES - 1.0) / 2.0 if held else _TIMES
            if came < _LEAST or came < times * due or above(came, due) > limit:
                continue
            spread = max(_LEAST_SPREAD, spread_of(again, usual * all_of))
            if above(came, due, spread) > limit:
                continue
            yield Finding(
                "repeats",
                "events",
                look.now - 3600.0 * hours,
                "warning",
                came / len(events),
                usual,
                f"{came:,} of {len(events):,} events in {hours} h repeat one of the same person, "
                f"item and kind within a minute: {came / len(events):.1%}, usually {usual:.1%}. A "
                "client or a page sends them twice; give events an event_id, so that a second "
                "one changes nothing, and undo what is too much",
            )
            return

    def close(self, day: int, recent: Recent) -> None:
        """Take in how much of a day was repeated."""
        events = recent.between(day * 86400.0, (day + 1) * 86400.0)
        self._days = [*self._days, [int(repeated(events).sum()), len(events)]][-DAYS:]

    def state(self) -> dict[str, Any]:
        """Return the counts of the days."""
        return {"days": self._days}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what `state` gave."""
        self._days = [list(row) for row in state["days"]]


def repeated(events: Happened) -> Mask:
    """Return which events repeat an earlier one of the same person, item and kind, bool[n]."""
    out: Mask = np.zeros(len(events), dtype=np.bool_)
    if len(events) < 2:
        return out
    order = np.lexsort((events.offsets, events.times, events.kinds, events.items, events.users))
    gap = np.diff(events.times[order])
    same = (gap > 0) & (gap <= WITHIN)  # two of one thing in a basket are no echo
    for column in (events.users, events.items, events.kinds):
        same &= np.diff(column[order]) == 0
    out[order[1:][same]] = True
    return out
