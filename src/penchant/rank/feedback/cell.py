"""Cells: exposures and answers by item under one circumstance, as sums that fade.

Decay is forward (Cormode et al., 2009): what is newer weighs more, and all is scaled back by powers
of two, which is exact, so that the sums are those of a log however it was cut.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from penchant.rank.feedback.examination import GROUPS
from penchant.types import Floats, Ids

ITEMS = 4096  # of a cell
_HIGHEST = 32  # half-lives ahead, from which on all is scaled back


class Fade:
    """Weights that double with each half-life, and from when on they are counted."""

    __slots__ = ("_half", "begun")

    def __init__(self, half_life: float) -> None:
        self._half = half_life
        self.begun: int | None = None  # in half-lives

    def weigh(self, time: float) -> tuple[float, float]:
        """Return the weight of what happens at `time`, and by what all before is to be scaled."""
        at, back = time / self._half, 1.0
        if self.begun is None:
            self.begun = int(np.floor(at))
        if at - self.begun > _HIGHEST:
            further = int(np.floor(at)) - self.begun
            self.begun += further
            back = float(np.exp2(-float(min(further, 1000))))
        return float(np.exp2(max(at - self.begun, -1000.0))), back

    def left(self, now: float) -> np.float32:
        """Return by what the sums are to be multiplied at `now`."""
        if self.begun is None:
            return np.float32(0.0)
        return np.float32(np.exp2(np.clip(self.begun - now / self._half, -100.0, 100.0)))


class Cell:
    """What was shown under one `key=value`: a row for each item, in the order they came.

    `count` are its slates, with those of the value of its key whose place it took. `since[i]` is
    the slate from which on row i has counted.
    """

    __slots__ = ("_at", "_weights", "answers", "count", "exposures", "items", "rows", "since")

    def __init__(self, count: float, n: int = 0) -> None:
        self.count = count
        self.rows: dict[int, int] = {}
        self.items: Ids = np.zeros(n, dtype=np.int32)
        self.since: npt.NDArray[np.int64] = np.zeros(n, dtype=np.int64)
        self.exposures: Floats = np.zeros((n, GROUPS), dtype=np.float32)
        self.answers: Floats = np.zeros(n, dtype=np.float32)
        self._at: list[int] = []  # of exposures that are pending, with their weights
        self._weights: list[float] = []

    def show(self, items: list[int], groups: list[int], weight: float, number: int) -> None:
        """Count one slate, the items of which stood in these groups of places."""
        rows = self.rows
        new = {item for item in items if item not in rows}
        if new and len(rows) + len(new) > ITEMS:
            self._halve()
            rows = self.rows
            new = {item for item in items if item not in rows}
        if new:
            self._widen(len(rows) + len(new))
            for item in items:
                if item in new and item not in rows:
                    row = rows[item] = len(rows)
                    self.items[row], self.since[row] = item, number
        self._at += [rows[item] * GROUPS + place for item, place in zip(items, groups, strict=True)]
        self._weights += [weight] * len(items)

    def settle(self) -> None:
        """Count what is pending: it is added one by one, so that it rounds by no bounds of it."""
        if self._at:
            np.add.at(self.exposures.reshape(-1), self._at, np.array(self._weights, np.float32))
            self._at, self._weights = [], []

    def answer(self, item: int, weight: float, number: int) -> None:
        """Count an answer to slate `number`, if the item counted then."""
        row = self.rows.get(item)
        if row is not None and number >= self.since[row]:
            self.answers[row] += np.float32(weight)

    def _widen(self, n: int) -> None:
        more = max(n, 2 * len(self.items)) - len(self.items)
        if n > len(self.items):
            self.items = np.pad(self.items, (0, more))
            self.since = np.pad(self.since, (0, more))
            self.exposures = np.pad(self.exposures, ((0, more), (0, 0)))
            self.answers = np.pad(self.answers, (0, more))

    def _halve(self) -> None:
        """Keep the items that were shown most."""
        self.settle()
        n = len(self.rows)
        shown = self.exposures[:n].sum(axis=1)
        stay = np.sort(np.lexsort((self.items[:n], -shown))[: ITEMS // 2])
        self.items, self.since = self.items[stay], self.since[stay]
        self.exposures, self.answers = self.exposures[stay], self.answers[stay]
        self.rows = {item: row for row, item in enumerate(self.items.tolist())}
