"""Where items stand by who wanted them: the directions in which people's wishes differ most."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from sklearn.utils.extmath import randomized_svd

from penchant.learn.view import View
from penchant.types import Floats

DIMENSION = 64
LEAST = 3  # wishes for an item below which they tell nothing of what it is like


def wishes(view: View) -> sp.csr_matrix:
    """Return who wanted what, float32[n_users, n_items], 1 for each item that a person wanted."""
    wanted = view.wanted()
    ones = np.ones(len(wanted), dtype=np.float32)
    shape = (view.n_users, view.n_items)
    return sp.csr_matrix((ones, (wanted.users, wanted.items)), shape=shape)


def factors(wanted: sp.csr_matrix, seed: int = 0, dimension: int = DIMENSION) -> Floats:
    """Return unit vectors float32[n_items, d], rows of NaN for items that hardly anybody wanted.

    Of the matrix of wishes, each divided by the roots of how many its person and its item have
    (the normalised Laplacian of who wanted what), the singular vectors times their values.
    """
    of_person = np.asarray(wanted.sum(axis=1)).ravel()
    of_item = np.asarray(wanted.sum(axis=0)).ravel()
    out: Floats = np.full((wanted.shape[1], dimension), np.nan, dtype=np.float32)
    dimension = min(dimension, min(wanted.shape) - 1)
    if dimension < 1 or not wanted.nnz:
        return out
    left = sp.diags_array(1.0 / np.sqrt(np.maximum(of_person, 1.0)))
    right = sp.diags_array(1.0 / np.sqrt(np.maximum(of_item, 1.0)))
    _, values, rows = randomized_svd(left @ wanted @ right, dimension, random_state=seed)
    placed = (rows.T * values).astype(np.float32)
    length = np.linalg.norm(placed, axis=1, keepdims=True)
    known = (of_item >= LEAST) & (length[:, 0] > 1e-9)
    out[known, :] = 0.0
    out[known, :dimension] = placed[known] / length[known]
    return out
