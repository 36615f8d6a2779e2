"""The fallback ranker: a weighted sum of normalised source scores, for when trees do not pay."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from penchant.interests.state import State
from penchant.rank.scorers.terms import SCALE, START, scaled, with_terms
from penchant.types import Candidates, Floats, Query

_NOTHING = 1e-6  # between the highest and the lowest score


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


def standardised(scored: Candidates) -> Candidates:
    """Return the candidates with z-scores for scores, and the terms that say how they were made.

    A scorer that says the same of every candidate says nothing: scores and terms are 0.
    """
    own = np.nan_to_num(scored.scores).astype(np.float32)
    mean, spread = mean_and_spread(own)
    scale = 0.0 if not len(own) or float(np.ptp(own)) <= _NOTHING else 1.0 / float(spread)
    of_all = np.full(len(scored), scale, dtype=np.float32)
    z = (own - mean) * np.float32(scale)
    return with_terms(
        replace(scaled(scored, scale), scores=z), {SCALE: of_all, START: -of_all * mean}
    )


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
