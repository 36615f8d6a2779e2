"""The pairs that new events make with what their people wanted before, made in one look for both
counts of co-visitation.

An event is paired with the `WINDOW` before it: earlier in time or at the same moment, and recorded
before. So what is known after many events does not depend on how they were cut into tails. A tail
is mostly one event of one person, a dozen pairs: there arrays cost more than they hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import exp2, sqrt

import numpy as np
import numpy.typing as npt

from penchant.interests.state import DAY
from penchant.store.log import Events
from penchant.types import Ids, Times

WINDOW = 12  # how many earlier wanted items an event is paired with
BULK = 5_000  # events of a tail from which on pairs are kept as columns
_DAYS_HALF = 7.0
_ROOTS = tuple(sqrt(step) for step in range(1, WINDOW + 1))

Pair = tuple[int, int, float, float]  # from, to, weight, and the moment at which it was made
Columns = tuple[Ids, Ids, npt.NDArray[np.float64], Times]  # the same of many pairs
# What a person wanted up to a moment, of what was recorded up to an offset: items and times, oldest
# first, at least the last `WINDOW` and the event of that moment and offset.
Recent = Callable[[int, float, int], tuple[Sequence[int] | Ids, Sequence[float] | Times]]


@dataclass(frozen=True, slots=True)
class Made:
    """Pairs of a tail in the order of its events: one by one, and of a long tail as columns."""

    pairs: Sequence[Pair]
    columns: Columns | None = None


class Pairing:
    """Makes the pairs of a tail: `after` (a, then b) and `together` (both at one moment).

    Both counts ask for the same tail, one after the other; the second is handed what was made.
    """

    def __init__(self, recent: Recent) -> None:
        self._recent = recent
        self._made: tuple[Events, dict[bool, Made]] | None = None

    def __call__(self, tail: Events, *, together: bool) -> Made:
        """Return the pairs of one kind that wanted events make."""
        made = self._made
        if made is None or made[0] is not tail or together not in made[1]:
            made = tail, self._both(tail)
        mine = made[1].pop(together)
        self._made = made if made[1] else None
        return mine

    def _both(self, tail: Events) -> dict[bool, Made]:
        columns = (tail.users, tail.items, tail.times, tail.offsets)
        if len(tail) <= BULK:
            after: list[Pair] = []
            together: list[Pair] = []
            for user, item, time, offset in zip(*(c.tolist() for c in columns), strict=True):
                self._pairs(user, item, time, offset, after, together)
            return {False: Made(after), True: Made(together)}
        # By person, so that each has to be looked up once; their pairs are put in order after.
        order = np.argsort(tail.users, kind="stable")
        blocks = [
            self._block(order[start : start + BULK], columns)
            for start in range(0, len(order), BULK)
        ]
        return {
            kind: Made((), _in_order(parts))
            for kind, parts in zip((False, True), zip(*blocks, strict=True), strict=True)
        }

    def _block(
        self, places: npt.NDArray[np.int64], columns: Sequence[np.ndarray]
    ) -> tuple[_Block, _Block]:
        """Return the pairs of the events at some places of a tail, `after` and `together`."""
        after: list[Pair] = []
        together: list[Pair] = []
        ends = np.zeros((2, len(places)), dtype=np.int64)
        events = zip(*(column[places].tolist() for column in columns), strict=True)
        for row, (user, item, time, offset) in enumerate(events):
            self._pairs(user, item, time, offset, after, together)
            ends[:, row] = len(after), len(together)
        counts = np.diff(ends, prepend=0)
        return (
            _Block(_columns(after), np.repeat(places, counts[0])),
            _Block(_columns(together), np.repeat(places, counts[1])),
        )

    def _pairs(
        self,
        user: int,
        item: int,
        time: float,
        offset: int,
        after: list[Pair],
        together: list[Pair],
    ) -> None:
        """Add the pairs of one event to those of its kind.

        A pair weighs 2^(-days between / 7) / sqrt(steps), one of a moment 1 / sqrt(steps) in both
        directions. An item after itself is no news.
        """
        if item < 0:
            return
        for (before, then), root in zip(
            self._before(user, item, time, offset), _ROOTS, strict=False
        ):
            if before == item:
                continue
            if then < time:
                weight = exp2((then - time) / (_DAYS_HALF * DAY)) / root
                after.append((before, item, weight, time))
            else:
                together.append((before, item, 1.0 / root, time))
                together.append((item, before, 1.0 / root, time))

    def _before(
        self, user: int, item: int, time: float, offset: int
    ) -> Iterable[tuple[int, float]]:
        """Return what the person wanted before an event, newest first."""
        items, times = self._recent(user, time, offset)
        if isinstance(items, np.ndarray):
            items = items.tolist()
        if isinstance(times, np.ndarray):
            times = times.tolist()
        place = len(items) - 1
        while place >= 0 and (items[place] != item or times[place] != time):
            place -= 1
        # Where it is no more (it was taken back since), all of them were before it.
        end = len(items) if place < 0 else place
        begin = max(0, end - WINDOW)
        return zip(items[begin:end][::-1], times[begin:end][::-1], strict=True)


@dataclass(frozen=True, slots=True)
class _Block:
    """Pairs as columns, and the place in the tail of the event that made each."""

    columns: Columns
    places: npt.NDArray[np.int64]


def _columns(pairs: Sequence[Pair]) -> Columns:
    froms, tos, weights, times = np.array(pairs, dtype=np.float64).reshape(-1, 4).T
    return froms.astype(np.int32), tos.astype(np.int32), weights.copy(), times.copy()


def _in_order(blocks: Sequence[_Block]) -> Columns:
    """Return the pairs of all blocks in the order of their events."""
    order = np.argsort(np.concatenate([block.places for block in blocks]), kind="stable")
    froms, tos, weights, times = (
        np.concatenate(column)[order]
        for column in zip(*(block.columns for block in blocks), strict=True)
    )
    return froms, tos, weights, times
