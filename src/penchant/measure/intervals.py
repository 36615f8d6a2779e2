"""How sure a figure is: intervals by drawing users again, for one system and between two.

Requests of one user depend on each other, so whole users are drawn, not requests (the cluster
bootstrap; Field and Welsh, 2007).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from penchant.types import InvalidInput


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean over requests and the bounds of its interval; `n` requests of `users` users."""

    mean: float
    low: float
    high: float
    n: int
    users: int

    def __str__(self) -> str:
        return f"{self.mean:.4f} [{self.low:.4f}, {self.high:.4f}]"


@dataclass(frozen=True, slots=True)
class Difference:
    """Mean of `a - b` on the same requests, its interval, and the share of draws that a wins."""

    mean: float
    low: float
    high: float
    wins: float

    @property
    def certain(self) -> bool:
        """Whether the interval leaves out zero."""
        return self.low > 0 or self.high < 0


def bootstrap(
    values: npt.ArrayLike,
    users: npt.ArrayLike,
    draws: int = 400,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Return the mean of `values` float[r] and its interval over redrawn `users` int[r].

    Requests whose value is NaN are left out. The interval holds the percentiles of the draws.
    """
    v, u = _clean(np.asarray(values, dtype=np.float64), users)
    if not len(v):
        return Interval(float("nan"), float("nan"), float("nan"), 0, 0)
    means, people = _redrawn(v, u, draws, seed)
    low, high = np.percentile(means, _bounds(level))
    return Interval(float(v.mean()), float(low), float(high), len(v), people)


def paired(
    a: npt.ArrayLike,
    b: npt.ArrayLike,
    users: npt.ArrayLike,
    draws: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> Difference:
    """Return how much system `a` is above `b` on the same requests, float[r] each.

    Drawing the same users for both removes what makes a user easy or hard, so that differences
    far smaller than either system's own interval become visible.
    """
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if first.shape != second.shape:
        raise InvalidInput(
            f"two systems are compared on the same requests, got {len(first)} and {len(second)}"
        )
    d, u = _clean(first - second, users)
    if not len(d):
        return Difference(float("nan"), float("nan"), float("nan"), float("nan"))
    means, _ = _redrawn(d, u, draws, seed)
    low, high = np.percentile(means, _bounds(level))
    wins = float((means > 0).mean() + 0.5 * (means == 0).mean())
    return Difference(float(d.mean()), float(low), float(high), wins)


def _clean(
    values: npt.NDArray[np.float64], users: npt.ArrayLike
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    u = np.asarray(users)
    if len(values) != len(u):
        raise InvalidInput(f"{len(values)} values came with {len(u)} users; one each is needed")
    known = np.isfinite(values)
    return values[known], u[known]


def _bounds(level: float) -> list[float]:
    if not 0.0 < level < 1.0:
        raise InvalidInput(f"a level lies between 0 and 1, got {level}")
    return [50.0 * (1.0 - level), 50.0 * (1.0 + level)]


def _redrawn(
    values: npt.NDArray[np.float64], users: npt.NDArray[np.int64], draws: int, seed: int
) -> tuple[npt.NDArray[np.float64], int]:
    # Users are numbered by first appearance, so that a seed means the same draw whatever their ids.
    _, first, inverse = np.unique(users, return_index=True, return_inverse=True)
    number = np.argsort(np.argsort(first))[inverse]
    sums = np.bincount(number, weights=values)
    sizes = np.bincount(number)
    rng = np.random.default_rng(seed)
    means = np.empty(draws)
    for n in range(draws):
        drawn = rng.integers(0, len(sums), len(sums))
        means[n] = sums[drawn].sum() / sizes[drawn].sum()
    return means, len(sums)
