"""Filtering: which items a `where` lets through, over columns kept from one request to the next."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

import numpy as np
import polars as pl

from penchant.ingest.attributes import spread
from penchant.ingest.where import compile_where
from penchant.store.columns import ItemColumns
from penchant.types import Mask


class Filtering:
    """Masks of conditions. A column is made when first asked for, and again when items changed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made: tuple[ItemColumns | None, int, int] = (None, 0, 0)
        self._columns: dict[str, pl.Series] = {}

    def mask(self, where: str, columns: ItemColumns, n: int) -> Mask:
        """Return bool[n]: which of the first `n` items match; InvalidWhere for what is none."""
        condition = compile_where(where)
        with self._lock:
            made = (columns, columns.version, n)
            if self._made != made:
                self._made, self._columns = made, {}
            known = self._columns
            for name in condition.names & OWN.keys() - known.keys():
                known[name] = OWN[name](columns, n)
            if condition.names - known.keys():
                # An attribute, or a mistake, whose message names every column there is.
                for name, make in OWN.items():
                    known.setdefault(name, make(columns, n))
                for series in spread(columns.attributes(n)):
                    known.setdefault(series.name, series)
            frame = pl.DataFrame([series.alias(name) for name, series in known.items()])
        return condition.mask(frame)


def _category(columns: ItemColumns, n: int) -> pl.Series:
    names = pl.Series([*columns.categories, None], dtype=pl.String)
    codes = columns.category[:n]
    return names.gather(np.where(codes < 0, len(names) - 1, codes))


def _released(columns: ItemColumns, n: int) -> pl.Series:
    released = columns.released[:n]
    return pl.Series(np.where(np.isfinite(released), released, np.nan)).fill_nan(None)


OWN: Mapping[str, Callable[[ItemColumns, int], pl.Series]] = {
    "item_id": lambda columns, n: pl.Series(columns.ids[:n], dtype=pl.String),
    "title": lambda columns, n: pl.Series(columns.titles[:n], dtype=pl.String),
    "category": _category,
    "price": lambda columns, n: pl.Series(columns.price[:n]).fill_nan(None),
    "released": _released,
    "tags": lambda columns, n: pl.Series(
        [list(tags) for tags in columns.tags(n)], dtype=pl.List(pl.String)
    ),
}
"""The columns that every item has; attributes are beside them, and never hide one of them."""
