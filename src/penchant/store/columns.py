"""The catalogue in memory: one array per column by item number, kept equal by following changes."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt
import polars as pl

MICRO = 1e6


class ItemColumns:
    """Columns of every item ever numbered. Arrays may be longer than the catalogue; see `n`.

    `price` float64 (NaN unknown), `category` int32 (-1 unknown; names in `categories`), `released`
    float64 seconds (inf unknown), `stock_from` and `stock_until` float64 seconds, `retired` bool.
    """

    def __init__(self) -> None:
        self.n = 0
        self.version = 0
        self.ids: list[str] = []
        self.number_of: dict[str, int] = {}
        self.titles: list[str] = []
        self.categories: list[str] = []
        self.price = np.zeros(0, dtype=np.float64)
        self.category = np.zeros(0, dtype=np.int32)
        self.released = np.zeros(0, dtype=np.float64)
        self.stock_from = np.zeros(0, dtype=np.float64)
        self.stock_until = np.zeros(0, dtype=np.float64)
        self.retired = np.zeros(0, dtype=np.bool_)
        self._category_of: dict[str, int] = {}
        self._extra: list[tuple[str, tuple[str, ...]]] = []
        self._windows = False
        self._lock, self._naming = threading.Lock(), threading.Lock()

    def apply(self, changed: pl.DataFrame) -> npt.NDArray[np.int32]:
        """Take in changed rows (`number`, `removed`, the ITEMS columns); return their numbers."""
        if changed.is_empty():
            return np.zeros(0, dtype=np.int32)
        numbers = changed["number"].to_numpy().astype(np.int32)
        with self._lock:
            need = int(numbers.max()) + 1
            self._grow(need)
            for row in changed.iter_rows(named=True):
                self._apply(int(row["number"]), row)
            # Last, because requests read meanwhile: what they count is there as a whole.
            self.n = max(self.n, need)
            self.version += 1
        return numbers

    def servable(self, now: float) -> npt.NDArray[np.bool_]:
        """Return bool[n]: not retired, and inside its stock window at `now`."""
        n = self.n
        allowed: npt.NDArray[np.bool_] = ~self.retired[:n]
        if self._windows:
            allowed &= (self.stock_from[:n] <= now) & (self.stock_until[:n] >= now)
        return allowed

    def numbers(self, item_ids: Iterable[str]) -> npt.NDArray[np.int32]:
        """Return the number of each id, -1 where the catalogue has never heard of it."""
        return np.array([self.number_of.get(i, -1) for i in item_ids], dtype=np.int32)

    def code(self, category: str) -> int:
        """Return the number of a category, which has one from now on."""
        with self._naming:
            code = self._category_of.setdefault(category, len(self.categories))
            if code == len(self.categories):
                self.categories.append(category)
            return code

    def tags_of(self, number: int) -> tuple[str, ...]:
        """Return the tags of an item."""
        return self._extra[number][1]

    def attributes_of(self, number: int) -> str:
        """Return the attributes of an item, a JSON object in text, or empty."""
        return self._extra[number][0]

    def tags(self, n: int) -> list[tuple[str, ...]]:
        """Return the tags of the first `n` items."""
        return [tags for _, tags in self._extra[:n]]

    def attributes(self, n: int) -> list[str]:
        """Return the attributes of the first `n` items, each a JSON object in text, or empty."""
        return [attributes for attributes, _ in self._extra[:n]]

    def _grow(self, need: int) -> None:
        if need <= len(self.ids):
            return
        if need > len(self.price):
            more = max(need, int(1.2 * len(self.price))) - len(self.price)
            self.price = np.pad(self.price, (0, more), constant_values=np.nan)
            self.category = np.pad(self.category, (0, more), constant_values=-1)
            self.released = np.pad(self.released, (0, more), constant_values=np.inf)
            self.stock_from = np.pad(self.stock_from, (0, more), constant_values=-np.inf)
            self.stock_until = np.pad(self.stock_until, (0, more), constant_values=np.inf)
            # A row is shown only once it has been read, also to those who read meanwhile.
            self.retired = np.pad(self.retired, (0, more), constant_values=True)
        grown = need - len(self.ids)
        self.titles += [""] * grown
        self._extra += [("", ())] * grown
        self.ids += [""] * grown

    def _apply(self, number: int, row: Mapping[str, object]) -> None:
        self.ids[number] = str(row["item_id"])
        self.number_of[str(row["item_id"])] = number
        self.titles[number] = str(row["title"] or "")
        price, category = row["price"], row["category"]
        self.price[number] = np.nan if price is None else float(price)  # type: ignore[arg-type]
        self.category[number] = -1 if category is None else self.code(str(category))
        self.released[number] = _seconds(row["released"], np.inf)
        self.stock_from[number] = _seconds(row["stock_from"], -np.inf)
        self.stock_until[number] = _seconds(row["stock_until"], np.inf)
        self._windows |= row["stock_from"] is not None or row["stock_until"] is not None
        self.retired[number] = bool(row["removed"])
        tags = row["tags"] or ()
        self._extra[number] = (str(row["attributes"] or ""), tuple(tags))  # type: ignore[arg-type]


def _seconds(micros: object, unknown: float) -> float:
    return unknown if micros is None else float(micros) / MICRO  # type: ignore[arg-type]
