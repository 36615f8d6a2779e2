"""Appeal: what an item's text says of how often it will be answered, before anybody has seen it.

A Bayesian linear regression of the log of the rate, against the mean, on the first directions of
the text vectors (the principal ones, which the whitening puts first). Each item counts by how much
its rate is its own: e / (e + 1) with e the answers that the mean item would have had. What is drawn
from the posterior is the prior of the item's rate (the contextual part of Thompson sampling;
Agrawal and Goyal, 2013).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from penchant.rank.feedback.rates import SHAPE
from penchant.types import Floats

DIRECTIONS = 16
RIDGE = 10.0  # items: so many that say the same outweigh the prior, that texts say nothing
LEAST = 50  # items with a rate of their own, below which texts are not asked

Table = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Appeal:
    """The posterior of the weights of [1, text]: `mean` float64[d], `root` with root root^T its
    covariance."""

    mean: Table
    root: Table

    def draw(self, rows: Floats, rng: np.random.Generator, draws: int) -> Table:
        """Return float64[draws, n]: the log of the expected rate of items with these vectors.

        Items without a text (rows of NaN) are expected to be like the mean of all.
        """
        known = np.isfinite(rows[:, 0]) if rows.shape[1] else np.zeros(len(rows), dtype=np.bool_)
        out = np.zeros((draws, len(rows)))
        weights = self.mean + rng.standard_normal((draws, len(self.mean))) @ self.root.T
        if known.any():
            out[:, known] = weights @ described(rows[known]).T
        return out


def fit(exposed: Floats, answered: Floats, rows: Floats) -> Appeal | None:
    """Return the regression over items: decayed looks and answers float32[n], vectors [n, d].

    None where few items with a text have been shown.
    """
    total = float(answered.sum())
    if total <= 0 or not rows.shape[1]:
        return None
    expected = exposed * (total / float(exposed.sum()))
    use = np.flatnonzero((expected >= 0.5) & np.isfinite(rows[:, 0]))
    if len(use) < LEAST:
        return None
    x = described(rows[use])
    y = np.log((answered[use] + SHAPE) / (expected[use] + SHAPE)).astype(np.float64)
    weight = (expected[use] / (expected[use] + SHAPE)).astype(np.float64)
    precision = (x.T * weight) @ x
    ridge = np.full(x.shape[1], RIDGE)
    ridge[0] = 1e-3
    precision[np.diag_indices(len(ridge))] += ridge
    mean = np.linalg.solve(precision, x.T @ (weight * y))
    noise = float((weight * (y - x @ mean) ** 2).sum() / weight.sum())
    root: Table = np.linalg.cholesky(noise * np.linalg.inv(precision)).astype(np.float64)
    return Appeal(mean.astype(np.float64), root)


def described(rows: Floats) -> Table:
    """Return float64[n, 1 + DIRECTIONS or fewer]: a one, and each text, scaled to spread 1."""
    part = rows[:, :DIRECTIONS].astype(np.float64) * np.sqrt(rows.shape[1])
    return np.concatenate((np.ones((len(rows), 1)), part), axis=1)
