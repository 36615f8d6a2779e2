"""iALS: factors of who had what by alternating least squares (Hu, Koren and Volinsky, 2008)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Self

import numpy as np
import polars as pl
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from penchant.evaluate.baselines.decayed import Decayed
from penchant.evaluate.baselines.item_to_item import interactions


class IALS:
    """Item factors by `implicit`; the user's are solved anew from their history at every request.

    With c = 1 + alpha for what the user had and 1 elsewhere, a user's factors are the solution of
    (Y'Y + alpha sum y y' + penalty I) u = (1 + alpha) sum y over the items they had.
    """

    name = "iALS"

    def __init__(
        self,
        factors: int = 64,
        penalty: float = 1.0,
        alpha: float = 4.0,
        iterations: int = 16,
        seed: int = 7,
        threads: int = 2,
    ) -> None:
        self.factors = factors
        self.penalty = penalty
        self.alpha = alpha
        self.iterations = iterations
        self.seed = seed
        self.threads = threads

    def fit(self, events: pl.DataFrame) -> Self:
        """Return itself with the item factors of `events`."""
        from implicit.als import AlternatingLeastSquares

        self._recent = Decayed().fit(events)
        with threadpool_limits(1, "blas"):
            model = AlternatingLeastSquares(
                factors=self.factors,
                regularization=self.penalty,
                alpha=1.0 + self.alpha,
                iterations=self.iterations,
                random_state=self.seed,
                num_threads=self.threads,
                use_gpu=False,
            )
            model.fit(interactions(self._recent.memory), show_progress=False)
        self._items = np.asarray(model.item_factors, dtype=np.float64)
        self._gram = self._items.T @ self._items + self.penalty * np.eye(self.factors)
        return self

    def record(self, user_id: str, item_ids: Sequence[str], timestamp: float) -> None:
        """Lengthen the user's history; the item factors stay as they are."""
        self._recent.record(user_id, item_ids, timestamp)

    def recommend(
        self, user_id: str, k: int, now: float, exclude: Collection[str] = ()
    ) -> list[str]:
        """Return the k best items by the user's factors of this moment."""
        had = self._recent.memory.had(user_id, len(self._items))
        if not len(had):
            return self._recent.recommend(user_id, k, now, exclude)
        y = self._items[had]
        user = np.linalg.solve(self._gram + self.alpha * y.T @ y, (1 + self.alpha) * y.sum(axis=0))
        return self._recent.memory.best(self._items @ user, user_id, k, exclude)
