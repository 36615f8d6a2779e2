"""Learning θ of the first scorer by regularised logistic regression on out-of-time rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from penchant.learn.walk import Asked
from penchant.rank.affinity import Affinity, read_interest
from penchant.store.vectors import Vectors
from penchant.types import Floats


def fit(
    asked: Sequence[Asked], vectors: Vectors, n_items: int, *, days_half: float, ridge: float,
    negatives: int = 20, seed: int = 0,
) -> Affinity | None:
    """Return θ fitted on wanted items against random ones, None without text or requests.

    Newton's method on the convex loss Σ log(1 + exp(-y s)) + ridge |θ|²/2 over the products
    h_i v_ji: a few steps suffice, d is a few hundred.
    """
    if not vectors.dimension:
        return None
    rng = np.random.default_rng(seed)
    products: list[Floats] = []
    labels: list[np.ndarray] = []
    for one in asked:
        h = read_interest(one.state, vectors, days_half)
        if h is None:
            continue
        others = rng.integers(0, n_items, negatives).astype(np.int32)
        rows = vectors.rows(np.concatenate((one.targets[:10], others)))
        y = np.concatenate((np.ones(len(one.targets[:10])), np.zeros(negatives)))
        known = np.isfinite(rows[:, 0])
        products.append((h * rows[known]).astype(np.float32))
        labels.append(y[known])
    if not products:
        return None
    x = np.concatenate((np.concatenate(products), np.ones((sum(map(len, products)), 1))), axis=1)
    theta = logistic(x.astype(np.float64), np.concatenate(labels), ridge)
    return Affinity(theta[:-1].astype(np.float32), float(theta[-1]), days_half)


def logistic(x: np.ndarray, y: np.ndarray, ridge: float, steps: int = 15) -> np.ndarray:
    """Return θ float64[d] minimising the ridge-regularised log loss; the last column is free."""
    theta = np.zeros(x.shape[1])
    penalty = np.full(x.shape[1], ridge)
    penalty[-1] = 1e-6
    for _ in range(steps):
        p = 1.0 / (1.0 + np.exp(-np.clip(x @ theta, -30, 30)))
        gradient = x.T @ (p - y) + penalty * theta
        hessian = (x.T * np.maximum(p * (1 - p), 1e-6)) @ x
        hessian[np.diag_indices(len(theta))] += penalty
        step = np.linalg.solve(hessian, gradient)
        theta -= step
        if float(np.abs(step).max()) < 1e-6:
            break
    return theta
