"""Pairs of items counted since a snapshot was made, each with the moment at which it was seen.

A question about a moment that has passed must not use what came later. So the newest pairs keep
their times; older ones are summed up, and are left out whole for questions from before.
"""

from __future__ import annotations

import threading

import numpy as np
import numpy.typing as npt

from penchant.recall.sparse import SparseRows
from penchant.types import Floats, Ids, Times

MOST = 50_000  # pairs that keep their times
Weights = npt.NDArray[np.float64]


class LivePairs:
    """Directed weights that grow; safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._recent: dict[int, list[tuple[int, float, float]]] = {}
        self._settled: dict[int, tuple[Ids, Weights]] = {}
        self._loads: list[SparseRows] = []
        self._until = float("-inf")
        self._times: list[float] = []

    def add(self, froms: Ids, tos: Ids, weights: Weights, times: Times) -> None:
        """Add directed pairs, each made at its time."""
        with self._lock:
            columns = (froms.tolist(), tos.tolist(), weights.tolist(), times.tolist())
            for a, b, weight, time in zip(*columns, strict=True):
                self._recent.setdefault(a, []).append((b, weight, time))
            self._times += columns[3]
            if len(self._times) > MOST:
                self._settle(float(np.median(self._times)))

    def load(self, rows: SparseRows, time: float) -> None:
        """Add many pairs at once, the newest of which was made at `time`."""
        with self._lock:
            self._loads.append(rows)
            self._settle(time)

    def entries(self, items: Ids, weights: Floats, now: float) -> tuple[Ids, Weights]:
        """Return what `items` lead to, and the weights of that, each times its item's own.

        What several of them lead to comes several times.
        """
        tos: list[Ids] = [np.zeros(0, dtype=np.int32)]
        values: list[Weights] = [np.zeros(0)]
        with self._lock:
            settled = now >= self._until
            if settled:
                for rows in self._loads:
                    to, value = rows.entries(items, weights)
                    tos.append(to)
                    values.append(value.astype(np.float64))
            for item, weight in zip(items.tolist(), weights.tolist(), strict=True):
                row = self._settled.get(item) if settled else None
                if row is not None:
                    tos.append(row[0])
                    values.append(weight * row[1])
                late = [(b, w) for b, w, at in self._recent.get(item, ()) if at <= now]
                if late:
                    tos.append(np.array([b for b, _ in late], dtype=np.int32))
                    values.append(weight * np.array([w for _, w in late]))
        return np.concatenate(tos), np.concatenate(values)

    def _settle(self, until: float) -> None:
        for item, pairs in list(self._recent.items()):
            old = [(b, weight) for b, weight, time in pairs if time <= until]
            if not old:
                continue
            to, weights = zip(*old, strict=True)
            before = self._settled.get(item, (np.zeros(0, np.int32), np.zeros(0)))
            known, place = np.unique(np.concatenate((before[0], to)), return_inverse=True)
            total: Weights = np.zeros(len(known))
            np.add.at(total, place, np.concatenate((before[1], weights)))
            self._settled[item] = (known.astype(np.int32), total)
            rest = [pair for pair in pairs if pair[2] > until]
            if rest:
                self._recent[item] = rest
            else:
                del self._recent[item]
        self._times = [time for time in self._times if time > until]
        self._until = max(self._until, until)
