"""Recall by others' words: what was wanted by those who asked in words like these.

A nearest-neighbour vote (kernel-weighted; Nadaraya and Watson 1964) over the questions that led
somebody to an item. It learns from each answer that is taken, at once, and in the words that people
use, which need not be those of the catalogue.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from penchant.interests.state import State
from penchant.recall.led import Led
from penchant.recall.source import Scores
from penchant.store.log import Events
from penchant.types import Error, Floats, Query

SHARPNESS = 20.0  # a question .05 of cosine further away counts e times less
NEAR = 0.8  # one question as near as this is believed by half
VOTERS = 10  # questions that vote, the nearest: beside thousands, the many that are less like it
PATIENCE = 1.0  # seconds that one question waits for the vectors of others
_CHUNK = 256


class Asked:
    """Scores items by the share of like questions that led to them, 0 to 1.

    value = sum of w over the pairs with that item / (sum of w over all pairs + w of nearness
    `NEAR`), w = exp(SHARPNESS * (cosine - 1)) for the `VOTERS` nearest questions, else 0: where
    nobody asked anything like it, all values are near zero. `encode` gives the unit vectors of
    questions; they are asked for at the first question in words and kept for as long as a pair has
    them. A training makes them before; where none has, that question waits `PATIENCE`, and the next
    ones know more.
    """

    def __init__(self, name: str, led: Led, encode: Callable[[Sequence[str]], Floats]) -> None:
        self.name = name
        self._led = led
        self._encode = encode
        self._lock = threading.Lock()
        self._known: dict[str, Floats] = {}
        self._made: _Table | None = None

    def score(self, query: Query, state: State) -> Scores | None:
        """Return the share of each item that like questions led to; None without words."""
        if state.words is None or not len(self._led):
            return None
        table = self._table()
        if not len(table.items):
            return None
        near = np.exp(np.float32(SHARPNESS) * (table.rows @ state.words - np.float32(1.0)))
        if len(near) > VOTERS:
            near[near < np.partition(near, -VOTERS)[-VOTERS]] = 0.0
        inside = table.items < query.n_items
        sums = np.bincount(table.items[inside], weights=near[table.question[inside]])
        whole = float(near[table.question].sum()) + np.exp(SHARPNESS * (NEAR - 1.0))
        items = np.flatnonzero(sums > 0).astype(np.int32)
        return Scores((sums[items] / whole).astype(np.float32), items)

    def fold(self, tail: Events, *, anew: bool = False) -> None:
        """Learn nothing: what led to what follows the whole log, wanted or not (`Led`)."""

    def _table(self) -> _Table:
        with self._lock:
            told = self._led.changed
            if self._made is not None and self._made.told == told:
                return self._made
            pairs = self._led.pairs()
            known, missing = {}, []
            for text in self._led.texts():
                row = self._known.get(text)
                if row is None:
                    missing.append(text)
                else:
                    known[text] = row
            whole = self._learn(missing, known)
            self._known = known
            number = {text: place for place, text in enumerate(known)}
            kept = [pair for pair in pairs if pair.text in number]
            rows = np.array(list(known.values()), dtype=np.float32)
            table = _Table(
                told if whole else -1,
                rows,
                np.array([number[pair.text] for pair in kept], dtype=np.int64),
                np.array([pair.item for pair in kept], dtype=np.int64),
            )
            self._made = table
            return table

    def _learn(self, missing: Sequence[str], known: dict[str, Floats]) -> bool:
        """Add the vectors of texts, the first above all; return whether all of them are there."""
        began = time.monotonic()
        for begin in range(0, len(missing), _CHUNK):
            if time.monotonic() - began > PATIENCE:
                return False
            part = missing[begin : begin + _CHUNK]
            try:
                rows = self._encode(part)
            except Error:  # an endpoint that is down: the rest of the question is answered
                return False
            known.update(zip(part, rows, strict=True))
        return True


class _Table:
    """Vectors of distinct questions, and which of them led to which item."""

    __slots__ = ("items", "question", "rows", "told")

    def __init__(
        self, told: int, rows: Floats, question: npt.NDArray[np.int64], items: npt.NDArray[np.int64]
    ) -> None:
        self.told, self.rows, self.question, self.items = told, rows, question, items
