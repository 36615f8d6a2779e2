"""A head for several labels at once, learned: a logistic regression for each."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import numpy.typing as npt

from penchant.language.heads.labels import LabelsHead
from penchant.language.heads.linear import Linear, sigmoid
from penchant.language.heads.predictions import UNKNOWN
from penchant.language.heads.rows import directions
from penchant.learn.heads.calibrate import best_cut, platt
from penchant.learn.heads.config import HeadConfig
from penchant.learn.heads.folds import dealt
from penchant.learn.heads.logistic import binary
from penchant.learn.heads.remembered import familiarity
from penchant.measure.calibration import calibration_error
from penchant.types import Floats, InvalidInput


def learn_labels(
    vectors: Floats,
    labels: Sequence[Collection[str]],
    encoder: str,
    config: HeadConfig | None = None,
    *,
    folds: npt.NDArray[np.int64] | None = None,
) -> LabelsHead:
    """Return the head for the sets of labels of vectors float32[n, d]; a set may be empty.

    `folds` as for `learn_classes`. Raises InvalidInput where there is no label at all, and for one
    named "unknown".
    """
    config = config or HeadConfig()
    rows, told = directions(vectors, vectors.shape[1])
    if len(labels) != len(rows):
        raise InvalidInput(f"{len(rows)} texts came with {len(labels)} sets of labels")
    if wrong := [x for x in labels if not _are_words(x)]:
        raise InvalidInput(
            f"expected a set of labels for each text, words or none, got {wrong[0]!r}: write "
            '{"a"} for one, set() for none'
        )
    names = sorted({name for of in labels for name in of})
    if not names or UNKNOWN in names or not told.any():
        raise InvalidInput(
            f"expected texts with at least one label, none of them {UNKNOWN!r}, got "
            f"{int(told.sum())} texts with {names[:5]}"
        )
    rows = rows[told]
    applies = np.array([[name in of for name in names] for of in labels], np.bool_)[told]
    combined = np.array(["|".join(map(str, np.flatnonzero(a))) for a in applies])
    held = dealt(combined, config.folds, config.seed) if folds is None else folds[told]
    asked = held >= 0
    best: tuple[float, float, npt.NDArray[np.float64]] | None = None
    for strength in config.strengths:
        logits = _held_out(rows, applies, held, strength)
        said = np.clip(sigmoid(logits[asked]), 1e-9, 1 - 1e-9)
        loss = -float(np.where(applies[asked], np.log(said), np.log1p(-said)).mean())
        if best is None or loss < best[0]:
            best = loss, strength, logits
    assert best is not None
    _, strength, logits = best
    weights, bias = np.empty((rows.shape[1], len(names))), np.empty(len(names))
    cuts = np.full(len(names), 0.5)
    said = np.empty_like(logits)
    for i in range(len(names)):
        slope, shift = platt(logits[asked, i], applies[asked, i])
        w, b = binary(rows, applies[:, i], strength)
        weights[:, i], bias[i] = slope * w, slope * b + shift
        said[:, i] = sigmoid(slope * logits[:, i] + shift)
        cuts[i] = best_cut(said[asked, i], applies[asked, i])
    learned = {
        "texts": len(rows),
        "strength": strength,
        "calibration_error_before": calibration_error(
            sigmoid(logits[asked]).ravel(), applies[asked].ravel()
        ),
        "calibration_error": calibration_error(said[asked].ravel(), applies[asked].ravel()),
        "f1": _f1(said[asked] >= cuts, applies[asked]),
    }
    return LabelsHead(
        encoder,
        tuple(names),
        Linear(weights.astype(np.float32), bias.astype(np.float32)),
        cuts.astype(np.float32),
        familiarity(rows, held, None, config),
        learned,
    )


def _are_words(labels: object) -> bool:
    return (
        isinstance(labels, Collection)
        and not isinstance(labels, str | bytes)
        and all(isinstance(label, str) and label for label in labels)
    )


def _held_out(
    rows: Floats,
    applies: npt.NDArray[np.bool_],
    held: npt.NDArray[np.int64],
    strength: float,
) -> npt.NDArray[np.float64]:
    logits = np.zeros(applies.shape)
    for fold in np.unique(held[held >= 0]):
        seen, asked = held != fold, held == fold
        for i in range(applies.shape[1]) if seen.any() else ():
            weights, bias = binary(rows[seen], applies[seen, i], strength)
            logits[asked, i] = rows[asked] @ weights + bias
    return logits


def _f1(said: npt.NDArray[np.bool_], applies: npt.NDArray[np.bool_]) -> float:
    """Return the F1 over all labels together."""
    return float(2.0 * (said & applies).sum() / max(1, int(said.sum() + applies.sum())))
