"""Whether probabilities mean what they say: what is said with 0.8 should be right 8 times of 10."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def calibration_error(probability: npt.ArrayLike, right: npt.ArrayLike, bins: int = 15) -> float:
    """Return the expected calibration error, 0 to 1: float[n] said, bool[n] came true.

    The mean distance between what was said and how often it was right, over `bins` of equal width,
    weighted by how many fall into each (Naeini et al. 2015; Guo et al. 2017).
    """
    said = np.asarray(probability, dtype=np.float64)
    came = np.asarray(right, dtype=np.float64)
    if not len(said):
        return float("nan")
    place = np.minimum((said * bins).astype(np.int64), bins - 1)
    off = np.bincount(place, weights=said - came, minlength=bins)
    return float(np.abs(off).sum() / len(said))


def separation(known: npt.ArrayLike, score: npt.ArrayLike) -> float:
    """Return the AUROC of `score` float[n] for `known` bool[n]; ties count half, NaN for one side.

    The probability that a known one scores above an unknown one (Mann and Whitney, 1947).
    """
    yes = np.asarray(known, dtype=np.bool_)
    values = np.asarray(score, dtype=np.float64)
    n, m = int(yes.sum()), int((~yes).sum())
    if not n or not m:
        return float("nan")
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2.0
    return float((ranks[place][yes].sum() - n * (n + 1) / 2.0) / (n * m))
