"""Acts counted by kind and ten minutes, and what was expected of every hour before it came.

What one person does of one kind in one second is one act: a basket of forty things says no more of
how many people came than one of two. The counts are of what arrived: what is taken back later (a
person forgotten, an event undone) did arrive, so that a retraction looks neither like silence nor
like a flood.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from penchant.evaluate.watch.packing import packed, unpacked
from penchant.evaluate.watch.season import DAYS, HOURS, expected

TICK = 600.0
TICKS = 6  # an hour
WEEK = 168 * TICKS
BACK = 9  # weeks that are kept
AHEAD = 2  # and that what comes has room in
Counted = npt.NDArray[np.int64]
Means = npt.NDArray[np.float64]


class Counts:
    """A table of counts: a row for each kind, a column for each ten minutes since `origin`.

    Ticks are ten minutes since the epoch, hours likewise. `forecast` float64[kinds, hours] is what
    was expected of an hour when it began, NaN where too little was known.
    """

    def __init__(self) -> None:
        self.names: list[str] = []
        self.origin = 0
        self.first = -1  # the first tick in which anything came
        self.reached = 0  # the hour up to which there are forecasts
        self.table: Counted = np.zeros((0, (BACK + AHEAD) * WEEK), dtype=np.int64)
        self.forecast: Means = np.zeros((0, self.table.shape[1] // TICKS))

    def row(self, name: str) -> int:
        """Return the row of a kind, made if it is new."""
        if name not in self.names:
            self.names.append(name)
            self.table = np.vstack((self.table, np.zeros_like(self.table, shape=(1, self.width))))
            fresh = np.full((1, self.width // TICKS), np.nan)
            self.forecast = np.vstack((self.forecast, fresh))
        return self.names.index(name)

    @property
    def width(self) -> int:
        """How many ticks the table has room for."""
        return int(self.table.shape[1])

    def add(self, names: Sequence[str], rows: npt.NDArray[np.integer], times: Means) -> None:
        """Count acts of kinds `names[rows]` at `times` (seconds)."""
        ticks = (times // TICK).astype(np.int64)
        inside = (ticks >= self.origin) & (ticks < self.origin + self.width)
        rows, ticks = rows[inside], ticks[inside]
        if not len(rows):
            return
        for code in np.unique(rows).tolist():
            place = ticks[rows == code] - self.origin
            row = self.row(names[code])
            self.table[row] += np.bincount(place, minlength=self.width)
        first = int(ticks.min())
        self.first = first if self.first < 0 else min(self.first, first)

    def advance(self, now: float) -> None:
        """Make room for the present: what is older than nine weeks goes."""
        origin = (int(now // TICK) // WEEK - BACK) * WEEK
        shift = origin - self.origin
        if shift <= 0:
            return
        for name, width in (("table", self.width), ("forecast", self.width // TICKS)):
            old = getattr(self, name)
            by = shift // TICKS if name == "forecast" else shift
            blank = 0 if name == "table" else np.nan
            fresh = np.full_like(old, blank)
            if by < width:
                fresh[:, : width - by] = old[:, by:]
            setattr(self, name, fresh)
        self.origin = origin

    def expect(self, until: float) -> None:
        """Forecast every hour that begins before or at `until` (seconds) and has no forecast."""
        last = int(until // 3600)
        begin = self.origin // TICKS
        if not self.names or self.first < 0:
            return
        started = max(self.first // TICKS + 1, begin)
        hours = self.table.reshape(len(self.names), -1, TICKS).sum(axis=2)
        for hour in range(max(self.reached + 1, started + 24 * DAYS), last + 1):
            past = hours[:, max(started, hour - HOURS) - begin : hour - begin]
            self.forecast[:, hour - begin] = expected(past)
        self.reached = max(self.reached, last)

    def seen(self, tick: int, n: int) -> Counted:
        """Return int64[kinds]: what came in the `n` ticks before `tick`."""
        end = tick - self.origin
        return np.asarray(self.table[:, max(0, end - n) : end].sum(axis=1), dtype=np.int64)

    def due(self, tick: int, n: int) -> Means:
        """Return float64[kinds]: what was expected of the `n` ticks before `tick`."""
        end = tick - self.origin
        place = np.arange(end - n, end) // TICKS
        per_hour = np.bincount(place - place[0])
        hours = self.forecast[:, place[0] : place[0] + len(per_hour)]
        return np.asarray(hours @ per_hour / TICKS, dtype=np.float64)

    def young(self, tick: int) -> npt.NDArray[np.bool_]:
        """Return bool[kinds]: whether a kind came for the first time in the days before `tick`."""
        first = np.where(self.table.any(axis=1), (self.table > 0).argmax(axis=1), self.width)
        return np.asarray(first > tick - self.origin - 24 * TICKS * DAYS)

    def hours(self, until: int, n: int) -> tuple[Counted, Means]:
        """Return what came in, and was expected of, the `n` hours before hour `until`."""
        end = until - self.origin // TICKS
        begin = max(0, end - n)
        table = self.table[:, begin * TICKS : end * TICKS]
        came = table.reshape(len(self.names), end - begin, TICKS).sum(axis=2)
        return came, self.forecast[:, begin:end]

    def state(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        return {
            "names": self.names,
            "origin": self.origin,
            "first": self.first,
            "reached": self.reached,
            "table": packed(self.table.astype(np.int32)),
            "forecast": packed(self.forecast),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what `state` gave."""
        self.names = list(state["names"])
        self.origin, self.first, self.reached = state["origin"], state["first"], state["reached"]
        self.table = unpacked(state["table"]).astype(np.int64)
        self.forecast = unpacked(state["forecast"])
