"""The fallback ranker: a weighted sum of normalised source scores, for when trees do not pay."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from penchant.interests.state import State
from penchant.types import Candidates, Floats, Query


def normalised(scores: Floats) -> Floats:
    """Return each column as z-scores of its known values; no opinion counts one below the worst."""
    out = np.zeros_like(scores)
    for column in range(scores.shape[1]):
        values = scores[:, column]
        known = np.isfinite(values)
        if not known.any():
            continue
        spread = float(values[known].std())
        z = (values[known] - values[known].mean()) / (spread + 1e-6)
        out[known, column] = z
        out[~known, column] = z.min() - 1.0
    return out


class Fusion:
    """Scores by Σ weight * z over the sources, best first. Every weight is 1 unless learned."""

    name = "fusion"

    def __init__(self, weights: Mapping[str, float] | None = None) -> None:
        self._weights = dict(weights or {})

    def __call__(self, query: Query, state: State, candidates: Candidates) -> Candidates:
        """Return the same candidates, scored."""
        place = {name: column for column, name in enumerate(candidates.names)}
        columns = [place[name] for name in candidates.sources]
        weights = np.array([self._weights.get(name, 1.0) for name in candidates.sources])
        z = normalised(candidates.features[:, columns])
        return replace(candidates, scores=(z @ weights).astype(np.float32))
