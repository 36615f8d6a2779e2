"""A head for one label of several, learned: strength, temperature and self-training by folds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from penchant.language.heads.classes import ClassHead
from penchant.language.heads.linear import Linear, softmax
from penchant.language.heads.predictions import UNKNOWN
from penchant.language.heads.rows import directions
from penchant.learn.heads.calibrate import clearly_less, losses, sureness, temperature
from penchant.learn.heads.config import HeadConfig
from penchant.learn.heads.folds import dealt
from penchant.learn.heads.logistic import ABSENT, multinomial
from penchant.learn.heads.remembered import familiarity
from penchant.learn.heads.spreading import graph, spread
from penchant.measure.calibration import calibration_error
from penchant.types import Floats, InvalidInput

SPREADS = ((0.5, 0.7), (0.8, 1.0), (0.95, 1.0))
"""How far labels go, and the share of texts, the surest, that is learned from then."""
_TAUGHT = 10.0  # the strength that suits the thousands of texts that labels were spread to
_UNLABELLED = 20_000
Classes = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class More:
    """Pseudo-labels that are learned from besides the labels: rows float32[m, d], classes int64[m].

    Of what was spread from the labels that a fold may see.
    """

    rows: Floats
    classes: Classes


def learn_classes(
    vectors: Floats,
    labels: Sequence[str],
    encoder: str,
    config: HeadConfig | None = None,
    *,
    folds: Classes | None = None,
    unlabelled: Floats | None = None,
) -> ClassHead:
    """Return the head for `labels` of vectors float32[n, d] that the encoder `encoder` made.

    Rows that say nothing are left out. `folds` int64[n] overrides how rows are held out; fold -1 is
    always learned from and never asked (rows that a tuned encoder has seen). `unlabelled` are
    vectors to learn from without labels, taken where held-out labels clearly say that it pays. What
    `learned` says of calibration is that of texts with labels, each held out. Raises
    InvalidInput for fewer than two labels, and for a label named "unknown".
    """
    config = config or HeadConfig()
    rows, told = directions(vectors, vectors.shape[1])
    if len(labels) != len(rows):
        raise InvalidInput(f"{len(rows)} texts came with {len(labels)} labels; one each is needed")
    rows = rows[told]
    names, classes = _numbered([x for x, t in zip(labels, told, strict=True) if t])
    n = len(names)
    held = dealt(classes, config.folds, config.seed) if folds is None else folds[told]
    strength, logits = _strongest(rows, classes, n, held, config)
    asked = held >= 0
    more: More | None = None
    reach, plain = 0.0, logits
    others = None if unlabelled is None else _some(unlabelled, rows.shape[1], config)
    if others is not None and len(others):
        found, far, taught = _self_taught(rows, classes, n, held, others, config)
        truth = classes[asked]
        if clearly_less(losses(taught[asked], truth), losses(logits[asked], truth)):
            more, reach, logits, strength = found, far, taught, _TAUGHT
    t = temperature(logits[asked], classes[asked])
    weights, bias = _fitted(rows, classes, n, strength, more)
    sure = np.full(len(rows), np.nan)
    sure[asked] = softmax(logits[asked] / t).max(axis=1)
    right = logits.argmax(axis=1) == classes
    learned = {
        "texts": len(rows),
        "strength": strength,
        "temperature": t,
        "accuracy": _right(logits[asked], classes[asked]),
        "accuracy_labels_alone": _right(plain[asked], classes[asked]),
        "calibration_error_before": calibration_error(
            softmax(logits[asked]).max(axis=1), right[asked]
        ),
        "calibration_error": calibration_error(
            sureness(logits[asked], classes[asked], config.folds, config.seed), right[asked]
        ),
        "unlabelled": 0 if more is None else len(more.classes),
        "reach": reach,
    }
    return ClassHead(
        encoder,
        names,
        Linear((weights / t).astype(np.float32), (bias / t).astype(np.float32)),
        familiarity(rows, held, sure, config),
        learned,
    )


def _numbered(labels: Sequence[str]) -> tuple[tuple[str, ...], Classes]:
    if wrong := [x for x in labels if not isinstance(x, str) or not x or x == UNKNOWN]:
        raise InvalidInput(
            f"expected labels that are words, other than {UNKNOWN!r}, which is what a head says "
            f"when it is not sure, got {wrong[0]!r}"
        )
    names, classes = np.unique(np.asarray(labels, dtype=str), return_inverse=True)
    if len(names) < 2:
        raise InvalidInput(
            f"expected texts of at least two labels in which there is something to read, got "
            f"{len(labels)} of {len(names)}"
        )
    return tuple(str(name) for name in names), classes.astype(np.int64)


def _fitted(
    rows: Floats, classes: Classes, n: int, strength: float, more: More | None
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    if more is None:
        return multinomial(rows, classes, n, strength)
    both = np.concatenate([rows, more.rows]), np.concatenate([classes, more.classes])
    return multinomial(*both, n, strength)


def _strongest(
    rows: Floats, classes: Classes, n: int, held: Classes, config: HeadConfig
) -> tuple[float, npt.NDArray[np.float64]]:
    """Return the strength with the least loss on held-out texts, and its logits there."""
    best: tuple[float, float, npt.NDArray[np.float64]] | None = None
    for strength in sorted(config.strengths):
        logits = np.full((len(rows), n), ABSENT)
        for fold in np.unique(held[held >= 0]):
            seen, asked = held != fold, held == fold
            if seen.any():
                weights, bias = multinomial(rows[seen], classes[seen], n, strength)
                logits[asked] = rows[asked] @ weights + bias
        loss = float(losses(logits[held >= 0], classes[held >= 0]).mean())
        # Of equals the one that trusts single texts least.
        if best is None or loss < best[0]:
            best = loss, strength, logits
    assert best is not None
    return best[1], best[2]


def _self_taught(
    rows: Floats, classes: Classes, n: int, held: Classes, others: Floats, config: HeadConfig
) -> tuple[More, float, npt.NDArray[np.float64]]:
    """Return the pseudo-labels with the least loss on held-out labels, and its logits there."""
    edges = graph(np.concatenate([rows, others]), config.neighbours)
    labelled, asked = np.arange(len(rows)), held >= 0
    best: tuple[float, float, float, npt.NDArray[np.float64]] | None = None
    for reach, share in SPREADS:
        logits = np.full((len(rows), n), ABSENT)
        for fold in np.unique(held[asked]):
            seen, out = held != fold, held == fold
            said = spread(edges, labelled[seen], classes[seen], n, reach)[len(rows) :]
            weights, bias = _fitted(
                rows[seen], classes[seen], n, _TAUGHT, _surest(said, others, share)
            )
            logits[out] = rows[out] @ weights + bias
        loss = float(losses(logits[asked], classes[asked]).mean())
        if best is None or loss < best[0]:
            best = loss, reach, share, logits
    assert best is not None
    _, reach, share, logits = best
    said = spread(edges, labelled, classes, n, reach)[len(rows) :]
    return _surest(said, others, share), reach, logits


def _surest(said: npt.NDArray[np.float64], others: Floats, share: float) -> More:
    sure = said.max(axis=1)
    kept = (sure >= np.quantile(sure, 1.0 - share)) & (sure > 0)
    return More(others[kept], said[kept].argmax(axis=1))


def _some(unlabelled: Floats, dimension: int, config: HeadConfig) -> Floats:
    others, told = directions(unlabelled, dimension)
    kept = np.flatnonzero(told)
    if len(kept) > _UNLABELLED:
        rng = np.random.default_rng(config.seed)
        kept = np.sort(rng.choice(kept, _UNLABELLED, replace=False))
    return others[kept]


def _right(logits: npt.NDArray[np.float64], classes: Classes) -> float:
    return float((logits.argmax(axis=1) == classes).mean()) if len(classes) else 0.0
