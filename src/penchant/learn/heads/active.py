"""What to label next: texts whose labels will teach most, of those that nobody labelled yet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from penchant.language.heads.rows import directions
from penchant.learn.heads.logistic import multinomial
from penchant.types import Floats, InvalidInput

Way = Literal["mixed", "typical", "unsure", "random"]
Places = npt.NDArray[np.int64]
_STRENGTH = 10.0
_NEAR = 20
_OF_UNSURE = 5
_FEW = 8  # labels a class, below which margins say little


def choose(
    vectors: Floats,
    labelled: Sequence[int] | Places,
    labels: Sequence[str],
    n: int,
    *,
    way: Way = "mixed",
    seed: int = 0,
) -> Places:
    """Return the places in `vectors` float32[m, d] of `n` texts to label next, int64[n].

    `labelled` are the places that have labels already, `labels` those labels. "typical" takes the
    densest text of each cluster that has no label (Hacohen et al. 2022), "unsure" those with the
    smallest margin between the two likeliest labels, "mixed" clusters the unsure and takes one of
    each (margin by clusters; Citovsky et al. 2021), and starts typical where there are few labels.
    Texts that say nothing are never chosen; fewer than `n` come back where no more are left.
    """
    if way not in get_args(Way):
        raise InvalidInput(f"way is one of {get_args(Way)}, got {way!r}")
    rows, told = directions(vectors, vectors.shape[1])
    have = np.asarray(labelled, dtype=np.int64)
    if len(have) != len(labels) or n < 1:
        raise InvalidInput(
            f"expected a label for each of {len(have)} places and n of 1 or more, got "
            f"{len(labels)} labels and n {n}"
        )
    free = told.copy()
    free[have] = False
    left = np.flatnonzero(free)
    # Another round with the same seed must not draw the neighbours of what was drawn.
    rng = np.random.default_rng([seed, len(have)])
    if len(left) <= n:
        return left
    if way == "random":
        return np.sort(rng.choice(left, n, replace=False))
    few = len(set(labels)) < 2 or (way == "mixed" and len(have) < _FEW * len(set(labels)))
    if way == "typical" or few:
        return _typical(rows, have, left, n, rng)
    margin = _margins(rows, have, labels, left)
    if way == "unsure":
        return np.sort(left[np.argsort(margin, kind="stable")[:n]])
    pool = np.argsort(margin, kind="stable")[: min(len(left), _OF_UNSURE * n)]
    return np.sort(_one_of_each(rows, left[pool], n, margin[pool], rng))


def _typical(rows: Floats, have: Places, left: Places, n: int, rng: np.random.Generator) -> Places:
    everything = np.sort(np.concatenate([have, left]))
    groups = min(len(have) + n, len(everything))
    cluster = np.full(len(rows), -1)
    cluster[everything] = _clusters(rows[everything], groups, rng)
    covered = np.bincount(cluster[have], minlength=groups)
    size = np.bincount(cluster[everything], minlength=groups)
    taken: list[int] = []
    # Clusters without a label first, of these the largest.
    for group in np.lexsort((-size, covered)).tolist():
        members = left[cluster[left] == group]
        if not len(members):
            continue
        near = np.sort(rows[members] @ rows[everything[cluster[everything] == group]].T, axis=1)
        taken.append(int(members[int(np.argmax(near[:, -_NEAR:].mean(axis=1)))]))
        if len(taken) == n:
            break
    rest = np.setdiff1d(left, taken)
    fill = rng.choice(rest, n - len(taken), replace=False)
    return np.sort(np.concatenate([np.array(taken, np.int64), fill]))


def _margins(
    rows: Floats, have: Places, labels: Sequence[str], left: Places
) -> npt.NDArray[np.float64]:
    names, classes = np.unique(np.asarray(labels, dtype=str), return_inverse=True)
    weights, bias = multinomial(rows[have], classes.ravel(), len(names), _STRENGTH)
    logits = np.sort(rows[left] @ weights + bias, axis=1)
    return np.asarray(logits[:, -1] - logits[:, -2])


def _one_of_each(
    rows: Floats, pool: Places, n: int, margin: npt.NDArray[np.float64], rng: np.random.Generator
) -> Places:
    cluster = _clusters(rows[pool], n, rng)
    taken = [
        int(pool[own[int(np.argmin(margin[own]))]])
        for group in range(n)
        if len(own := np.flatnonzero(cluster == group))
    ]
    rest = pool[np.isin(pool, taken, invert=True)][: n - len(taken)]
    return np.concatenate([np.array(taken, np.int64), rest])


def _clusters(rows: Floats, k: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    from sklearn.cluster import KMeans

    model = KMeans(k, n_init=1, max_iter=30, random_state=int(rng.integers(2**31)))
    return np.asarray(model.fit_predict(rows), dtype=np.int64)
