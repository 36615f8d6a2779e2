"""Learning θ of the first scorer by regularised logistic regression on out-of-time rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from penchant.interests.state import State
from penchant.learn.scorer.rows import Rows
from penchant.rank.scorers.affinity import Affinity, read_interest
from penchant.store.vectors import Vectors
from penchant.types import Floats, Ids

DAYS_HALF = 30.0
RIDGE = 10.0


def fit(
    wanted: Sequence[tuple[State, Ids]],
    vectors: Vectors,
    n_items: int,
    *,
    seed: int,
    negatives: int = 20,
) -> Affinity | None:
    """Return θ fitted on what each state then wanted against random items; None without text.

    Newton's method on the convex loss Σ log(1 + exp(-y s)) + ridge |θ|²/2 over the products
    h_i v_ji: a few steps suffice, d is a few hundred.
    """
    if not vectors.dimension:
        return None
    rng = np.random.default_rng(seed)
    products: list[Floats] = []
    labels: list[np.ndarray] = []
    for state, targets in wanted:
        h = read_interest(state, vectors, DAYS_HALF)
        if h is None:
            continue
        others = rng.integers(0, n_items, negatives).astype(np.int32)
        rows = vectors.rows(np.concatenate((targets[:10], others)))
        y = np.concatenate((np.ones(len(targets[:10])), np.zeros(negatives)))
        known = np.isfinite(rows[:, 0])
        products.append((h * rows[known]).astype(np.float32))
        labels.append(y[known])
    if not products:
        return None
    x = np.concatenate((np.concatenate(products), np.ones((sum(map(len, products)), 1))), axis=1)
    theta = logistic(x.astype(np.float64), np.concatenate(labels), RIDGE)
    return Affinity(theta[:-1].astype(np.float32), float(theta[-1]), DAYS_HALF)


def out_of_fold(
    rows: Rows, wanted: Sequence[tuple[State, Ids]], vectors: Vectors, n_items: int, seed: int
) -> tuple[Floats, Affinity | None]:
    """Return the affinity of every row, float32[rows], and θ fitted on all requests.

    The rows of each half of the requests are scored by θ of the other half: a ranker that saw
    scores of a model fitted on its own answers would trust them too much.
    """
    column = np.full(len(rows.items), np.nan, dtype=np.float32)
    half = len(rows) // 2
    for own, other in ((range(half), wanted[half:]), (range(half, len(rows)), wanted[:half])):
        model = fit(other, vectors, n_items, seed=seed)
        if model is None:
            continue
        for r in own:
            h = model.read(wanted[r][0], vectors)
            if h is not None:
                cut = slice(int(rows.starts[r]), int(rows.starts[r + 1]))
                column[cut] = model.score(h, vectors.rows(rows.items[cut]))
    return column, fit(wanted, vectors, n_items, seed=seed)


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
