"""What accuracy does not see: how much of the catalogue is shown, how evenly, how new, how mixed.

`ranked` is int[r, k], item numbers with -1 behind the end of a list; `counts` int[n] is how often
each item of the catalogue occurs in training.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from penchant.measure.ranking import Figures

Ranked = npt.NDArray[np.integer]
Counts = npt.NDArray[np.integer]
COLD, TAIL, HEAD = 0, 1, 2


def popularity_class(counts: Counts, head: float = 0.2) -> npt.NDArray[np.int8]:
    """Return int8[n]: COLD (never seen in training), TAIL, or HEAD, the most popular `head` share.

    The border is the count of the item that closes the head; all items of that count are head.
    """
    counts = np.asarray(counts)
    seen = np.sort(counts[counts > 0])[::-1]
    out = np.full(len(counts), TAIL, dtype=np.int8)
    out[counts == 0] = COLD
    if len(seen):
        out[counts >= seen[max(0, int(len(seen) * head) - 1)]] = HEAD
    return out


def exposure(ranked: Ranked, n: int) -> npt.NDArray[np.int64]:
    """Return int64[n]: how often each item of the catalogue is shown."""
    shown = np.asarray(ranked).ravel()
    return np.bincount(shown[shown >= 0], minlength=n)


def coverage(ranked: Ranked, n: int) -> float:
    """Return the share of the catalogue of n items that is shown to anybody, 0 to 1."""
    return float((exposure(ranked, n) > 0).sum() / n) if n else 0.0


def tail_share(ranked: Ranked, counts: Counts, head: float = 0.2) -> Figures:
    """Return the share of each list that is not head: tail or cold; float64[r], NaN if empty."""
    outside = popularity_class(counts, head) != HEAD
    return _row_means(np.asarray(ranked), outside.astype(np.float64))


def gini(ranked: Ranked, n: int) -> float:
    """Return the Gini coefficient of exposure over the catalogue: 0 even, near 1 concentrated."""
    shown = np.sort(exposure(ranked, n)).astype(np.float64)
    if not len(shown) or not shown.sum():
        return 0.0
    place = np.arange(1, len(shown) + 1)
    return float(((2 * place - len(shown) - 1) * shown).sum() / (len(shown) * shown.sum()))


def novelty(ranked: Ranked, counts: Counts) -> Figures:
    """Return the mean surprise of each list in bits, float64[r], NaN where it is empty.

    -log2 p with p an item's share of training events after one pseudo-event for every item, so
    that a cold item is a finite surprise (Vargas and Castells, 2011).
    """
    smooth = np.asarray(counts, dtype=np.float64) + 1.0
    return _row_means(np.asarray(ranked), -np.log2(smooth / smooth.sum()))


def intra_list(ranked: Ranked, vectors: npt.NDArray[np.floating]) -> Figures:
    """Return the mean of 1 - cosine over the pairs of each list, float64[r].

    `vectors` float[n, d] by item number; items with a zero or non-finite vector are passed over,
    lists with fewer than two others are NaN.
    """
    ranked = np.asarray(ranked)
    norms = np.linalg.norm(vectors, axis=1)
    good = np.isfinite(norms) & (norms > 0)
    unit = np.zeros(vectors.shape, dtype=np.float32)
    unit[good] = vectors[good] / norms[good, None]
    there = (ranked >= 0) & good[np.maximum(ranked, 0)]
    out = np.full(len(ranked), np.nan)
    for low in range(0, len(ranked), 1024):  # bounded memory: one block of lists at a time
        rows = slice(low, low + 1024)
        block = unit[np.maximum(ranked[rows], 0)] * there[rows][:, :, None]
        m = there[rows].sum(axis=1)
        # The squared norm of a sum of unit vectors counts each pair twice and each vector once.
        pairs = (np.square(block.sum(axis=1)).sum(axis=1) - m) / np.maximum(m * (m - 1), 1)
        out[rows] = np.where(m > 1, 1.0 - pairs, np.nan)
    return out


def _row_means(ranked: Ranked, value: Figures) -> Figures:
    there = ranked >= 0
    m = there.sum(axis=1)
    sums = np.where(there, value[np.maximum(ranked, 0)] if len(value) else 0.0, 0.0).sum(axis=1)
    return np.where(m > 0, sums / np.maximum(m, 1), np.nan)
