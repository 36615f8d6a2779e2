"""Linear recall: item-to-item weights learned in closed form (EASE), or factors folded in (iALS).

EASE with a time kernel. EASE (Steck, WWW 2019) solves min |X - XB|^2 + l|B|^2 with diag(B) = 0 from
the Gram matrix G = X'X. Here G counts a pair of one person's events by how near they lie in time,
G_ij = sum_u sum_{a,b} k(a, b), with k a positive definite kernel of the distance in moments; the
product of a Gram matrix and such a kernel stays positive definite (Schur), so the closed form
holds. A short kernel learns what goes together now, a long one what a person likes at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from penchant.interests.state import DAY, Liked, State
from penchant.recall.source import Scores
from penchant.recall.sparse import SparseRows
from penchant.store.log import Events
from penchant.store.vectors import Vectors
from penchant.types import Floats, Query


@dataclass(frozen=True, slots=True)
class Recency:
    """How much each wanted item of a history counts: by moments ago, and by days ago.

    weight = 2^(-moments / moments_half) * 2^(-days / days_half) + floor. A half of 0 means that
    only the newest moment counts; infinity means no decay.
    """

    moments_half: float = float("inf")
    days_half: float = float("inf")
    floor: float = 0.0

    def weights(self, liked: Liked, now: float) -> Floats:
        """Return float32[len(liked)] for the wanted items of a history."""
        if self.moments_half == 0:
            weight = (liked.moments == 0).astype(np.float64)
        else:
            weight = np.exp2(-liked.moments / self.moments_half)
        if np.isfinite(self.days_half):
            weight = weight * np.exp2(-np.maximum(now - liked.times, 0.0) / (DAY * self.days_half))
        out: Floats = ((weight + self.floor) * liked.strengths).astype(np.float32)
        return out


class ItemWeights:
    """Scores by the recency-weighted sum of the rows of an item-to-item matrix."""

    def __init__(self, name: str, rows: SparseRows, recency: Recency) -> None:
        self.name = name
        self.rows = rows
        self.recency = recency

    def score(self, query: Query, state: State) -> Scores | None:
        """Return the dense score, NaN for items the matrix does not know; None without history."""
        liked = state.liked
        known = liked.items < self.rows.n_rows
        if not known.any():
            return None
        weights = self.recency.weights(liked, query.now)
        values = self.rows.weighted_sum(liked.items, weights, max(query.n_items, self.rows.n_rows))
        values[self.rows.n_rows :] = np.nan
        return Scores(np.where(values == 0, np.nan, values).astype(np.float32)[: query.n_items])

    def contributions(self, state: State, item: int) -> Floats:
        """Return float32[len(liked)]: what each wanted item adds to the score of `item`, exact."""
        weights = self.recency.weights(state.liked, state.now)
        out = np.zeros(len(weights), dtype=np.float32)
        for place, liked in enumerate(state.liked.items):
            columns, values = self.rows.row(int(liked))
            at = int(np.searchsorted(columns, item))
            if at < len(columns) and columns[at] == item:
                out[place] = weights[place] * values[at]
        return out

    def fold(self, tail: Events, *, anew: bool = False) -> None:
        """Learn nothing: the weights are the snapshot's; the history they act on is live."""


class Factors:
    """Scores by item factors and a person's factor solved for on the spot (iALS, Hu et al. 2008).

    The person's vector is x = (Y'Y + Y'(C - I)Y + reg I)^-1 Y'c with confidence c = alpha * weight
    of what was wanted, so anyone with one known item has one, stored or not. A history shorter than
    the factors is solved for in its own length (Woodbury 1950): with R its rows, d = alpha * weight
    and D diagonal of it, A = Y'Y + reg I, x = A^-1 R' (I + D R A^-1 R')^-1 (1 + d).
    """

    def __init__(
        self, name: str, factors: Vectors, alpha: float, regularization: float, recency: Recency
    ) -> None:
        self.name = name
        self.factors = factors
        self.recency = recency
        self._alpha = alpha
        known = factors.rows(np.arange(len(factors), dtype=np.int32))
        known = known[np.isfinite(known[:, 0])]
        self._gram = (known.T @ known).astype(np.float64)
        self._gram[np.diag_indices(len(self._gram))] += regularization
        self._inverse = np.linalg.inv(self._gram)

    def score(self, query: Query, state: State) -> Scores | None:
        """Return the dense score, NaN for items without factors; None without history."""
        liked = state.liked
        rows = self.factors.rows(liked.items).astype(np.float64)
        known = np.isfinite(rows[:, 0])
        if not known.any():
            return None
        confidence = self._alpha * self.recency.weights(liked, query.now)[known].astype(np.float64)
        person = self._person(rows[known], confidence).astype(np.float32)
        return Scores(self.factors.dot(person, query.n_items))

    def _person(
        self, rows: npt.NDArray[np.float64], confidence: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.floating]:
        counted = 1.0 + confidence
        if 2 * len(rows) > len(self._gram):
            return np.linalg.solve(self._gram + (rows.T * confidence) @ rows, rows.T @ counted)
        spread = rows @ self._inverse
        inner = confidence[:, None] * (spread @ rows.T)
        inner.flat[:: len(rows) + 1] += 1.0
        found: npt.NDArray[np.floating] = np.linalg.solve(inner, counted) @ spread
        return found

    def fold(self, tail: Events, *, anew: bool = False) -> None:
        """Learn nothing: factors are the snapshot's; the person's own is solved per request."""


def load(
    name: str, meta: Mapping[str, float | str], arrays: Mapping[str, npt.NDArray[np.generic]]
) -> ItemWeights | Factors:
    """Return the linear source that a snapshot describes by `meta` and its arrays."""
    recency = Recency(float(meta["moments_half"]), float(meta["days_half"]), float(meta["floor"]))
    if meta["model"] == "ease":
        return ItemWeights(name, SparseRows.load(arrays, name), recency)
    factors = Vectors(arrays[f"{name}.factors"])
    return Factors(name, factors, float(meta["alpha"]), float(meta["regularization"]), recency)
