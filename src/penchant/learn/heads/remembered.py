"""Familiarity learned: which texts are remembered, and from which score a text is known."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from penchant.language.heads.familiarity import Familiarity
from penchant.learn.heads.config import HeadConfig
from penchant.types import Floats


def familiarity(
    rows: Floats,
    folds: npt.NDArray[np.int64],
    sure: npt.NDArray[np.float64] | None,
    config: HeadConfig,
) -> Familiarity:
    """Return what tells known from unknown, of unit rows float32[n, d] and their folds int64[n].

    `sure` float64[n] is the held-out probability of the likeliest label, if there are labels. A
    text of fold f is compared with those of other folds, as a new one would be. Fold -1 is only
    remembered, never asked.
    """
    score = np.full(len(rows), np.nan)
    for fold in np.unique(folds[folds >= 0]):
        asked = folds == fold
        others = Familiarity(rows[~asked], 0.0)
        score[asked] = others.score(rows[asked], None if sure is None else sure[asked])
    score = score[np.isfinite(score)]
    least = float(np.quantile(score, 1.0 - config.kept)) if len(score) else -np.inf
    kept = np.arange(len(rows))
    if len(kept) > config.remembered:
        rng = np.random.default_rng(config.seed)
        kept = np.sort(rng.choice(kept, config.remembered, replace=False))
    return Familiarity(rows[kept], max(least, -1e9))
