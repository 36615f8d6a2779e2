"""What ItemKNN and EASE share: a matrix of items by items, applied to what the user had."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from typing import Any, Self

import numpy as np
import polars as pl
from scipy import sparse

from penchant.evaluate.baselines.baseline import Memory
from penchant.evaluate.baselines.decayed import Decayed


class ItemToItem(ABC):
    """Scores are the sum of the rows of what the user had; nobody's rows give recent popularity."""

    name: str

    @abstractmethod
    def weights(self, x: Any) -> Any:
        """Return [n, n], array or csr: row i is what having i says for each other; x csr[u, n]."""

    def fit(self, events: pl.DataFrame) -> Self:
        """Return itself with the matrix of `events`."""
        self._recent = Decayed().fit(events)
        self._weights = self.weights(interactions(self._recent.memory))
        return self

    def record(self, user_id: str, item_ids: Sequence[str], timestamp: float) -> None:
        """Lengthen the user's history; the matrix stays as it is."""
        self._recent.record(user_id, item_ids, timestamp)

    def recommend(
        self, user_id: str, k: int, now: float, exclude: Collection[str] = ()
    ) -> list[str]:
        """Return the k best items by the sum of the user's rows."""
        had = self._recent.memory.had(user_id, self._weights.shape[0])
        if not len(had):
            return self._recent.recommend(user_id, k, now, exclude)
        scores = np.asarray(self._weights[had].sum(axis=0), dtype=np.float64).ravel()
        # Where the rows say nothing at all, recent popularity settles the order.
        scores += 1e-9 * self._recent.scores[: len(scores)]
        return self._recent.memory.best(scores, user_id, k, exclude)


def interactions(memory: Memory) -> Any:
    """Return csr float32[users, items] of ones, from what a memory was made of."""
    ones = np.ones(len(memory.item), dtype=np.float32)
    shape = (int(memory.user.max()) + 1, len(memory.items))
    x = sparse.csr_matrix((ones, (memory.user, memory.item)), shape=shape)
    x.data[:] = 1.0
    return x
