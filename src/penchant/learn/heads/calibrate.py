"""Calibration on answers to held-out texts: one number for a softmax, two for a sigmoid."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar

from penchant.learn.heads.logistic import binary, log_softmax

FEWEST = 10
"""Held-out positives (and negatives) below which a sigmoid is left as it is."""


def temperature(logits: npt.NDArray[np.float64], classes: npt.NDArray[np.int64]) -> float:
    """Return what to divide held-out logits float64[n, m] by, so that log loss is least.

    Temperature scaling (Guo et al. 2017). It changes no answer, only how sure it is.
    """
    if not len(classes):
        return 1.0
    rows = np.arange(len(classes))

    def loss(log_t: float) -> float:
        # A class that a fold has not seen would outvote all others.
        said = log_softmax(logits / np.exp(log_t))[rows, classes]
        return float(-np.maximum(said, -20.0).mean())

    found = minimize_scalar(loss, bounds=(np.log(0.05), np.log(20.0)), method="bounded")
    return float(np.exp(found.x))


def loss_of(logits: npt.NDArray[np.float64], classes: npt.NDArray[np.int64]) -> float:
    """Return the log loss of held-out logits float64[n, m] at their best temperature.

    What is chosen by it differs less from one draw of texts to another than what is chosen by how
    often the likeliest label is right.
    """
    said = log_softmax(logits / temperature(logits, classes))
    return float(-np.maximum(said[np.arange(len(classes)), classes], -20.0).mean())


def platt(logits: npt.NDArray[np.float64], yes: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """Return slope and shift for held-out logits float64[n] of a sigmoid (Platt, 1999)."""
    if min(int(yes.sum()), int((~yes).sum())) < FEWEST:
        return 1.0, 0.0
    scale = max(float(np.std(logits)), 1e-9)
    weights, bias = binary((logits[:, None] / scale).astype(np.float32), yes, 1e4)
    slope = float(weights[0]) / scale
    # A head that is worse than guessing on held-out texts must not be turned around.
    return (slope, float(bias)) if slope > 0 else (1e-3, float(bias))


def best_cut(probability: npt.NDArray[np.float64], yes: npt.NDArray[np.bool_]) -> float:
    """Return the probability float[n] from which saying yes has the best F1 on held-out texts."""
    positives = int(yes.sum())
    if positives < FEWEST:
        return 0.5
    order = np.argsort(-probability, kind="stable")
    hits = np.cumsum(yes[order])
    f1 = 2.0 * hits / (np.arange(1, len(yes) + 1) + positives)
    return float(np.clip(probability[order[int(np.argmax(f1))]], 0.05, 0.95))
