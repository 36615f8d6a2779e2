"""Tastes that a new person may have: people of the log, smoothed by those who are like them."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from penchant.interests.elicitation import Elicitation
from penchant.types import Floats

ITEMS = 200  # that are asked about: the best known
PEOPLE, CROWD = 300, 20_000  # who stand for tastes, and those who are looked at for them
LEAST = 3  # wishes of somebody who says anything of a taste
LIKE = 4.0  # how much nearer people count: exp(4 cosine)


def tastes(wanted: sp.csr_matrix, placed: Floats, seed: int = 0) -> Elicitation | None:
    """Return what people of the log would say of the best known items; None for too few people.

    `wanted` float32[n_users, n_items] is who wanted what, `placed` float32[n_items, d] where items
    stand by it (`factors`). A taste's probability of a yes is the share of those who wanted the
    item among all, each counting by how near they stand to that person.
    """
    people = np.flatnonzero(np.diff(wanted.indptr) >= LEAST)
    known = np.asarray(wanted.sum(axis=0)).ravel()
    items = np.argsort(-known, kind="stable")[:ITEMS]
    items = items[known[items] >= LEAST]
    if len(people) < LEAST or not len(items):
        return None
    rng = np.random.default_rng(seed)
    if len(people) > CROWD:
        people = np.sort(rng.choice(people, CROWD, replace=False))
    rows = wanted[people]
    stand = rows @ np.nan_to_num(placed)
    stand /= np.maximum(np.linalg.norm(stand, axis=1, keepdims=True), 1e-9)
    chosen = np.sort(rng.permutation(len(people))[:PEOPLE])
    near = np.exp(LIKE * (stand[chosen] @ stand.T - 1.0))
    near /= near.sum(axis=1, keepdims=True)
    likely = near @ np.asarray(rows[:, items].todense())
    return Elicitation(items.astype(np.int32), likely.astype(np.float32))
