"""Pairs of items counted since a snapshot was made, each with the moment at which it was seen.

A question about a moment that has passed must not use what came later. So the newest pairs of an
item keep their times; older ones are summed up, and are left out whole for questions from before.
What an item leads to is bounded: a question costs the same however much happened. And it is a
function of the pairs in their order alone, however they are cut: whoever followed them one by one
holds, to the last bit, what a process does that starts now and is told them at once.
"""

from __future__ import annotations

import struct
import threading
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from penchant.types import Floats, Ids, Times

MOST = 2048  # pairs of an item from which on the older ones are summed up
TIMED = 256  # pairs of an item that keep their times then
SUMMED = 1280  # sums of an item that are kept, the largest
Weights = npt.NDArray[np.float64]

# A row is bytes, one pair after the other: single ones are added, all are read as a table.
_PAIR = np.dtype([("to", "<i4"), ("weight", "<f4"), ("time", "<f8")])
_PACK = struct.Struct("<ifd").pack


class LivePairs:
    """Directed weights that grow; safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rows: dict[int, bytearray] = {}  # what each item leads to

    def add(self, pairs: Iterable[tuple[int, int, float, float]]) -> None:
        """Add directed pairs (from, to, weight, time), each made at its time."""
        full = _PAIR.itemsize * MOST
        with self._lock:
            rows = self._rows
            for a, b, weight, time in pairs:
                row = rows.get(a)
                if row is None:
                    rows[a] = bytearray(_PACK(b, weight, time))
                    continue
                row += _PACK(b, weight, time)
                if len(row) >= full:
                    rows[a] = _settled(row)

    def add_many(self, froms: Ids, tos: Ids, weights: Weights, times: Times) -> None:
        """Add as many pairs as `add` would, in the same order; afterwards it is the same."""
        order = np.argsort(froms, kind="stable")
        table = np.empty(len(froms), dtype=_PAIR)
        for name, column in (("to", tos), ("weight", weights), ("time", times)):
            table[name] = column[order]
        items, begins, counts = np.unique(froms[order], return_index=True, return_counts=True)
        ends = begins + counts
        for item, begin, end in zip(*(c.tolist() for c in (items, begins, ends)), strict=True):
            with self._lock:  # for one row: nobody waits for an import
                row = self._rows.get(item, bytearray())
                while begin < end:
                    until = min(end, begin + MOST - len(row) // _PAIR.itemsize)
                    row += table[begin:until].tobytes()
                    if len(row) >= _PAIR.itemsize * MOST:
                        row = _settled(row)
                    begin = until
                self._rows[item] = row

    def entries(self, items: Ids, weights: Floats, now: float) -> tuple[Ids, Weights]:
        """Return what `items` lead to, and the weights of that, each times its item's own.

        What several of them lead to comes several times.
        """
        found = bytearray()
        lengths = []
        with self._lock:
            for item in items.tolist():
                row = self._rows.get(item, b"")
                found += row
                lengths.append(len(row) // _PAIR.itemsize)
        table = np.frombuffer(found, dtype=_PAIR)
        tos = table["to"].astype(np.int32)
        values = table["weight"] * np.repeat(weights, lengths).astype(np.float64)
        times = table["time"]
        if len(times) and times.max() > now:
            known = times <= now
            tos, values = tos[known], values[known]
        return tos, values


def _settled(row: bytearray) -> bytearray:
    """Return a row with its newest pairs, and the largest sums of the others.

    A sum bears the newest time of what is in it. By time, not as recorded: an event that claims to
    be from next year would else hide everything that it is summed up with.
    """
    table = np.frombuffer(row, dtype=_PAIR)
    table = table[np.argsort(table["time"], kind="stable")]
    old, new = table[:-TIMED], table[-TIMED:]
    to, place = np.unique(old["to"], return_inverse=True)
    total = np.bincount(place, weights=old["weight"])
    newest = np.full(len(to), -np.inf)
    np.maximum.at(newest, place, old["time"])
    largest = np.sort(np.argsort(-total, kind="stable")[:SUMMED])
    sums = np.empty(len(largest), dtype=_PAIR)
    sums["to"], sums["weight"], sums["time"] = to[largest], total[largest], newest[largest]
    return bytearray(sums.tobytes() + new.tobytes())
