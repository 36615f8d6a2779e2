"""Examination: how much of a slate is looked at, place by place, told by the counts themselves.

The position-based model says P(answer) = attraction of the item * examination of the place
(Richardson, Dominowska and Ragno, 2007). Items that stood in several places tell the two apart: the
likelihood of counts under it, taken as Poisson, is that of a log-linear model, and alternating the
two sides (iterative proportional fitting; Deming and Stephan, 1940) climbs to its maximum.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from penchant.types import Floats

PLACES = np.array([0, 1, 2, 3, 5, 10, 20, 50])  # the first place of each group of places
GROUPS = len(PLACES)
STEPS = 20
# Better items stand higher, for each person others, so that a part of the decline is no lack of
# looking; and what is lost by too little correction is less than by too much. Half of it, in logs.
BELIEVED = 0.5
_PRIOR = 20.0  # expected answers of a group of places, as if it were looked at like the first

Counts = npt.NDArray[np.floating]


def group(places: npt.NDArray[np.integer]) -> npt.NDArray[np.intp]:
    """Return the group of each place, 0 the first place of a slate."""
    return np.searchsorted(PLACES, places, side="right") - 1


def examination(exposures: Counts, answers: Counts) -> Floats:
    """Return float32[GROUPS]: the chance to be looked at, that of the first place being 1.

    `exposures` and `answers` are [n, GROUPS], a row for each item. Few answers say little: then it
    is near 1 everywhere.
    """
    shown = exposures.sum(axis=1) > 0
    exposed, answered = exposures[shown].astype(np.float64), answers[shown].astype(np.float64)
    seen = np.ones(GROUPS)
    total = answered.sum()
    if total <= 0:
        return seen.astype(np.float32)
    of_item, of_place = answered.sum(axis=1), answered.sum(axis=0)
    for _ in range(STEPS):
        expected = exposed @ seen
        mean = total / expected.sum()
        # One answer as the mean item would have had it: an item shown once has no rate of its own.
        attraction = (of_item + 1.0) / (expected + 1.0 / mean)
        seen = (of_place + _PRIOR) / (attraction @ exposed + _PRIOR)
        seen /= seen[0]
    return (np.clip(seen, 0.01, 10.0) ** BELIEVED).astype(np.float32)
