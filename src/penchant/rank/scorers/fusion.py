"""The fallback ranker: a weighted sum of normalised source scores, for when trees do not pay."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from penchant.interests.state import State
from penchant.rank.scorers.terms import with_terms
from penchant.types import Candidates, Floats, Query


def mean_and_spread(known: Floats) -> tuple[np.float32, np.float32]:
    """Return what z-scores are made with: (value - mean) / spread; 0 and 1 of nothing."""
    if not len(known):
        return np.float32(0.0), np.float32(1.0)
    return known.mean(), np.float32(float(known.std()) + 1e-6)


def normalised(scores: Floats) -> Floats:
    """Return each column as z-scores of its known values; no opinion counts one below the worst."""
    out = np.zeros_like(scores)
    for column in range(scores.shape[1]):
        values = scores[:, column]
        known = np.isfinite(values)
        if not known.any():
            continue
        mean, spread = mean_and_spread(values[known])
        z = (values[known] - mean) / spread
        out[known, column] = z
        out[~known, column] = z.min() - 1.0
    return out


class Fusion:
    """Scores by Σ weight * z over the sources, its terms. Every weight is 1 unless learned."""

    name = "fusion"

    def __init__(self, weights: Mapping[str, float] | None = None) -> None:
        self._weights = dict(weights or {})

    def __call__(self, query: Query, state: State, candidates: Candidates) -> Candidates:
        """Return the same candidates, scored."""
        place = {name: column for column, name in enumerate(candidates.names)}
        columns = [place[name] for name in candidates.sources]
        weights = np.array([self._weights.get(name, 1.0) for name in candidates.sources])
        z = normalised(candidates.features[:, columns])
        scored = replace(candidates, scores=(z @ weights).astype(np.float32))
        parts = (z * weights).astype(np.float32)
        return with_terms(
            scored, {name: parts[:, place] for place, name in enumerate(candidates.sources)}
        )

    def scored_by(self, query: Query, state: State) -> tuple[str, ...]:
        """Return the name of this scorer."""
        return (self.name,)
