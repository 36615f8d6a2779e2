"""A head for pairs of query and text, learned: one logistic regression over how they compare."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
import numpy.typing as npt

from penchant.language.heads.linear import Linear, sigmoid
from penchant.language.heads.relevance import RelevanceHead
from penchant.language.heads.rows import compared, pairs
from penchant.learn.heads.calibrate import platt
from penchant.learn.heads.config import HeadConfig
from penchant.learn.heads.folds import together
from penchant.learn.heads.logistic import binary
from penchant.learn.heads.remembered import familiarity
from penchant.measure.calibration import calibration_error, separation
from penchant.types import Floats, InvalidInput

# Beside the cosine there are two numbers for each component: mostly to be left alone.
_SCALE = 0.01


def learn_relevance(
    vectors: Floats,
    relevant: Sequence[bool] | npt.ArrayLike,
    encoder: str,
    config: HeadConfig | None = None,
    *,
    queries: Sequence[Hashable] | None = None,
    folds: npt.NDArray[np.int64] | None = None,
) -> RelevanceHead:
    """Return the head for pairs float32[n, 2 d] (query beside text) that are `relevant`, bool[n].

    `queries` names the query of each pair: pairs of one query are held out together, so that the
    calibration is that of queries nobody has seen. `folds` as for `learn_classes`. Raises
    InvalidInput where all pairs are relevant, or none.
    """
    config = config or HeadConfig()
    rows, told = pairs(vectors, vectors.shape[1])
    said = np.asarray(relevant)
    if said.shape != (len(rows),) or not np.isin(said, (0, 1)).all():
        raise InvalidInput(
            f"expected true or false for each of {len(rows)} pairs, got an array of shape "
            f"{said.shape}"
        )
    rows, yes = rows[told], said[told].astype(np.bool_)
    if yes.all() or not yes.any():
        raise InvalidInput(
            f"expected pairs that are relevant and pairs that are not, got {len(yes)} of which "
            f"{int(yes.sum())} are"
        )
    keys = [row.tobytes() for row in rows[:, : rows.shape[1] // 2]]
    if queries is not None:
        keys = [q for q, t in zip(queries, told, strict=True) if t]
    held = together(keys, config.folds, config.seed) if folds is None else folds[told]
    asked = held >= 0
    scale = np.full(rows.shape[1] + 1, _SCALE)
    scale[0] = 1.0
    seen_as = (compared(rows) * scale).astype(np.float32)
    best: tuple[float, float, npt.NDArray[np.float64]] | None = None
    for strength in (s * f for s in config.strengths for f in (1.0, 100.0)):
        logits = np.zeros(len(rows))
        for fold in np.unique(held[asked]):
            seen, out = held != fold, held == fold
            weights, bias = binary(seen_as[seen], yes[seen], strength)
            logits[out] = seen_as[out] @ weights + bias
        p = np.clip(sigmoid(logits[asked]), 1e-9, 1 - 1e-9)
        loss = -float(np.where(yes[asked], np.log(p), np.log1p(-p)).mean())
        if best is None or loss < best[0]:
            best = loss, strength, logits
    assert best is not None
    _, strength, logits = best
    slope, shift = platt(logits[asked], yes[asked])
    weights, bias = binary(seen_as, yes, strength)
    p = sigmoid(slope * logits[asked] + shift)
    learned = {
        "pairs": len(rows),
        "strength": strength,
        "auroc": separation(yes[asked], p),
        "auroc_cosine": separation(yes[asked], compared(rows)[asked, 0]),
        "calibration_error_before": calibration_error(sigmoid(logits[asked]), yes[asked]),
        "calibration_error": calibration_error(p, yes[asked]),
    }
    return RelevanceHead(
        encoder,
        Linear(
            (slope * weights * scale)[:, None].astype(np.float32),
            np.array([slope * bias + shift], np.float32),
        ),
        familiarity((rows / np.sqrt(2.0)).astype(np.float32), held, None, config),
        learned,
    )
