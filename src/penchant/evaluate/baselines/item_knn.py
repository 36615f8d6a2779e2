"""ItemKNN: items that the same people had (Sarwar et al., 2001)."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from penchant.evaluate.baselines.item_to_item import ItemToItem

BLOCK = 1024  # columns made dense at a time


class ItemKNN(ItemToItem):
    """Cosine of who had it, `shrink` added below the line, the `neighbours` nearest kept.

    Takes 8 bytes for each neighbour of each item.
    """

    name = "ItemKNN"

    def __init__(self, neighbours: int = 100, shrink: float = 20.0) -> None:
        self.neighbours = neighbours
        self.shrink = shrink

    def weights(self, x: Any) -> Any:
        """Return csr float32[n, n]: the cosine of items, zero but for each item's nearest."""
        together, n = (x.T @ x).tocsc(), x.shape[1]
        norm = np.sqrt(together.diagonal())
        blocks = []
        for low in range(0, n, BLOCK):
            columns = np.arange(low, min(n, low + BLOCK))
            cosine = together[:, columns].toarray()
            cosine[columns, columns - low] = 0.0
            cosine /= np.outer(norm, norm[columns]) + self.shrink
            if self.neighbours < n:
                # The nearest of the item that is scored: popular items get no longer lists.
                place = n - self.neighbours
                cosine[cosine < np.partition(cosine, place, axis=0)[place]] = 0.0
            blocks.append(sparse.csc_matrix(cosine.astype(np.float32)))
        return sparse.hstack(blocks, format="csr")
