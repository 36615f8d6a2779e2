"""Pairs of items counted since a snapshot was made, each with the moment at which it was seen.

A question about a moment that has passed must not use what came later. So the newest pairs of an
item keep their times; older ones are summed up, and are left out whole for questions from before.
What an item leads to is bounded: a question costs the same however much happened.
"""

from __future__ import annotations

import threading
from array import array
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from penchant.recall.sparse import SparseRows
from penchant.types import Floats, Ids

MOST = 2048  # pairs of an item from which on the older ones are summed up
TIMED = 256  # pairs of an item that keep their times then
SUMMED = 1280  # sums of an item that are kept, the largest
Weights = npt.NDArray[np.float64]


class LivePairs:
    """Directed weights that grow; safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # What each item leads to, as (item, weight, time) one after the other.
        self._rows: dict[int, array[float]] = {}
        self._loads: list[tuple[SparseRows, float]] = []

    def add(self, pairs: Iterable[tuple[int, int, float, float]]) -> None:
        """Add directed pairs (from, to, weight, time), each made at its time."""
        with self._lock:
            rows = self._rows
            for a, b, weight, time in pairs:
                row = rows.get(a)
                if row is None:
                    rows[a] = array("d", (b, weight, time))
                    continue
                row.extend((b, weight, time))
                if len(row) >= 3 * MOST:
                    rows[a] = _settled(row)

    def load(self, rows: SparseRows, time: float) -> None:
        """Add many pairs at once, the newest of which was made at `time`."""
        with self._lock:
            loads = [*self._loads, (rows, time)]
            # Each is less than half of the one before it: few, and each pair moves a few times.
            while len(loads) > 1 and 2 * len(loads[-1][0].values) > len(loads[-2][0].values):
                (one, then), (other, later) = loads[-2:]
                loads[-2:] = [(_both(one, other), max(then, later))]
            self._loads = loads

    def entries(self, items: Ids, weights: Floats, now: float) -> tuple[Ids, Weights]:
        """Return what `items` lead to, and the weights of that, each times its item's own.

        What several of them lead to comes several times.
        """
        found: array[float] = array("d")
        lengths = []
        with self._lock:
            loads = self._loads
            for item in items.tolist():
                row = self._rows.get(item)
                if row is not None:
                    found.extend(row)
                lengths.append(0 if row is None else len(row) // 3)
        tos: Ids = np.zeros(0, dtype=np.int32)
        values: Weights = np.zeros(0)
        if found:
            table = np.frombuffer(found).reshape(-1, 3)
            tos = table[:, 0].astype(np.int32)
            values = table[:, 1] * np.repeat(weights, lengths)
            if table[:, 2].max() > now:
                known = table[:, 2] <= now
                tos, values = tos[known], values[known]
        for rows, time in loads:
            if time <= now:
                to, value = rows.entries(items, weights)
                tos, values = np.concatenate((tos, to)), np.concatenate((values, value))
        return tos, values


def _settled(row: array[float]) -> array[float]:
    """Return a row with its newest pairs, and the largest sums of the others.

    A sum bears the newest time of what is in it. By time, not as recorded: an event that claims to
    be from next year would else hide everything that it is summed up with.
    """
    table = np.frombuffer(row).reshape(-1, 3)
    table = table[np.argsort(table[:, 2], kind="stable")]
    old, new = table[:-TIMED], table[-TIMED:]
    to, place = np.unique(old[:, 0], return_inverse=True)
    total = np.bincount(place, weights=old[:, 1])
    newest = np.full(len(to), -np.inf)
    np.maximum.at(newest, place, old[:, 2])
    largest = np.sort(np.argsort(-total, kind="stable")[:SUMMED])
    sums = np.stack((to, total, newest), axis=1)[largest]
    return array("d", np.concatenate((sums, new)).tobytes())


def _both(one: SparseRows, other: SparseRows) -> SparseRows:
    """Return the sum of two matrices."""
    n = max(one.n_rows, other.n_rows)
    froms = [np.repeat(np.arange(rows.n_rows), np.diff(rows.starts)) for rows in (one, other)]
    tos, values = (
        np.concatenate((getattr(one, name), getattr(other, name))) for name in ("columns", "values")
    )
    return SparseRows.from_pairs(np.concatenate(froms), tos, values, n)
