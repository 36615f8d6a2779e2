"""EASE: the linear item-to-item matrix in closed form (Steck, 2019)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from penchant.evaluate.baselines.item_to_item import ItemToItem


class Ease(ItemToItem):
    """Least squares from a person's items to each item, never from itself, ridge `penalty`.

    B = I - P / diag(P) with P = inverse of (X'X + penalty I), equation 8 of the paper. Takes
    4 n^2 bytes and n^3 time: meant for up to about 20,000 items.
    """

    name = "EASE"

    def __init__(self, penalty: float = 200.0) -> None:
        self.penalty = penalty

    def weights(self, x: Any) -> npt.NDArray[np.float32]:
        """Return B float32[n, n] with a zero diagonal."""
        gram = (x.T @ x).toarray().astype(np.float64)
        gram[np.diag_indices_from(gram)] += self.penalty
        inverse = np.linalg.inv(gram)
        b = -inverse / np.diag(inverse)
        np.fill_diagonal(b, 0.0)
        weights: npt.NDArray[np.float32] = b.astype(np.float32)
        return weights
