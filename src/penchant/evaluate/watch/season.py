"""What to expect of the next hour: its place in the week, times how lively the week is.

The season is the share of each hour of the week, the mean over the past weeks without the highest
and the lowest, so that one bad day does not become the rule; the level is the median of what the
last seven days would make of a whole week. Both move with the log like the seasonal and the level
term of Holt and Winters (1960), and stand still for a single outlier.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

WEEKS = 8
HOURS = WEEKS * 168
DAYS = 3  # days without which nothing is expected
_SPARSE = 140.0  # events a week below which a median of days says little
_BLUR = 5.0  # events an hour below which neighbouring hours are asked too
Means = npt.NDArray[np.float64]


def expected(past: npt.NDArray[np.int64]) -> Means:
    """Return the mean expected of the hour after `past` int64[kinds, hours], float64[kinds].

    Two weeks and more are read by hour of the week, less by hour of the day; below three days
    nothing is expected (NaN).
    """
    kinds, hours = past.shape
    if hours >= 2 * 168:
        period = 168
    elif hours >= DAYS * 24:
        period = 24
    else:
        return np.full(kinds, np.nan)
    rounds = min(hours // period, WEEKS if period == 168 else 14)
    table = past[:, hours - rounds * period :].reshape(kinds, rounds, period).astype(np.float64)
    totals = table.sum(axis=2, keepdims=True)
    share = _middle(table / np.maximum(totals, 1.0))
    level = _level(past, share, totals[:, :, 0], period)
    mean = share * level[:, None]
    # Column 0 is the hour to come, and its neighbours in the round are the last and the next.
    blurred = (np.roll(mean, 1, axis=1) + 2.0 * mean + np.roll(mean, -1, axis=1)) / 4.0
    trust = mean[:, 0] / (mean[:, 0] + _BLUR)
    return np.asarray(trust * mean[:, 0] + (1.0 - trust) * blurred[:, 0], dtype=np.float64)


def _middle(shares: Means) -> Means:
    """Return the mean over rounds without the extremes, scaled so that a round adds up to one."""
    rounds = shares.shape[1]
    ordered = np.sort(shares, axis=1)
    cut = 1 if rounds >= 4 else 0
    middle = np.asarray(ordered[:, cut : rounds - cut].mean(axis=1))
    sums = middle.sum(axis=1, keepdims=True)
    return np.asarray(np.divide(middle, sums, out=np.zeros_like(middle), where=sums > 0))


def _level(past: npt.NDArray[np.int64], share: Means, totals: Means, period: int) -> Means:
    """Return what a whole round of each kind would hold if it went on like the last days."""
    kinds = len(past)
    days = min(7, past.shape[1] // 24)
    came = past[:, -24 * days :].reshape(kinds, days, 24).sum(axis=2)
    if period == 168:
        due = share.reshape(kinds, 7, 24).sum(axis=2)[:, -days:]
    else:
        due = np.ones((kinds, days))
    known = due > 0.02
    ratio = np.sort(np.where(known, came / np.where(known, due, 1.0), np.inf), axis=1)
    n = known.sum(axis=1)
    rows = np.arange(kinds)
    median = (
        ratio[rows, np.maximum(n - 1, 0) // 2] + ratio[rows, np.minimum(n // 2, days - 1)]
    ) / 2
    ordinary = totals[:, -4:].mean(axis=1)
    plain = (ordinary < _SPARSE * period / 168) | (n == 0)
    return np.asarray(np.where(plain, ordinary, median), dtype=np.float64)
