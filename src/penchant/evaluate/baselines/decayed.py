"""Popularity of late: each event counts less the longer ago it was. The baseline to beat."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Self

import numpy as np
import numpy.typing as npt
import polars as pl

from penchant.evaluate.baselines.baseline import Memory

DAY = 86400.0


class Decayed:
    """Items by the sum of exp(-age / days) over their events, told ones included.

    An order by such sums does not change while nothing happens, so they are kept as of one moment
    and only ever rescaled.
    """

    def __init__(self, days: float = 7.0) -> None:
        self.days = days
        self.name = f"popular, {days:g} days"

    def fit(self, events: pl.DataFrame) -> Self:
        """Return itself with the decayed counts of `events`."""
        self._memory = Memory(events)
        self._asof = float(self._memory.time.max())
        age = (self._asof - self._memory.time) / (self.days * DAY)
        self._sums: npt.NDArray[np.float64] = np.bincount(
            self._memory.item, weights=np.exp(-age)
        ).astype(np.float64)
        return self

    def record(self, user_id: str, item_ids: Sequence[str], timestamp: float) -> None:
        """Count what happened with the weight of its time."""
        numbers = self._memory.record(user_id, item_ids)
        if timestamp > self._asof:
            self._sums *= np.exp((self._asof - timestamp) / (self.days * DAY))
            self._asof = timestamp
        missing = len(self._memory.items) - len(self._sums)
        if missing > 0:
            self._sums = np.concatenate([self._sums, np.zeros(missing)])
        np.add.at(self._sums, numbers, np.exp((timestamp - self._asof) / (self.days * DAY)))

    def recommend(
        self, user_id: str, k: int, now: float, exclude: Collection[str] = ()
    ) -> list[str]:
        """Return the k items most popular of late that the user has not had."""
        return self._memory.best(self._sums, user_id, k, exclude)

    @property
    def memory(self) -> Memory:
        """Who had what: shared with a baseline that falls back on this one."""
        return self._memory

    @property
    def scores(self) -> npt.NDArray[np.float64]:
        """The decayed sum of every item met so far, float64[n], scaled to at most 1."""
        return self._sums / max(float(self._sums.max(initial=0.0)), 1e-300)
