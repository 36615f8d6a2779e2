"""Contexts: how much more an item is answered in a context than it is answered at all.

A request may say in what circumstances it is made: {"device": "phone", "time": "evening"}. Each
`key=value` that many slates were shown in is a cell, and counts exposures by item and group of
places, and answers by item. Against the answers that the item's own rate (`rates`) and the level
of the cell let expect,

    lift = log((answers + SHAPE) / (level * sum over places of exposures * seen * rate + SHAPE))

where the level is answers by expected answers over all items of the cell: a gamma prior of mean 1
on the factor by which the context changes the rate. Nothing is known of what was shown little, and
a context in which more is clicked lifts nobody.

Memory is bounded: the cells are those of the most shown values of each key (Space-Saving; Metwally,
Agrawal and El Abbadi, 2005; on decayed counts), each with its most shown items. What is kept is
decided by the log of slates alone, and an answer counts where its slate did, so that it does not
matter how far either log was read before the other.
"""

from __future__ import annotations

import json
import sys
import threading
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from penchant.rank.feedback.cell import Cell, Fade
from penchant.rank.feedback.circumstances import key_of, told
from penchant.rank.feedback.examination import group
from penchant.rank.feedback.rates import HOUR, Rates
from penchant.store.impressions import Shown
from penchant.types import Floats, Ids, Times

IN_CONTEXT = "in_context"  # the term of a score that the context adds
SHAPE = 5.0  # expected answers before an item's factor in a context is half its own
LINES = 200  # of a slate, the first
BELIEVED = 5  # slates in a row that say what time it is
_GROUPS = group(np.arange(LINES)).tolist()


class Contexts:
    """Counts by item and context, at most `most` values of contexts. Safe for threads.

    `rates` are those of the items whatever the context, folded from the same logs.
    """

    def __init__(self, rates: Rates, half_life: float, most: int) -> None:
        self._rates, self._most = rates, most
        self._lock = threading.Lock()
        self._cells: dict[str, Cell] = {}
        self._shown, self._answered = Fade(half_life), Fade(half_life)
        # Of the last slates: one that was asked for tomorrow does not make today the past.
        self._times: deque[float] = deque(maxlen=BELIEVED)
        self._known: tuple[Floats, Floats | None] | None = None

    def show(self, shown: Shown, known: npt.NDArray[np.bool_]) -> None:
        """Count slates, of those that are `known`, bool[n], to have been shown when they say."""
        if not shown.contexts or not self._most:
            return
        with self._lock:
            for at in np.flatnonzero(known).tolist():
                names = told(shown.contexts[at])
                begin = int(shown.starts[at])
                end = min(int(shown.starts[at + 1]), begin + LINES)
                if names and end > begin:
                    items = shown.items[begin:end].tolist()
                    number, time = int(shown.numbers[at]), float(shown.times[at])
                    weight, back = self._shown.weigh(time)
                    if back != 1.0:
                        for cell in self._cells.values():
                            cell.settle()
                            cell.count *= back
                            cell.exposures *= np.float32(back)
                    for name in names:
                        self._of(name, weight).show(items, _GROUPS[: len(items)], weight, number)
                    self._times.append(time)
            for cell in self._cells.values():
                cell.settle()

    def answer(
        self,
        items: Ids,
        places: npt.NDArray[np.int32],
        times: Times,
        numbers: npt.NDArray[np.int64],
        names: Iterable[tuple[str, ...]],
    ) -> None:
        """Count answers to items in places of slates by number, shown under these names."""
        with self._lock:
            for item, place, time, number, all_names in zip(
                items.tolist(),
                places.tolist(),
                times.tolist(),
                numbers.tolist(),
                names,
                strict=True,
            ):
                if not all_names or place >= LINES:
                    continue
                weight, back = self._answered.weigh(time)
                if back != 1.0:
                    for cell in self._cells.values():
                        cell.answers *= np.float32(back)
                for name in all_names:
                    if name in self._cells:
                        self._cells[name].answer(item, weight, number)

    def lift(self, items: Ids, now: float, context: Mapping[str, Any]) -> Floats:
        """Return the log of how much more items are answered in this context, float32[n].

        0 where nothing is known, and where `now` is so long ago that what is known came later.
        """
        out: Floats = np.zeros(len(items), dtype=np.float32)
        with self._lock:
            cells = [self._cells[name] for name in told(context) if name in self._cells]
            if not cells or now < min(self._times) - HOUR:
                return out
            rate = self._rates.at(items, now)
            if rate is None:
                return out
            seen, usual, wanted = self._rates.looked(now), self._usual(now), items.tolist()
            own = rate.value * self._shown.left(now)
            fade = self._answered.left(now)
            for cell in cells:
                row = np.array([cell.rows.get(item, -1) for item in wanted], dtype=np.intp)
                some = np.flatnonzero(row >= 0)
                row = row[some]
                level = self._level(cell, seen, usual, now)
                expected = (cell.exposures[row] @ seen) * own[some] * level
                answers = cell.answers[row] * fade
                out[some] += np.log((answers + SHAPE) / (expected + SHAPE))
        return out

    def kept(self) -> dict[str, npt.NDArray[Any]]:
        """Return what `resume` takes up again."""
        with self._lock:
            cells = [(len(cell.rows), cell) for cell in self._cells.values()]
            none = (0, Cell(0.0))
            every = [none, *cells]
            begun = [
                -(2**62) if f.begun is None else f.begun for f in (self._shown, self._answered)
            ]
            return {
                "names": np.frombuffer(json.dumps(list(self._cells)).encode(), dtype=np.uint8),
                "times": np.array(self._times, dtype=np.float64),
                "begun": np.array(begun),
                "counts": np.array([cell.count for _, cell in cells]),
                "sizes": np.array([n for n, _ in cells], dtype=np.int64),
                "items": np.concatenate([cell.items[:n] for n, cell in every]),
                "since": np.concatenate([cell.since[:n] for n, cell in every]),
                "exposures": np.concatenate([cell.exposures[:n] for n, cell in every]),
                "answers": np.concatenate([cell.answers[:n] for n, cell in every]),
            }

    def resume(self, kept: Mapping[str, npt.NDArray[Any]]) -> None:
        """Go on from where others were, of the same half-life."""
        with self._lock:
            self._cells = {}
            self._times = deque(kept["times"].tolist(), maxlen=BELIEVED)
            for fade, begun in zip(
                (self._shown, self._answered), kept["begun"].tolist(), strict=True
            ):
                fade.begun = None if begun == -(2**62) else begun
            ends = np.cumsum(kept["sizes"])
            for n, name in enumerate(json.loads(kept["names"].tobytes())):
                own = slice(int(ends[n] - kept["sizes"][n]), int(ends[n]))
                cell = self._cells[sys.intern(name)] = Cell(float(kept["counts"][n]))
                cell.items, cell.since = kept["items"][own].copy(), kept["since"][own].copy()
                cell.exposures = kept["exposures"][own].copy()
                cell.answers = kept["answers"][own].copy()
                cell.rows = {item: row for row, item in enumerate(cell.items.tolist())}

    def _level(self, cell: Cell, seen: Floats, usual: Floats | None, now: float) -> np.float32:
        """Return how much more is answered in a cell than its items let expect."""
        items = cell.items[: len(cell.rows)]
        if usual is not None:
            rates = usual[np.minimum(items, len(usual) - 1)]
        else:
            found = self._rates.at(items, now)
            rates = np.zeros(len(items), dtype=np.float32) if found is None else found.value
        looks = (cell.exposures[: len(items)] @ seen) * self._shown.left(now)
        answers = cell.answers[: len(items)].sum() * self._answered.left(now)
        level: np.float32 = (answers + np.float32(1)) / (rates @ looks + np.float32(1))
        return level

    def _usual(self, now: float) -> Floats | None:
        """Return the rates of all items before the hour, and the mean behind them.

        None before the second hour: then they are asked for one by one.
        """
        _, exposed, answered = self._rates.table(now)
        if self._known is None or self._known[0] is not exposed:
            total, usual = answered.sum(), None
            if total > 0:
                mean = total / exposed.sum()
                usual = (answered + np.float32(1)) / (exposed + np.float32(1) / mean)
                usual = np.append(usual, mean).astype(np.float32)
            self._known = exposed, usual
        return self._known[1]

    def _of(self, name: str, weight: float) -> Cell:
        """Return the cell of a name, with a slate more; the least shown one makes room."""
        found = self._cells.get(name)
        if found is None:
            full = len(self._cells) >= self._most
            count = self._make_room(key_of(name)) if full else 0.0
            found = self._cells[name] = Cell(count)
        found.count += weight
        return found

    def _make_room(self, key: str) -> float:
        """Return the count that a new value of a key goes on from; a cell is gone.

        It takes the place of the least shown value of its own key, or of the key with the most
        values if that has more: ids of sessions must not drive out everything else.
        """
        have = Counter(map(key_of, self._cells))
        most = min(have, key=lambda one: (-have[one], one))
        loses = key if have[key] >= have[most] else most
        least = min(
            (one for one in self._cells if key_of(one) == loses),
            key=lambda one: (self._cells[one].count, one),
        )
        count = self._cells.pop(least).count
        return count if loses == key else 0.0
