"""A head for a number, learned: ridge regression, and how wrong it is on held-out texts."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from penchant.language.heads.linear import Linear
from penchant.language.heads.rows import directions
from penchant.language.heads.value import ValueHead
from penchant.learn.heads.config import HeadConfig
from penchant.learn.heads.folds import dealt
from penchant.learn.heads.remembered import familiarity
from penchant.types import Floats, InvalidInput

_PENALTIES = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
_SMALLEST = 4


def learn_value(
    vectors: Floats,
    values: npt.ArrayLike,
    encoder: str,
    config: HeadConfig | None = None,
    *,
    folds: npt.NDArray[np.int64] | None = None,
) -> ValueHead:
    """Return the head for the numbers `values` float[n] of vectors float32[n, d].

    The interval holds the share `coverage` of the configuration: it is the quantile of the errors
    on held-out texts, with the correction for their number (Vovk et al. 2005). `folds` as for
    `learn_classes`. Raises InvalidInput for numbers that are not finite, and for fewer than four.
    """
    config = config or HeadConfig()
    rows, told = directions(vectors, vectors.shape[1])
    try:
        target = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"expected a number for each text ({error})") from error
    if target.shape != (len(rows),) or not np.isfinite(target).all():
        raise InvalidInput(
            f"expected a finite number for each of {len(rows)} texts, got {target.shape} with "
            f"{int((~np.isfinite(target)).sum())} that are not"
        )
    rows, target = rows[told], target[told]
    if len(rows) < _SMALLEST:
        raise InvalidInput(f"expected at least {_SMALLEST} texts with a number, got {len(rows)}")
    none = np.zeros(len(rows))
    held = dealt(none, config.folds, config.seed) if folds is None else folds[told]
    asked = held >= 0
    said = {penalty: np.zeros(len(rows)) for penalty in _PENALTIES}
    for fold in np.unique(held[asked]):
        seen, out = held != fold, held == fold
        for penalty, (weights, bias) in _ridges(rows[seen], target[seen]).items():
            said[penalty][out] = rows[out] @ weights + bias
    wrong = {p: float(np.mean((s[asked] - target[asked]) ** 2)) for p, s in said.items()}
    penalty = min(_PENALTIES, key=lambda p: wrong[p])
    weights, bias = _ridges(rows, target)[penalty]
    low, high = float(target.min()), float(target.max())
    errors = np.sort(np.abs(np.clip(said[penalty], low, high) - target)[asked])
    place = int(np.ceil((len(errors) + 1) * config.coverage)) - 1
    width = float(errors[min(place, len(errors) - 1)])
    spread = float(np.var(target[asked]))
    learned = {
        "texts": len(rows),
        "penalty": penalty,
        "error": float(errors.mean()),
        "explained": 1.0 - wrong[penalty] / spread if spread > 0 else 0.0,
        "coverage": float((errors <= width).mean()),
    }
    return ValueHead(
        encoder,
        Linear(weights[:, None].astype(np.float32), np.array([bias], np.float32)),
        width,
        low,
        high,
        familiarity(rows, held, None, config),
        learned,
    )


def _ridges(
    rows: Floats, target: npt.NDArray[np.float64]
) -> dict[float, tuple[npt.NDArray[np.float64], float]]:
    """Return weights float64[d] and bias of every penalty, from one decomposition."""
    mean, middle = rows.mean(axis=0, dtype=np.float64), float(target.mean())
    u, s, v = np.linalg.svd(rows - mean, full_matrices=False)
    turned = u.T @ (target - middle)
    found = {}
    for penalty in _PENALTIES:
        weights = v.T @ (s / (s * s + penalty) * turned)
        found[penalty] = weights, middle - float(mean @ weights)
    return found
