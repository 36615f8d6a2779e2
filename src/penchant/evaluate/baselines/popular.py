"""Popularity: how many people had it, everything counted alike."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Self

import numpy as np
import polars as pl

from penchant.evaluate.baselines.baseline import Memory


class Popular:
    """The most had items, counted over training and what was told since."""

    name = "popular"

    def fit(self, events: pl.DataFrame) -> Self:
        """Return itself with the counts of `events`."""
        self._memory = Memory(events)
        self._counts = np.bincount(self._memory.item).astype(np.float64)
        return self

    def record(self, user_id: str, item_ids: Sequence[str], timestamp: float) -> None:
        """Count what happened."""
        numbers = self._memory.record(user_id, item_ids)
        missing = len(self._memory.items) - len(self._counts)
        if missing > 0:
            self._counts = np.concatenate([self._counts, np.zeros(missing)])
        np.add.at(self._counts, numbers, 1.0)

    def recommend(
        self, user_id: str, k: int, now: float, exclude: Collection[str] = ()
    ) -> list[str]:
        """Return the k most popular items the user has not had."""
        return self._memory.best(self._counts, user_id, k, exclude)
