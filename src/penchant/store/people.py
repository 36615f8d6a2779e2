"""The contract of people and prior knowledge: numbers for user ids, attributes, links, merging."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt
import polars as pl


class People(Protocol):
    """Everybody who ever did anything, and the links between them, items, groups and values."""

    def upsert(self, users: pl.DataFrame) -> dict[str, int]: ...
    def numbers(self, user_ids: Sequence[str]) -> npt.NDArray[np.int32]: ...
    def get(self, numbers: Sequence[int]) -> pl.DataFrame: ...
    def merge(self, visitor: int, into: int) -> int: ...
    def add_links(self, links: pl.DataFrame) -> dict[str, int]: ...
    def links(self) -> pl.DataFrame: ...
