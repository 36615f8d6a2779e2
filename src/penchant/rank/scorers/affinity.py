"""The first scorer: s_j = θ0 + Σ_i θ_i h_{t,i} v_{j,i}, an interest and an item met term by term.

θ is learned by regularised logistic regression on out-of-time rows (`learn/scorer/affinity.py`).
Its terms add up to its score, so it explains itself; it answers before trees exist and is a feature
of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from penchant.interests.state import DAY, State, interest
from penchant.store.vectors import Vectors
from penchant.types import Candidates, Floats, Query


@dataclass(frozen=True, slots=True)
class Affinity:
    """Weights θ float32[d] and the constant θ0, for the interest read at `days_half`."""

    theta: Floats
    constant: float
    days_half: float

    def read(self, state: State, vectors: Vectors) -> Floats | None:
        """Return the unit interest float32[d] of a person's last events, None without any."""
        return read_interest(state, vectors, self.days_half)

    def terms(self, h: Floats, rows: Floats) -> Floats:
        """Return float32[n, d + 1]: θ_i h_i v_ji, and θ0 last; each row adds up to the score."""
        products = self.theta * h * rows
        return np.concatenate(
            (products, np.full((len(rows), 1), self.constant, dtype=np.float32)), axis=1
        )

    def score(self, h: Floats, rows: Floats) -> Floats:
        """Return float32[n] scores; NaN for items without a vector."""
        return rows @ (self.theta * h) + np.float32(self.constant)


def read_interest(state: State, vectors: Vectors, days_half: float) -> Floats | None:
    """Return h_t scaled to length 1, from all of the state's events, rejections included."""
    if not len(state.items) or not vectors.dimension:
        return None
    rows = vectors.rows(state.items)
    # Read at the time of the last event: silence alone does not change what somebody likes.
    h = interest(
        state.items, state.times, state.strengths, float(state.times[-1]), rows, days_half * DAY
    )
    norm = float(np.linalg.norm(h))
    return (h / norm).astype(np.float32) if norm > 1e-6 else None


class AffinityStage:
    """Appends the affinity as a feature, and as the score where no ranker follows."""

    name = "affinity"

    def __init__(self, affinity: Affinity | None, vectors: Vectors) -> None:
        self.affinity = affinity
        self._vectors = vectors

    def __call__(self, query: Query, state: State, candidates: Candidates) -> Candidates:
        """Return the same candidates with one more feature column, `affinity`."""
        column = np.full((len(candidates), 1), np.nan, dtype=np.float32)
        if self.affinity is not None:
            # Before the history's: the rows that were asked for last are at hand, and the stage
            # of the features asked for those of the pool.
            rows = self._vectors.rows(candidates.items)
            h = self.affinity.read(state, self._vectors)
            if h is not None:
                column[:, 0] = self.affinity.score(h, rows)
        return Candidates(
            items=candidates.items,
            scores=candidates.scores,
            features=np.concatenate((candidates.features, column), axis=1),
            names=(*candidates.names, "affinity"),
            origin=candidates.origin,
            sources=candidates.sources,
        )
