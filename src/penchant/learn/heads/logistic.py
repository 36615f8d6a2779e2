"""Logistic regressions of scikit-learn, in the one form that heads serve: weights and a bias."""

from __future__ import annotations

import warnings

import numpy as np
import numpy.typing as npt

from penchant.types import Floats

Logits = npt.NDArray[np.float64]
Weighed = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]
ABSENT = -1e4
"""The logit of a class that a fold has not seen."""


def multinomial(
    rows: Floats, classes: npt.NDArray[np.int64], n: int, strength: float, iterations: int = 500
) -> Weighed:
    """Return weights float64[d, n] and bias float64[n] of a softmax over n classes.

    A class without a row has a bias that is never chosen.
    """
    from sklearn.linear_model import LogisticRegression

    present = np.unique(classes)
    weights, bias = np.zeros((rows.shape[1], n)), np.full(n, ABSENT)
    if len(present) == 1:
        bias[present] = 0.0
        return weights, bias
    model = LogisticRegression(C=strength, max_iter=iterations)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # not converged to the last digit is no matter here
        model.fit(rows, classes)
    if len(present) == 2:
        weights[:, present[1]] = model.coef_[0]
        bias[present] = 0.0, model.intercept_[0]
    else:
        weights[:, present] = model.coef_.T
        bias[present] = model.intercept_
    return weights, bias


def binary(rows: Floats, yes: npt.NDArray[np.bool_], strength: float) -> Weighed:
    """Return weights float64[d] and bias float64[] of a sigmoid; the rate where all are one."""
    n = len(yes)
    if yes.all() or not yes.any():
        rate = (yes.sum() + 0.5) / (n + 1.0)
        return np.zeros(rows.shape[1]), np.asarray(np.log(rate / (1 - rate)))
    weights, bias = multinomial(rows, yes.astype(np.int64), 2, strength)
    return weights[:, 1] - weights[:, 0], np.asarray(bias[1] - bias[0])


def log_softmax(logits: Logits) -> Logits:
    """Return log probabilities, float64[n, m]."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))
