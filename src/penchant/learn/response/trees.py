"""Trees of a response: fitted, calibrated and measured on three stretches of time.

They learn on the first, their logits are calibrated on the second (Platt, 1999), and both are
measured on the third. What serves has learned from all three.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from penchant.measure.calibration import calibration_error
from penchant.rank.worth import COLUMNS
from penchant.types import Floats, Mask

TREES, PATIENCE = 300, 30
GROWTH = 1.2  # more rows carry proportionally more trees
PARAMETERS = {
    "num_leaves": 15,
    "learning_rate": 0.05,
    "min_data_in_leaf": 50,
    "feature_fraction": 0.6,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "lambda_l2": 5.0,
    "deterministic": True,
    "force_row_wise": True,
    "verbosity": -1,
}
# What is left of a value is mostly noise: many small steps.
OF_VALUE = {
    "objective": "regression",
    "boost_from_average": False,
    "learning_rate": 0.02,
    "num_leaves": 7,
    "min_data_in_leaf": 100,
    "lambda_l2": 20.0,
}
SURE = 1.64  # standard errors of the gain that trees must bring to a value: one in twenty by luck
Parts = tuple[slice, slice, slice]


def platt(logits: npt.NDArray[np.float64], wanted: Mask, steps: int = 50) -> tuple[float, float]:
    """Return the slope and start that make logits float[n] the likeliest of what came (Platt 1999).

    The targets are drawn in a little, as there, so that a part where all came true is not certain.
    """
    yes, no = wanted.sum(), (~wanted).sum()
    target = np.where(wanted, (yes + 1) / (yes + 2), 1 / (no + 2))
    x = np.stack((logits, np.ones(len(logits))), axis=1)
    found = np.array([1.0, 0.0])
    for _ in range(steps):
        p = sigmoid(x @ found)
        hessian = (x * np.maximum(p * (1 - p), 1e-9)[:, None]).T @ x + 1e-6 * np.eye(2)
        step = np.linalg.solve(hessian, x.T @ (p - target))
        found -= step
        if float(np.abs(step).max()) < 1e-8:
            break
    return float(found[0]), float(found[1])


def sigmoid(logits: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Return what logits are as probabilities."""
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(logits, -500, 500))), dtype=np.float64)


def log_loss(said: npt.NDArray[np.float64], came: Mask) -> float:
    """Return the mean negative log-likelihood, in nats."""
    said = np.clip(said, 1e-7, 1 - 1e-7)
    return float(-np.where(came, np.log(said), np.log(1 - said)).mean())


def chance(
    rows: Floats,
    wanted: Mask,
    names: Sequence[str],
    parts: Parts,
    run: dict[str, Any],
) -> tuple[Any, float, float, dict[str, Any]]:
    """Return trees for the chance of a wish, slope and start of their calibration, and figures.

    No trees where they are no better than the rate. `rows` float32[n, f], `wanted` bool[n].
    """
    first, second, third = parts
    run = {**run, "objective": "binary"}
    early = _fit(rows, wanted.astype(int), names, first, second, run)
    slope, start = platt(early.predict(rows[second], raw_score=True), wanted[second])
    logits = early.predict(rows[third], raw_score=True)
    said, rate = sigmoid(slope * logits + start), float(wanted[: second.stop].mean())
    measured: dict[str, Any] = {
        "exposures": len(rows),
        "rate": round(float(wanted[third].mean()), 4),
        "log_loss": round(log_loss(said, wanted[third]), 4),
        "log_loss_of_the_rate": round(log_loss(np.full(len(said), rate), wanted[third]), 4),
        "calibration_error": round(calibration_error(said, wanted[third]), 4),
        "calibration_error_uncalibrated": round(
            calibration_error(sigmoid(logits), wanted[third]), 4
        ),
    }
    if measured["log_loss"] >= measured["log_loss_of_the_rate"]:
        return None, 1.0, 0.0, measured
    whole = _refit(rows, wanted.astype(int), names, early, run)
    return whole, slope, start, measured


def value(
    rows: Floats,
    values: Floats,
    names: Sequence[str],
    parts: Parts,
    run: dict[str, Any],
) -> tuple[Any, dict[str, Any]]:
    """Return trees for the value of an event beyond `Worth`, and figures.

    `values` float32[n] is NaN for none. No trees where they are not clearly better than what
    `Worth` says by itself.
    """
    first, second, third = parts
    run = {**run, **OF_VALUE}
    factors = rows[:, names.index(COLUMNS[0])]
    early = _fit(rows, values - factors, names, first, second, run)
    known = np.isfinite(values[third])
    came = values[third][known]

    def error(said: npt.NDArray[np.floating]) -> float:
        return round(float(np.sqrt(np.mean((said[known] - came) ** 2))), 4)

    said = factors[third] + early.predict(rows[third])
    measured = {
        "value_error": error(said),
        "value_error_of_factors": error(factors[third]),
        "value_error_of_the_mean": error(
            np.full(len(said), float(np.nanmean(values[: second.stop])))
        ),
    }
    less = ((factors[third] - values[third]) ** 2 - (said - values[third]) ** 2)[known]
    clearly = SURE * float(less.std()) / max(len(less), 1) ** 0.5
    if not float(less.mean()) > clearly:
        return None, measured
    return _refit(rows, values - factors, names, early, run), measured


def _fit(
    rows: Floats,
    targets: npt.NDArray[Any],
    names: Sequence[str],
    learned: slice,
    checked: slice,
    run: dict[str, Any],
) -> Any:
    import lightgbm

    data = _data(rows[learned], targets[learned], names)
    valid = _data(rows[checked], targets[checked], names)
    stop = lightgbm.early_stopping(PATIENCE, verbose=False)
    return lightgbm.train(run, data, TREES, valid_sets=[valid], callbacks=[stop])


def _refit(
    rows: Floats, targets: npt.NDArray[Any], names: Sequence[str], early: Any, run: dict[str, Any]
) -> Any:
    import lightgbm

    trees = max(1, round(GROWTH * early.best_iteration))
    return lightgbm.train(run, _data(rows, targets, names), trees)


def _data(rows: Floats, targets: npt.NDArray[Any], names: Sequence[str]) -> Any:
    import lightgbm

    known = np.isfinite(targets)
    return lightgbm.Dataset(rows[known], targets[known], feature_name=list(names))
