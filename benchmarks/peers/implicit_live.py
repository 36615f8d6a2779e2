"""`implicit` live: item factors of the training, the person's solved again at every answer."""

from __future__ import annotations

import sys
from collections import Counter, defaultdict, deque
from pathlib import Path
from typing import Any, Self

import numpy as np
import polars as pl
from implicit.als import AlternatingLeastSquares
from scipy.sparse import csr_matrix

sys.path.insert(0, str(Path(__file__).resolve().parent))
from trials import K, chosen

WEEK = 7 * 86_400
GRID = (
    (64, 10.0, 4.0),
    (64, 1.0, 4.0),
    (64, 30.0, 4.0),
    (64, 10.0, 16.0),
    (64, 30.0, 16.0),
    (128, 30.0, 4.0),
    (128, 100.0, 16.0),
    (256, 60.0, 4.0),
    (128, 10.0, 4.0),
)
"""Factors, penalty and confidence beyond 1: those tried for iALS in the accuracy table, and one."""


class Implicit:
    """AlternatingLeastSquares with `recalculate_user`; who has no known item gets the week's best.

    What the training had not seen has no factors, and is never shown.
    """

    def __init__(self, settings: dict[str, Any], train: pl.DataFrame) -> None:
        self.settings = settings
        self._ids = train["item_id"].unique(maintain_order=True).to_list()
        self._number = {item: number for number, item in enumerate(self._ids)}
        users = {user: n for n, user in enumerate(train["user_id"].unique(maintain_order=True))}
        self._had: dict[str, list[int]] = defaultdict(list)
        self._week: deque[tuple[float, int]] = deque()
        self._popular: Counter[int] = Counter()
        rows, columns = [], []
        for user, item, when in train.iter_rows():
            rows.append(users[user])
            columns.append(self._number[item])
            self.add(user, item, when)
        matrix = csr_matrix(
            (np.ones(len(rows), dtype=np.float32), (rows, columns)),
            shape=(len(users), len(self._ids)),
        )
        self._model = AlternatingLeastSquares(
            factors=settings["factors"],
            regularization=settings["penalty"],
            alpha=1.0 + settings["alpha"],
            iterations=16,
            random_state=7,
            use_gpu=False,
        )
        self._model.fit(matrix, show_progress=False)
        self._model.num_threads = 1
        self.ask(train["user_id"][0], 0.0)  # what it works out once

    @classmethod
    def tuned(cls, task: Any, bar: Any) -> Self:
        """Return a fitted one, the best of nine."""

        def all_of_them(_: dict[str, Any]) -> list[dict[str, Any]]:
            return [{"factors": f, "penalty": p, "alpha": a} for f, p, a in GRID]

        return cls(chosen(cls, (all_of_them,), bar, task.train), task.train)

    def ask(self, user: str, now: float) -> list[str]:
        """Return ten items the person has not had."""
        had = self._had.get(user, [])
        if not had:
            return [self._ids[item] for item, _ in self._popular.most_common(K)]
        row = csr_matrix(
            (np.ones(len(had), dtype=np.float32), np.array(had), np.array([0, len(had)])),
            shape=(1, len(self._ids)),
        )
        shown, _ = self._model.recommend(
            0, row, N=K, filter_already_liked_items=True, recalculate_user=True
        )
        return [self._ids[item] for item in shown.tolist()]

    def tell(self, user: str, item: str, now: float) -> None:
        """Lengthen the person's history."""
        self.add(user, item, now)

    def add(self, user: str, item: str, now: float) -> None:
        """Lengthen the person's history."""
        number = self._number.get(item)
        if number is None:
            return
        self._had[user].append(number)
        self._week.append((now, number))
        self._popular[number] += 1
        while self._week[0][0] < now - WEEK:
            self._popular[self._week.popleft()[1]] -= 1

    def close(self) -> None:
        """Nothing is open."""
