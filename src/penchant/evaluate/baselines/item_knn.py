"""ItemKNN: items that the same people had (Sarwar et al., 2001)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from penchant.evaluate.baselines.item_to_item import ItemToItem


class ItemKNN(ItemToItem):
    """Cosine of who had it, `shrink` added below the line, the `neighbours` nearest kept."""

    name = "ItemKNN"

    def __init__(self, neighbours: int = 100, shrink: float = 20.0) -> None:
        self.neighbours = neighbours
        self.shrink = shrink

    def weights(self, x: Any) -> npt.NDArray[np.float32]:
        """Return the cosine of items, zero but for each item's nearest."""
        together = (x.T @ x).toarray().astype(np.float32)
        norm = np.sqrt(together.diagonal())
        np.fill_diagonal(together, 0.0)
        cosine = together / (np.outer(norm, norm) + self.shrink)
        n = len(cosine)
        if self.neighbours < n:
            # The nearest of the item that is scored, so that popular items keep no longer lists.
            border = np.partition(cosine, n - self.neighbours, axis=0)[n - self.neighbours]
            cosine[cosine < border] = 0.0
        kept: npt.NDArray[np.float32] = cosine.astype(np.float32)
        return kept
