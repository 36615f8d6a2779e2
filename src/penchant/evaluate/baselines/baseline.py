"""The contract of a baseline, and the memory they share: who had what, and when."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol, Self

import numpy as np
import numpy.typing as npt
import polars as pl

from penchant.evaluate.system import System


class Baseline(System, Protocol):
    """A system that learns its weights once, from the past."""

    @property
    def name(self) -> str:
        """The name in tables."""

    def fit(self, events: pl.DataFrame) -> Self:
        """Return itself, fitted to user_id, item_id, timestamp in seconds, in order of time."""


class Memory:
    """Every user's items in the order told, items numbered in the order met.

    After `fit` the numbers 0 .. len - 1 are those of training; later ones are new items.
    """

    def __init__(self, events: pl.DataFrame) -> None:
        names = events["item_id"].unique(maintain_order=True)
        self.items: list[str] = names.to_list()
        self._number = {item: n for n, item in enumerate(self.items)}
        people = events["user_id"].unique(maintain_order=True)
        rows = events.join(
            pl.DataFrame({"item_id": names}).with_row_index("item"),
            on="item_id",
            how="left",
            maintain_order="left",
        ).join(
            pl.DataFrame({"user_id": people}).with_row_index("user"),
            on="user_id",
            how="left",
            maintain_order="left",
        )
        self.user: npt.NDArray[np.int64] = rows["user"].cast(pl.Int64).to_numpy()
        self.item: npt.NDArray[np.int64] = rows["item"].cast(pl.Int64).to_numpy()
        self.time: npt.NDArray[np.float64] = rows["timestamp"].cast(pl.Float64).to_numpy()
        self._had: dict[str, list[int]] = {user: [] for user in people.to_list()}
        for user, item in zip(rows["user_id"].to_list(), self.item.tolist(), strict=True):
            self._had[user].append(item)

    def record(self, user_id: str, item_ids: Sequence[str]) -> list[int]:
        """Return the numbers of what the user had now; items never met get the next number."""
        numbers = []
        for item in item_ids:
            number = self._number.setdefault(item, len(self.items))
            if number == len(self.items):
                self.items.append(item)
            numbers.append(number)
        self._had.setdefault(user_id, []).extend(numbers)
        return numbers

    def had(self, user_id: str, below: int | None = None) -> npt.NDArray[np.int64]:
        """Return the numbers of the user's items, oldest first; with `below`, only smaller ones."""
        numbers = np.array(self._had.get(user_id, ()), dtype=np.int64)
        return numbers if below is None else numbers[numbers < below]

    def best(
        self,
        scores: npt.NDArray[np.floating],
        user_id: str,
        k: int,
        exclude: Collection[str] = (),
    ) -> list[str]:
        """Return the ids of the k best scored items the user has not had; `scores` float[n].

        Items with a score that is not finite are never shown; ties go to the smaller number.
        """
        open_ = np.isfinite(scores)
        had = self.had(user_id, len(scores))
        open_[had] = False
        for item in exclude:
            number = self._number.get(item, -1)
            if 0 <= number < len(scores):
                open_[number] = False
        kept = np.flatnonzero(open_)
        if len(kept) > k:
            # Everything tied with the k-th stays in until the stable sort, so ties are settled.
            border = np.partition(scores[kept], len(kept) - k)[len(kept) - k]
            kept = kept[scores[kept] >= border]
        return [self.items[n] for n in kept[np.argsort(-scores[kept], kind="stable")][:k]]
