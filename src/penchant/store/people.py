"""The contract of people and prior knowledge: numbers for user ids, attributes, links, merging."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt
import polars as pl


class People(Protocol):
    """Everybody who ever did anything, and the links between them, items, groups and values."""

    def upsert(self, users: pl.DataFrame) -> dict[str, int]:
        """Return how many people were new, changed and same."""

    def numbers(self, user_ids: Sequence[str]) -> npt.NDArray[np.int32]:
        """Return the number of each person, -1 for somebody never seen, or forgotten."""

    def get(self, numbers: Sequence[int]) -> pl.DataFrame:
        """Return number, user_id (null once forgotten) and attributes, in the order asked for."""

    def merge(self, visitor: int, into: int) -> int:
        """Return how many events moved from `visitor`, whose id is dropped, to `into`."""

    def add_links(self, links: pl.DataFrame) -> dict[str, int]:
        """Return how many links were new, changed and same."""

    def scan_links(self) -> Iterator[Sequence[tuple[str, str, str, float]]]:
        """Yield all links (head, relation, tail, weight) in parts, in the order they were added."""
