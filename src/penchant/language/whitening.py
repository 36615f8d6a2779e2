"""Whitening: sentence vectors of one catalogue, spread so that their differences count.

All titles of a shop look alike to a sentence encoder: a few directions hold most of the variance.
Removing the mean and dividing each principal direction by its own spread (with a floor, so that
noise is not blown up) makes neighbours mean something and shortens the vector (Su et al. 2021).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from penchant.types import Floats


@dataclass(frozen=True, slots=True)
class Whitening:
    """x -> unit((x - mean) @ matrix): `mean` float32[d], `matrix` float32[d, k]."""

    mean: Floats
    matrix: Floats

    @classmethod
    def fit(cls, vectors: Floats, dimension: int, floor: float = 0.03) -> Whitening:
        """Return the whitening of float32[n, d] to at most `dimension` principal directions.

        Rows of NaN and of zeros are left out. `floor` bounds the smallest spread that is divided
        by, as a share of the largest.
        """
        known = vectors[np.isfinite(vectors[:, 0]) & (np.abs(vectors).max(axis=1) > 0)]
        mean = known.mean(axis=0)
        covariance = np.cov((known - mean).T.astype(np.float64)) if len(known) > 1 else None
        if covariance is None:
            return cls(mean, np.eye(vectors.shape[1], dtype=np.float32))
        values, directions = np.linalg.eigh(covariance)
        best = np.argsort(-values)[: min(dimension, len(known) - 1)]
        spread = np.sqrt(np.maximum(values[best], 0.0))
        # Texts that are all the same have no spread to divide by.
        matrix = directions[:, best] / np.maximum(spread, max(floor * spread.max(), 1e-6))
        return cls(mean.astype(np.float32), matrix.astype(np.float32))

    def __call__(self, vectors: Floats) -> Floats:
        """Return unit rows float32[n, k]; rows of NaN or zeros give rows of NaN."""
        empty = ~np.isfinite(vectors[:, 0]) | (np.abs(vectors).max(axis=1) == 0)
        out = (vectors - self.mean) @ self.matrix
        norm = np.linalg.norm(out, axis=1, keepdims=True)
        unit: Floats = (out / np.maximum(norm, 1e-9)).astype(np.float32)
        unit[empty] = np.nan
        return unit
