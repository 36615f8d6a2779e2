"""Pairs of items counted since a snapshot was made, each with the moment at which it was seen.

A question about a moment that has passed must not use what came later. So the newest pairs of an
item keep their times; older ones are summed up, and are left out whole for questions from before.
What an item leads to is bounded: a question costs the same however much happened. And it is a
function of the pairs in their order alone, however they are cut: whoever followed them one by one
holds, to the last bit, what a process does that starts now and is told them at once.
"""

from __future__ import annotations

import threading
from array import array
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from penchant.types import Floats, Ids, Times

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

    def add_many(self, froms: Ids, tos: Ids, weights: Weights, times: Times) -> None:
        """Add as many pairs as `add` would, in the same order; afterwards it is the same."""
        order = np.argsort(froms, kind="stable")
        table = np.stack((tos, weights, times), axis=1)[order]
        items, begins, counts = np.unique(froms[order], return_index=True, return_counts=True)
        ends = begins + counts
        for item, begin, end in zip(*(c.tolist() for c in (items, begins, ends)), strict=True):
            with self._lock:  # for one row: nobody waits for an import
                row = self._rows.get(item, array("d"))
                while begin < end:
                    until = min(end, begin + MOST - len(row) // 3)
                    row.frombytes(table[begin:until].tobytes())
                    if len(row) >= 3 * MOST:
                        row = _settled(row)
                    begin = until
                self._rows[item] = row

    def entries(self, items: Ids, weights: Floats, now: float) -> tuple[Ids, Weights]:
        """Return what `items` lead to, and the weights of that, each times its item's own.

        What several of them lead to comes several times.
        """
        found: array[float] = array("d")
        lengths = []
        with self._lock:
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
