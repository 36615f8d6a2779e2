"""What people wanted before a moment, read from the log, and only once while events are folded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt

from penchant.interests.history import LAST
from penchant.store.log import Events
from penchant.types import Ids, Times

Past = tuple[Ids, Times, npt.NDArray[np.int64]]


class Pasts:
    """What a person wanted up to a moment, of what was recorded up to an offset, oldest first.

    `read` gives items, times and offsets, oldest first, of everything recorded. One thread folds at
    a time.
    """

    def __init__(self, read: Callable[[int, float], Past]) -> None:
        self._read = read
        self._known: dict[tuple[int, float], Past] | None = None
        self._sorted: tuple[Ids, Past] | None = None

    def __call__(self, user: int, now: float, offset: int) -> tuple[Ids, Times]:
        """Return the items and times of the newest of them."""
        if self._known is None:
            items, times, offsets = self._read(user, now)
        elif (user, now) in self._known:
            items, times, offsets = self._known[user, now]
        else:
            items, times, offsets = self._known[user, now] = self._look(user, now)
        known = offsets <= offset
        if known.all():
            return items, times
        return items[known], times[known]

    @contextmanager
    def remembered(self, wanted: Events | None = None) -> Iterator[None]:
        """Ask the log once for each person and moment; not at all where all events are at hand."""
        self._known = {}
        if wanted is not None:
            order = np.lexsort((wanted.times, wanted.users))
            past = wanted.items[order], wanted.times[order], wanted.offsets[order]
            self._sorted = wanted.users[order], past
        try:
            yield
        finally:
            self._known = self._sorted = None

    def _look(self, user: int, now: float) -> Past:
        if self._sorted is None:
            return self._read(user, now)
        users, (items, times, offsets) = self._sorted
        begin, end = np.searchsorted(users, [user, user + 1])
        end = begin + int(np.searchsorted(times[begin:end], now, side="right"))
        begin = max(begin, end - LAST)
        return items[begin:end], times[begin:end], offsets[begin:end]
