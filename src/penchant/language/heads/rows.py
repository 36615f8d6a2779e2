"""Rows as heads read them: directions, and which of them say anything."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from penchant.types import Floats, InvalidInput, Mask


def directions(vectors: npt.NDArray[Any], dimension: int) -> tuple[Floats, Mask]:
    """Return unit rows float32[n, dimension] and which say anything, bool[n].

    Rows of zeros, and rows that are not finite, become zeros.
    """
    found = np.asarray(vectors)
    if found.ndim != 2 or found.shape[1] != dimension:
        raise InvalidInput(
            f"expected vectors of shape (n, {dimension}), got {found.shape}: a head reads the "
            "encoder that it was learned on"
        )
    rows = np.where(np.isfinite(found).all(axis=1, keepdims=True), found, 0).astype(np.float64)
    # By the largest component first: squares of huge or tiny values leave the range of floats.
    largest = np.abs(rows).max(axis=1, keepdims=True, initial=0.0)
    rows /= np.where(largest > 0, largest, 1.0)
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    rows /= np.where(norms > 0, norms, 1.0)
    return rows.astype(np.float32), norms[:, 0] > 0


def pairs(vectors: npt.NDArray[Any], dimension: int) -> tuple[Floats, Mask]:
    """Return the two halves of each row as `directions`, side by side, and where both say anything.

    `dimension` is that of the whole row, float32[n, dimension].
    """
    found = np.asarray(vectors)
    if found.ndim != 2 or found.shape[1] != dimension or dimension % 2:
        raise InvalidInput(
            f"expected pairs of vectors side by side, of shape (n, {dimension}), got {found.shape}"
        )
    halves, told = directions(found.reshape(-1, dimension // 2), dimension // 2)
    both: Mask = np.asarray(told.reshape(-1, 2).all(axis=1))
    return halves.reshape(-1, dimension), both


def compared(rows: Floats) -> Floats:
    """Return by what pairs float32[n, d] are judged, float32[n, d + 1].

    The cosine, the products component by component, and the distances component by component, the
    latter two scaled so that a component counts like the cosine.
    """
    query, text = np.split(rows, 2, axis=1)
    products = query * text
    scale = np.float32(np.sqrt(query.shape[1]))
    cosine = products.sum(axis=1, keepdims=True)
    return np.hstack([cosine, products * scale, np.abs(query - text)]).astype(np.float32)
