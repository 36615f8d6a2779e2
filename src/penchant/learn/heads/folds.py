"""Folds: every text is answered once by a model that has not seen it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt


def dealt(groups: npt.ArrayLike, k: int, seed: int) -> npt.NDArray[np.int64]:
    """Return the fold of each row, int64[n] of 0 to k - 1: members of a group are dealt out evenly.

    A group with fewer members than folds is absent from some, which is no error.
    """
    which = np.unique(np.asarray(groups), return_inverse=True)[1].ravel()
    order = np.random.default_rng(seed).permutation(len(which))
    order = order[np.argsort(which[order], kind="stable")]
    folds = np.empty(len(which), np.int64)
    folds[order] = np.arange(len(which)) % k
    return folds


def together(keys: Sequence[Any], k: int, seed: int) -> npt.NDArray[np.int64]:
    """Return the fold of each row, int64[n]: rows of one key are in one fold."""
    numbers = {key: n for n, key in enumerate(dict.fromkeys(keys))}
    of_key = np.random.default_rng(seed).permutation(len(numbers)) % k
    return of_key[[numbers[key] for key in keys]]
