"""Accuracy of ranked lists, all requests at once: NDCG, recall, hit rate, reciprocal rank.

A request is a row: `ranked` int[r, k] holds item numbers, best first, -1 where a list ended early;
what was wanted is a `Lists` of r rows. An item named twice in a row counts where it is named first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from penchant.types import InvalidInput

Hits = npt.NDArray[np.bool_]
Figures = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Lists:
    """Lists of different lengths as columns: row n is `values[bounds[n]:bounds[n + 1]]`."""

    values: npt.NDArray[np.int64]
    bounds: npt.NDArray[np.int64]

    @classmethod
    def of(cls, rows: Iterable[Sequence[int] | npt.NDArray[np.integer]]) -> Lists:
        """Return the columns of ordinary sequences of numbers."""
        kept = [np.asarray(row, dtype=np.int64) for row in rows]
        bounds = np.concatenate([[0], np.cumsum([len(row) for row in kept])]).astype(np.int64)
        return cls(np.concatenate(kept) if kept else np.empty(0, np.int64), bounds)

    def __len__(self) -> int:
        return len(self.bounds) - 1

    def __getitem__(self, row: int) -> npt.NDArray[np.int64]:
        return self.values[self.bounds[row] : self.bounds[row + 1]]

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """The length of each row, int64[r]."""
        return np.diff(self.bounds)

    @property
    def rows(self) -> npt.NDArray[np.int64]:
        """The row of each value, aligned with `values`."""
        return np.repeat(np.arange(len(self)), self.lengths)

    def kept(self, keep: npt.NDArray[np.bool_]) -> Lists:
        """Return the same rows with only the values marked by `keep`; rows may become empty."""
        lengths = np.bincount(self.rows[keep], minlength=len(self))
        bounds = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        return Lists(self.values[keep], bounds)

    def take(self, rows: npt.NDArray[np.integer]) -> Lists:
        """Return the named rows, in that order."""
        return Lists.of(self[int(row)] for row in rows)

    def padded(self, k: int) -> npt.NDArray[np.int64]:
        """Return int64[r, k]: the first k values of each row, -1 behind its end."""
        out = np.full((len(self), k), -1, dtype=np.int64)
        place = np.arange(len(self.values)) - np.repeat(self.bounds[:-1], self.lengths)
        near = place < k
        out[self.rows[near], place[near]] = self.values[near]
        return out


def hits(ranked: npt.NDArray[np.integer], wanted: Lists) -> Hits:
    """Return bool[r, k]: whether the item at each place was wanted and not named before."""
    ranked = np.asarray(ranked, dtype=np.int64)
    if ranked.ndim != 2 or len(ranked) != len(wanted):
        raise InvalidInput(
            f"one ranked row for each of {len(wanted)} requests was expected, "
            f"got an array of shape {ranked.shape}"
        )
    span = int(max(ranked.max(initial=0), wanted.values.max(initial=0))) + 1
    flat = (np.arange(len(ranked))[:, None] * span + ranked).ravel()
    first = np.zeros(flat.size, dtype=np.bool_)
    first[np.unique(flat, return_index=True)[1]] = True
    found = np.isin(flat, wanted.rows * span + wanted.values)
    return (found & first & (ranked.ravel() >= 0)).reshape(ranked.shape)


def ndcg(hit: Hits, lengths: npt.NDArray[np.integer], k: int = 10) -> Figures:
    """Return NDCG@k of each request, float64[r]; the ideal list is over min(k, wanted) places.

    Binary gain, discount 1 / log2(place + 1) with places from 1 (Järvelin and Kekäläinen, 2002).
    """
    wanted = _wanted(lengths, hit)
    discount = 1.0 / np.log2(np.arange(2, k + 2))
    ideal = np.cumsum(discount)[np.minimum(k, wanted) - 1]
    width = min(k, hit.shape[1])
    gained: Figures = hit[:, :width] @ discount[:width]
    figures: Figures = gained / ideal
    return figures


def recall(hit: Hits, lengths: npt.NDArray[np.integer], k: int = 10) -> Figures:
    """Return the share of what was wanted that is in the first k places, float64[r]."""
    wanted = _wanted(lengths, hit)
    shares: Figures = np.count_nonzero(hit[:, :k], axis=1) / wanted
    return shares


def hit_rate(hit: Hits, k: int = 10) -> Figures:
    """Return 1.0 where anything wanted is in the first k places, else 0.0; float64[r]."""
    return np.asarray(hit[:, :k].any(axis=1), dtype=np.float64)


def reciprocal_rank(hit: Hits, k: int = 10) -> Figures:
    """Return 1 / place of the first wanted item in the first k places, 0.0 without; float64[r]."""
    near = hit[:, :k]
    if not near.shape[1]:
        return np.zeros(len(near))
    first = near.argmax(axis=1)
    return np.where(near.any(axis=1), 1.0 / (first + 1), 0.0)


def _wanted(lengths: npt.NDArray[np.integer], hit: Hits) -> npt.NDArray[np.int64]:
    wanted = np.asarray(lengths, dtype=np.int64)
    if len(wanted) != len(hit):
        raise InvalidInput(f"{len(hit)} requests came with {len(wanted)} counts of wanted items")
    if (wanted < 1).any():
        raise InvalidInput("a request that wants nothing has no score; leave it out first")
    return wanted
