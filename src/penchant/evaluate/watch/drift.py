"""Slow changes: what moves a little every day, so that no single hour is surprising.

Two-sided cumulative sums (Page, 1954) over days: of the logarithm of how many events came against
the same weekday of the weeks before, and of each kind's share in them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from penchant.evaluate.watch.config import WatchConfig
from penchant.evaluate.watch.counts import TICKS, Counts
from penchant.evaluate.watch.detector import Look
from penchant.evaluate.watch.finding import Finding
from penchant.evaluate.watch.recent import Recent

DAY = 24 * TICKS
REFERENCE = (35, 7)  # days back that say how it was: not the last week, which drifts along
SLACK = 0.75  # deviations a day that are no drift
LIMIT = 9.0
_LEAST = 200.0  # events a day below which shares are noise
_LEAST_NOISE = 0.05


class Drift:
    """Shares of kinds that move slowly, day after day, one way."""

    def __init__(self, counts: Counts, config: WatchConfig) -> None:
        self._counts, self._config = counts, config
        # For each kind the two sums, upwards and downwards, and the days they have run.
        self._sums: dict[str, list[float]] = {}
        self._shares: dict[str, tuple[float, float]] = {}

    def judge(self, look: Look) -> Iterator[Finding]:
        """Yield the kinds whose sums are beyond the limit."""
        for name, (up, down, days) in self._sums.items():
            subject = f"kind:{name}"
            limit = LIMIT / 2 if ("drift", subject) in look.held else LIMIT
            if max(up, down) < limit or name not in self._shares:
                continue
            share, usual = self._shares[name]
            yield Finding(
                "drift",
                subject,
                look.now - days * 86400.0,
                "notice",
                share,
                usual,
                f"{name} events are {share:.1%} of all and were {usual:.1%} some weeks ago: they "
                f"have gone {'up' if up > down else 'down'} for {days:.0f} days, a little each. "
                "Look what changed in the pages or clients that send them; training follows by "
                "itself",
            )

    def close(self, day: int, recent: Recent) -> None:
        """Take in the shares of a day that is over."""
        counts = self._counts
        end = (day + 1) * DAY - counts.origin
        begin = end - (REFERENCE[0] + 1) * DAY
        since = max(0, counts.first - counts.origin)
        if begin < since:  # the reference is not whole yet
            begin = end - (max(0, end - since) // DAY) * DAY
        table = counts.table[:, begin:end].reshape(len(counts.names), -1, DAY).sum(axis=2)
        if table.shape[1] < REFERENCE[1] + 8 or len(counts.names) < 2:
            return
        totals = table.sum(axis=0)
        shares = table / np.maximum(totals, 1.0)
        past, known = shares[:, : -REFERENCE[1]], totals[: -REFERENCE[1]] >= _LEAST
        if totals[-1] < _LEAST or known.sum() < 7:
            return
        for row, name in enumerate(counts.names):
            usual = float(np.median(past[row, known]))
            if usual <= 0:
                continue
            noise = 1.4826 * float(np.median(np.abs(past[row, known] - usual)))
            chance = (usual * (1.0 - usual) / float(totals[-1])) ** 0.5
            noise = max(noise, chance, _LEAST_NOISE * usual)
            self._add(name, (float(shares[row, -1]) - usual) / noise)
            self._shares[name] = (float(shares[row, -1]), usual)

    def state(self) -> dict[str, Any]:
        """Return the sums."""
        return {"sums": self._sums, "shares": self._shares}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what `state` gave."""
        self._sums = {name: list(row) for name, row in state["sums"].items()}
        self._shares = {name: (row[0], row[1]) for name, row in state["shares"].items()}

    def _add(self, name: str, z: float) -> None:
        up, down, days = self._sums.get(name, [0.0, 0.0, 0.0])
        z = max(-3.0, min(3.0, z))  # one bad day is the business of `rate`
        # Bounded, so that a drift that ended is over in a week and not in a year.
        up = min(2 * LIMIT, max(0.0, up + z - SLACK))
        down = min(2 * LIMIT, max(0.0, down - z - SLACK))
        days = days + 1 if max(up, down) > 0 else 0.0
        self._sums[name] = [up, down, days]
