"""What people wanted before a moment, read from the log, and only once while events are folded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

from penchant.interests.history import LAST
from penchant.store.log import Events
from penchant.types import Ids, Times

Past = tuple[Ids, Times]


class Pasts:
    """Items and times a person wanted up to a moment, oldest first; one thread folds at a time."""

    def __init__(self, read: Callable[[int, float], Past]) -> None:
        self._read = read
        self._known: dict[tuple[int, float], Past] | None = None
        self._sorted: tuple[Ids, Ids, Times] | None = None

    def __call__(self, user: int, now: float) -> Past:
        """Return the newest of them."""
        if self._known is None:
            return self._read(user, now)
        found = self._known.get((user, now))
        if found is None:
            found = self._known[user, now] = self._look(user, now)
        return found

    @contextmanager
    def remembered(self, wanted: Events | None = None) -> Iterator[None]:
        """Ask the log once for each person and moment; not at all where all events are at hand."""
        self._known = {}
        if wanted is not None:
            order = np.lexsort((wanted.times, wanted.users))
            self._sorted = wanted.users[order], wanted.items[order], wanted.times[order]
        try:
            yield
        finally:
            self._known = self._sorted = None

    def _look(self, user: int, now: float) -> Past:
        if self._sorted is None:
            return self._read(user, now)
        users, items, times = self._sorted
        begin, end = np.searchsorted(users, [user, user + 1])
        end = begin + int(np.searchsorted(times[begin:end], now, side="right"))
        begin = max(begin, end - LAST)
        return items[begin:end], times[begin:end]
