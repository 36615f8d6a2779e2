"""Self-training: labels spread from the few labelled texts to those that nobody labelled.

Each text hands its label on to its nearest neighbours, who hand it on in turn (local and global
consistency; Zhou et al. 2004), and each class is given the mass that it has among the labelled
ones (Zhu et al. 2003). Compared with pseudo-labels above a confidence, it gains more than twice as
much at five labels a class (`benchmarks/heads.py few`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from penchant.types import Floats

_BLOCK = 512
_WIDTH = 0.1
_ROUNDS = 30


def graph(rows: Floats, neighbours: int) -> Any:
    """Return the symmetric, normalised graph of the nearest neighbours of unit rows, sparse[n, n].

    An edge weighs exp((cosine - 1) / 0.1).
    """
    n = len(rows)
    k = min(neighbours, n - 1)
    near = np.empty((n, k), np.int64)
    weight = np.empty((n, k), np.float64)
    for start in range(0, n, _BLOCK):
        part = np.arange(start, min(n, start + _BLOCK))
        cosine = rows[part] @ rows.T
        cosine[np.arange(len(part)), part] = -2.0
        near[part] = np.argpartition(-cosine, k - 1, axis=1)[:, :k]
        weight[part] = np.take_along_axis(cosine, near[part], axis=1)
    weight = np.exp((weight - 1.0) / _WIDTH)
    edges = sparse.csr_matrix(
        (weight.ravel(), (np.repeat(np.arange(n), k), near.ravel())), shape=(n, n)
    )
    edges = edges.maximum(edges.T)
    degree = np.maximum(np.asarray(edges.sum(axis=1)).ravel(), 1e-12) ** -0.5
    return (sparse.diags(degree) @ edges @ sparse.diags(degree)).tocsr()


def spread(
    edges: Any,
    labelled: npt.NDArray[np.int64],
    classes: npt.NDArray[np.int64],
    n: int,
    reach: float,
) -> npt.NDArray[np.float64]:
    """Return the class probabilities of every row of the graph, float64[rows, n].

    `classes` int64 are those of the rows `labelled`. `reach`, below 1, is how far labels go. A row
    that no label reaches has zeros.
    """
    first = np.zeros((edges.shape[0], n))
    first[labelled, classes] = 1.0
    mass = first.copy()
    for _ in range(_ROUNDS):
        mass = reach * (edges @ mass) + (1.0 - reach) * first
    share = np.bincount(classes, minlength=n) / len(classes)
    mass *= share / np.maximum(mass.sum(axis=0), 1e-12)
    total = mass.sum(axis=1, keepdims=True)
    return np.asarray(np.where(total > 0, mass / np.maximum(total, 1e-300), 0.0))
