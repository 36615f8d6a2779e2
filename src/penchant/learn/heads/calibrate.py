"""Calibration on answers to held-out texts: one number for a softmax, two for a sigmoid."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar

from penchant.language.heads.linear import softmax
from penchant.learn.heads.folds import dealt
from penchant.learn.heads.logistic import binary, log_softmax

FEWEST = 10
"""Held-out positives (and negatives) below which a sigmoid is left as it is."""
_LEAST = -20.0  # a log probability: a class that a fold has not seen would outvote all others
_SURE = 0.5  # standard errors; 1 lost real gains with five labels an intent of banking77
_SEEN = 0.005  # banking77: the rest brings .02 to .11 of log loss, what says nothing .001 at most


def temperature(logits: npt.NDArray[np.float64], classes: npt.NDArray[np.int64]) -> float:
    """Return what to divide held-out logits float64[n, m] by, so that log loss is least.

    Temperature scaling (Guo et al. 2017). It changes no answer, only how sure it is. That n texts
    all came out right does not say that the next one will: for one in n + 2 the runner-up is taken
    to be the truth, as Platt (1999) does.
    """
    n = len(classes)
    if not n:
        return 1.0
    rows = np.arange(n)
    others = logits.copy()
    others[rows, classes] = -np.inf
    rival = others.argmax(axis=1)
    doubt = 1.0 / (n + 2.0)

    def loss(log_t: float) -> float:
        said = np.maximum(log_softmax(logits / np.exp(log_t)), _LEAST)
        truth, otherwise = said[rows, classes], said[rows, rival]
        return float(-((1.0 - doubt) * truth + doubt * otherwise).mean())

    found = minimize_scalar(loss, bounds=(np.log(0.05), np.log(20.0)), method="bounded")
    return float(np.exp(found.x))


def losses(
    logits: npt.NDArray[np.float64], classes: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """Return the log loss of each held-out text float64[n] at their best temperature.

    What is chosen by it differs less from one draw of texts to another than what is chosen by how
    often the likeliest label is right.
    """
    said = log_softmax(logits / temperature(logits, classes))
    return -np.maximum(said[np.arange(len(classes)), classes], _LEAST)


def clearly_less(now: npt.NDArray[np.float64], before: npt.NDArray[np.float64]) -> bool:
    """Return whether the losses `now` float64[n] of texts are clearly less than those `before`.

    By half a standard error of the difference or more, and by more than any other choice would.
    """
    less = before - now
    if len(less) < 2:
        return False
    error = float(less.std(ddof=1)) / np.sqrt(len(less))
    return bool(less.mean() > max(_SURE * error, _SEEN))


def sureness(
    logits: npt.NDArray[np.float64], classes: npt.NDArray[np.int64], k: int, seed: int
) -> npt.NDArray[np.float64]:
    """Return the probability of the likeliest label of each held-out text, float64[n].

    Each at the temperature that the others have, as a new text would be: what a temperature does
    to the texts that it was fitted on says nothing of how well it calibrates.
    """
    sure, part = np.ones(len(classes)), dealt(classes, k, seed)
    for i in np.unique(part):
        own = part == i
        t = temperature(logits[~own], classes[~own])
        sure[own] = softmax(logits[own] / t).max(axis=1)
    return sure


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
