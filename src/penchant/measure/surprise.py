"""How surprising a figure is: tails of counts, and distances between two samples.

Counts of what people do vary more than a Poisson law says: days differ, one visit brings several
events. The negative binomial law has a second number for that, here `spread`: the variance of a
count with mean m is m + spread * m². With spread 0 it is the Poisson law.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

_BLOCK = 1024
Values = npt.NDArray[np.float64]


def above(count: float, mean: float, spread: float = 0.0) -> float:
    """Return log10 of the probability of at least `count`; 0.0 where it is not above the mean."""
    if count <= mean or count <= 0:
        return 0.0
    return _tail(math.ceil(count), mean, spread, up=True)


def below(count: float, mean: float, spread: float = 0.0) -> float:
    """Return log10 of the probability of at most `count`; 0.0 where it is not below the mean."""
    if count >= mean:
        return 0.0
    return _tail(math.floor(max(0.0, count)), mean, spread, up=False)


def _tail(k: int, mean: float, spread: float, *, up: bool) -> float:
    if mean <= 0:
        return -300.0 if up else 0.0
    poisson = spread < 1e-7  # beyond that, differences of two large lgamma are noise
    shape = math.inf if poisson else 1.0 / spread
    if poisson:
        first = k * math.log(mean) - mean - math.lgamma(k + 1)
        share = mean
    else:
        share = mean / (mean + shape)
        first = math.lgamma(k + shape) - math.lgamma(shape) - math.lgamma(k + 1)
        first += -shape * math.log1p(mean / shape) + k * math.log(share)
    total, last = 1.0, 0.0
    while True:
        # The terms of the tail, each by its ratio to the one before.
        if up:
            j = np.arange(k, k + _BLOCK, dtype=np.float64)
            ratio = share / (j + 1) if poisson else share * (j + shape) / (j + 1)
            k += _BLOCK
        else:
            j = np.arange(k, max(0, k - _BLOCK), -1, dtype=np.float64)
            ratio = j / share if poisson else j / (share * (j - 1 + shape))
            k -= _BLOCK
        terms = np.exp(last + np.cumsum(np.log(ratio)))
        total += float(terms.sum())
        if not len(terms) or terms[-1] < 1e-9 * total or (not up and k <= 0):
            return (first + math.log(total)) / math.log(10.0)
        last = math.log(terms[-1])


def spread_of(counts: Values, means: Values, share: float = 0.98, z: float = 2.33) -> float:
    """Return the spread under which the given share of counts lies within z deviations.

    A quantile instead of the moments, so that what went wrong in the past (at most 1 - `share` of
    it) does not make us deaf, and the days that are merely lively do.
    """
    known = means > 0
    m = means[known]
    if not len(m):
        return 0.0
    needed = ((counts[known] - m) ** 2 / z**2 - m) / m**2
    return max(0.0, float(np.quantile(needed, share)))


def kolmogorov(a: Values, b: Values) -> tuple[float, float]:
    """Return the largest distance between two distributions and log10 of its probability.

    The two-sample Kolmogorov-Smirnov test with its asymptotic bound, 2 exp(-2 D² nm / (n + m)).
    """
    if not len(a) or not len(b):
        return 0.0, 0.0
    both = np.sort(np.concatenate((a, b)))
    one = np.searchsorted(np.sort(a), both, side="right") / len(a)
    two = np.searchsorted(np.sort(b), both, side="right") / len(b)
    distance = float(np.abs(one - two).max())
    size = len(a) * len(b) / (len(a) + len(b))
    return distance, min(0.0, (math.log(2.0) - 2.0 * size * distance**2) / math.log(10.0))


def stability(new: Values, old: Values, bins: int = 10) -> float:
    """Return the population stability index over the tenths of `old`; above 0.25 is a shift.

    The sum of (p - q) log(p / q), half a sample added to each bin so that none is empty.
    """
    if not len(new) or not len(old):
        return 0.0
    edges = np.unique(np.quantile(old, np.linspace(0, 1, bins + 1)[1:-1]))
    p, q = (
        np.bincount(np.searchsorted(edges, x, side="right"), minlength=len(edges) + 1) + 0.5
        for x in (new, old)
    )
    p, q = p / p.sum(), q / q.sum()
    return float(((p - q) * np.log(p / q)).sum())


def apart(a: npt.NDArray[np.floating], b: npt.NDArray[np.floating]) -> float:
    """Return the mean Euclidean distance of rows of `a` from rows of `b`, float[n, d], float[m, d].

    Of a sample with itself (the same array), pairs of a row with itself are left out.
    """
    square = (a * a).sum(1)[:, None] + (b * b).sum(1)[None, :] - 2.0 * (a @ b.T)
    distance = np.sqrt(np.maximum(square, 0.0))
    if a is not b:
        return float(distance.mean())
    np.fill_diagonal(distance, 0.0)
    return float(distance.sum()) / max(1, len(a) * (len(a) - 1))


def energy(a: npt.NDArray[np.floating], b: npt.NDArray[np.floating]) -> float:
    """Return the energy distance of two samples of vectors, 2 E|A-B| - E|A-A'| - E|B-B'|.

    0 on average where both come from one distribution (Székely and Rizzo, 2013).
    """
    return 2.0 * apart(a, b) - apart(a, a) - apart(b, b)
