"""Learning to derive categories: multinomial logistic regression on text vectors.

Learned from items that somebody gave a category, read without it, and kept only where categories
that were held out are met often enough; how often is measured on items that neither the model nor
its bound has seen.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from penchant.interests.state import State
from penchant.language.categories import KNOWN, Categories, Derived
from penchant.learn.config import RankerConfig
from penchant.learn.scorer import ranker
from penchant.learn.scorer.choice import ABLATED, LATE, learnable
from penchant.learn.scorer.rows import Rows
from penchant.learn.view import View
from penchant.measure.intervals import paired
from penchant.rank.features import MATCH, category_shares
from penchant.store.artefacts import Artefacts
from penchant.types import Floats, Ids

LEAST_LABELLED = 20
LEAST_OF_ONE = 4  # items of a category below which it is not learned
LEAST_SAID = 10  # held-out items that must be said anything of
BAR = 0.8  # the share of what is said that has to be right
AIM = 0.85  # the share that the bound is set for: what comes later is met a little less often
FOLDS = 4
MOST = 20_000  # labelled items that are learned from
INVERSE_RIDGE = 10.0  # of 1, 10 and 30 the best on two catalogues


@dataclass(frozen=True)
class Learned:
    """What derives categories, None where nothing does well enough; and figures for the report.

    `precision` is the share that is right of what is said of held-out items, `share` of how many
    items anything is said.
    """

    model: Categories | None
    labelled: int
    named: int
    precision: float = 0.0
    share: float = 0.0

    def summary(self) -> dict[str, Any]:
        """Return plain JSON."""
        return {
            "labelled": self.labelled,
            "named": self.named,
            "precision": round(self.precision, 4),
            "share": round(self.share, 4),
        }


@dataclass(frozen=True)
class Derivation:
    """What a training derives: `known` int32[n] is the place of each item in the model's names.

    -1 where a category was given or none is certain. `gain` is what derived categories add to the
    ranker's NDCG@10 on the later requests, None where that was not measured.
    """

    learned: Learned
    missing: int
    known: Ids
    gain: float | None = None

    @property
    def model(self) -> Categories | None:
        """What derives them."""
        return self.learned.model

    def summary(self) -> dict[str, Any]:
        """Return plain JSON."""
        return {
            **self.learned.summary(),
            "missing": self.missing,
            "derived": int((self.known >= 0).sum()),
            "counted": self.model is not None and self.model.counts,
            "gain": None if self.gain is None else round(self.gain, 4),
        }

    def save(self, folder: Artefacts) -> None:
        """Write what serves into the folder of a snapshot; nothing where nothing is derived."""
        if self.model is not None:
            self.model.save(folder)
            folder.write_array(KNOWN, self.known)


def derive(view: View, raw: Floats, seed: int) -> Derivation | None:
    """Return what is derived for the items of a view without a category, None if none lacks one.

    `raw` float32[n, d] are their text vectors.
    """
    given = view.columns.category[: view.n_items]
    missing = (given < 0) & np.isfinite(raw[:, 0]) & ~view.columns.retired[: view.n_items]
    if view.bare is None or not missing.any() or (given < 0).all():
        return None
    learned = learn_categories(view.bare(), given, tuple(view.columns.categories), seed=seed)
    known: Ids = np.full(view.n_items, -1, dtype=np.int32)
    if learned.model is not None:
        known[missing] = learned.model(raw[missing])[0]
    return Derivation(learned, int(missing.sum()), known)


def counting(
    derivation: Derivation,
    view: View,
    rows: Rows,
    states: Sequence[State],
    config: RankerConfig,
    seed: int,
) -> Derivation:
    """Return the derivation with what it is worth as features, which `rows` then hold.

    Rows are changed only where a ranker that reads derived categories does not do worse on the
    later requests.
    """
    model = derivation.model
    if model is None or not (derivation.known >= 0).any():
        return derivation
    model = replace(model, counts=True)
    derived = Derived(view.columns, model, derivation.known)
    columns = [rows.names.index(name) for name in MATCH[:2]]
    told = np.empty((len(rows.items), 2), dtype=np.float32)
    for (begin, end), state in zip(rows.spans(), states, strict=True):
        told[begin:end] = category_shares(state, rows.items[begin:end], derived).T
    early, late = rows.split(LATE)
    if not learnable(early, late):
        return derivation
    before = late.ndcg(ranker.predict(ranker.fit(early, config, seed=seed, trees=ABLATED), late))
    given = rows.features[:, columns].copy()
    rows.features[:, columns] = told
    after = late.ndcg(ranker.predict(ranker.fit(early, config, seed=seed, trees=ABLATED), late))
    gain = paired(after, before, late.users).mean
    if gain < 0:
        rows.features[:, columns] = given
        return replace(derivation, gain=gain)
    learned = replace(derivation.learned, model=model)
    return replace(derivation, learned=learned, gain=gain)


def learn_categories(raw: Floats, given: Ids, names: tuple[str, ...], *, seed: int) -> Learned:
    """Return what was learned from rows of float32[n, d] whose category `given` int32[n] is >= 0.

    `raw` are vectors of texts without their category. Categories of fewer than `LEAST_OF_ONE` items
    are not learned; where one of them is held out, whatever is said of it counts as wrong.
    """
    rng = np.random.default_rng(seed)
    rows = np.flatnonzero((given >= 0) & np.isfinite(raw).all(axis=1))
    if len(rows) > MOST:
        rows = np.sort(rng.choice(rows, MOST, replace=False))
    x, y = raw[rows], given[rows]
    counts = np.bincount(y, minlength=len(names))
    named = int((counts >= LEAST_OF_ONE).sum())
    if len(rows) < LEAST_LABELLED or named < 2:
        return Learned(None, len(rows), named)
    fold = rng.permutation(len(rows)) % FOLDS
    right, p = np.zeros(len(rows), dtype=np.bool_), np.zeros(len(rows), dtype=np.float32)
    for one in range(FOLDS):
        held = fold == one
        model = _fitted(x[~held], y[~held], names, LEAST_OF_ONE - 1)
        if model is not None:
            place, p[held] = model.best(x[held])
            codes = np.array([names.index(name) for name in model.names])
            right[held] = codes[place] == y[held]
    said = np.zeros(len(rows), dtype=np.bool_)
    for one in range(FOLDS):
        held = fold == one
        said[held] = p[held] >= _least(right[~held], p[~held])
    precision = float(right[said].mean()) if said.any() else 0.0
    learned = Learned(None, len(rows), named, precision, float(said.mean()))
    least = _least(right, p)
    model = _fitted(x, y, names, LEAST_OF_ONE)
    if model is None or said.sum() < LEAST_SAID or precision < BAR or not np.isfinite(least):
        return learned
    model = Categories(model.names, model.matrix, model.bias, least)
    return Learned(model, len(rows), named, precision, float(said.mean()))


def _least(right: npt.NDArray[np.bool_], p: npt.NDArray[np.float32]) -> float:
    """Return the lowest p from which on a share `AIM` is right, infinity where there is none."""
    order = np.argsort(-p, kind="stable")
    precision = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    # Behind the last of equal p only: they are said or left unsaid together.
    last = np.append(p[order][1:] < p[order][:-1], True)
    enough = np.flatnonzero((precision >= AIM) & last & (np.arange(len(order)) + 1 >= LEAST_SAID))
    return float(p[order][enough[-1]]) if len(enough) else float("inf")


def _fitted(x: Floats, y: Ids, names: tuple[str, ...], least: int) -> Categories | None:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    counts = np.bincount(y, minlength=len(names))
    keep = counts[y] >= least
    if len(np.unique(y[keep])) < 2:
        return None
    model = LogisticRegression(C=INVERSE_RIDGE, max_iter=500)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(x[keep].astype(np.float64), y[keep])
    matrix, bias = model.coef_.T, model.intercept_
    if matrix.shape[1] == 1:  # of two categories only what tells the second from the first
        matrix = np.concatenate((np.zeros_like(matrix), matrix), axis=1)
        bias = np.array([0.0, bias[0]])
    return Categories(
        tuple(names[code] for code in model.classes_),
        matrix.astype(np.float32),
        bias.astype(np.float32),
        0.0,
    )
