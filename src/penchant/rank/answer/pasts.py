"""What people wanted before a moment: read from the log once, then kept up with what is recorded.

Every event that is folded asks what its person wanted before. Those who act now act again soon, so
the last of what they wanted stays at hand, a kilobyte a person, and the log is read for the others.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt

from penchant.interests.history import LAST
from penchant.recall.pairing import WINDOW
from penchant.store.log import Events
from penchant.types import Ids, Times

PEOPLE = 10_000  # of whom the last is kept, those who acted lately
_KEPT = 2 * WINDOW  # events of a person; as many more before the oldest go
Past = tuple[Ids, Times, npt.NDArray[np.int64]]


class Pasts:
    """What a person wanted up to a moment, of what was recorded up to an offset, oldest first.

    `read` gives items, times and offsets, oldest first, of the last `LAST` recorded. One thread
    folds at a time, and tells of every event in order, once (`add`), before it asks about it.
    """

    def __init__(self, read: Callable[[int, float], Past]) -> None:
        self._read = read
        self._known: OrderedDict[int, _Kept] = OrderedDict()
        self._sorted: tuple[Ids, Past] | None = None

    def __call__(self, user: int, now: float, offset: int) -> tuple[list[int], list[float]]:
        """Return the items and times of the newest of them, at least `WINDOW` + 1 if there are."""
        past = self._known.get(user)
        if past is None:
            past = self._known[user] = self._begun(user)
            if self._sorted is None and len(self._known) > PEOPLE:
                self._known.popitem(last=False)
        else:
            self._known.move_to_end(user)
        found = past.until(now, offset)
        if found is None:  # further back than what is kept
            found = _Kept(self._read(user, now), whole=True).until(now, offset)
            assert found is not None
        return found

    def add(self, tail: Events) -> None:
        """Take in what was recorded since; those who are not at hand are read when asked about."""
        columns = (tail.users, tail.items, tail.times, tail.offsets)
        told = set()
        for user, item, time, offset in zip(*(c.tolist() for c in columns), strict=True):
            past = self._known.get(user)
            if past is None or item < 0:
                continue
            if user not in told:
                # Not while the events of one tail are taken in: each is asked about.
                past.shorten()
                told.add(user)
            past.add(item, time, offset)

    def drop(self, users: Ids) -> None:
        """Read what these people did anew when it is asked about."""
        for user in users.tolist():
            self._known.pop(user, None)

    @contextmanager
    def remembered(self, wanted: Events) -> Iterator[None]:
        """Ask these events in place of the log, and keep nothing of before: it may be wrong now."""
        order = np.lexsort((wanted.offsets, wanted.times, wanted.users))
        past = wanted.items[order], wanted.times[order], wanted.offsets[order]
        self._sorted = wanted.users[order], past
        self._known = OrderedDict()
        try:
            yield
        finally:
            self._known, self._sorted = OrderedDict(), None

    def _begun(self, user: int) -> _Kept:
        if self._sorted is None:
            found = self._read(user, np.inf)
            past = _Kept(found, whole=len(found[0]) < LAST)
            past.shorten()
            return past
        users, (items, times, offsets) = self._sorted
        begin, end = np.searchsorted(users, [user, user + 1])
        return _Kept((items[begin:end], times[begin:end], offsets[begin:end]), whole=True)


class _Kept:
    """One person's newest events in order of time, then of offset; all of them if `whole`."""

    __slots__ = ("_items", "_offsets", "_times", "_told", "_whole")

    def __init__(self, read: Past, *, whole: bool) -> None:
        items, times, offsets = read
        self._items = array("i", items.astype(np.int32).tobytes())
        self._times = array("d", times.astype(np.float64).tobytes())
        self._offsets = array("q", offsets.astype(np.int64).tobytes())
        self._told = max(self._offsets, default=0)
        self._whole = whole

    def until(self, now: float, offset: int) -> tuple[list[int], list[float]] | None:
        """Return the newest up to a moment and an offset; None if that needs a longer look."""
        end = bisect_right(self._times, now)
        begin = max(0, end - WINDOW - 1)
        if max(self._offsets[begin:end], default=0) <= offset:
            if begin == 0 and not self._whole and end <= WINDOW:
                return None
            return self._items[begin:end].tolist(), self._times[begin:end].tolist()
        places = [place for place in range(end) if self._offsets[place] <= offset]
        if len(places) <= WINDOW and not self._whole:
            return None
        places = places[-WINDOW - 1 :]
        return [self._items[place] for place in places], [self._times[place] for place in places]

    def add(self, item: int, time: float, offset: int) -> None:
        """Take in one event; not again what was read with what was recorded before."""
        if offset <= self._told:
            return
        self._told = offset
        place = bisect_right(self._times, time)
        if place == 0 and not self._whole:
            return  # what lies between it and the others is not known
        self._items.insert(place, item)
        self._times.insert(place, time)
        self._offsets.insert(place, offset)

    def shorten(self) -> None:
        """Let go of the oldest where there are many."""
        if len(self._times) > 2 * _KEPT:
            for column in (self._items, self._times, self._offsets):
                del column[:-_KEPT]
            self._whole = False
