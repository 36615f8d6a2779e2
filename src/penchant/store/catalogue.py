"""The contract of the catalogue: items by number, never renumbered, changes readable in order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt
import polars as pl


class Catalogue(Protocol):
    """Every item ever named. An item's number is its row, the same in every process and snapshot.

    An event may name an item before the catalogue does: the row then exists without text
    (`described` false), and stays recommendable by behaviour.
    """

    def upsert(self, items: pl.DataFrame) -> dict[str, int]:
        """Return how many items were new, changed and same."""

    def remove(self, item_ids: Sequence[str]) -> int:
        """Return how many items were taken out of the catalogue; their numbers stay."""

    def numbers(self, item_ids: Sequence[str]) -> npt.NDArray[np.int32]:
        """Return the number of each item, -1 for one that nobody ever named."""

    def get(self, numbers: Sequence[int]) -> pl.DataFrame:
        """Return the items with these numbers, in this order."""

    def changed(self, after: int, to: int | None = None) -> tuple[pl.DataFrame, int]:
        """Return the items that changed after change `after`, in order, and the last change."""
