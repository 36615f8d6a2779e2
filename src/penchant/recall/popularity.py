"""Decayed popularity at any moment, exact: a fold over the shared log.

Each half-life keeps one running sum per item, scaled so that time passing costs nothing: an event
at t is added as 2^((t - origin) / half-life), and reading at `now` multiplies by
2^(-(now - origin) / half-life). The events themselves are kept, 12 bytes each, because a reader
may ask for a moment that has passed (training rows, replay, `now=`): then sums are used that end
before that moment, and nothing later leaks in.

The sums in use end a few hundred events before the last: requests whose clocks differ a little, and
events that come a little late, find them still right.
"""

from __future__ import annotations

import threading
from collections import OrderedDict

import numpy as np
import numpy.typing as npt

from penchant.recall.moment import Base, Moment
from penchant.types import Ids, Times

DAY = 86_400.0
HALF_LIVES = (1 * DAY, 7 * DAY, 30 * DAY, 3650 * DAY)
_LIVES = np.array(HALF_LIVES)
_REBASE = 200.0  # half-lives after which the running sums are scaled back (float64 holds 2^1023)
_LATE, _LAG = 512, 128  # events after the sums: as many as are put up with, as many as are left
_WIDE, _TIMES = 50_000, 4  # items by which both grow, as sums are copied whole; up to so often
_BASES, _MOMENTS = 3, 8  # how many of each are kept


class Popularity:
    """Decayed counts per item at `HALF_LIVES`, and when each item was first and last wanted."""

    def __init__(self, items: Ids | None = None, times: Times | None = None) -> None:
        self._lock = threading.Lock()
        self._items: Ids = np.zeros(0, dtype=np.int32)
        self._times: Times = np.zeros(0, dtype=np.float64)
        self._size = 0
        self._bases: list[Base] = []  # the one used last comes last
        self._moments: OrderedDict[tuple[float, int], Moment] = OrderedDict()
        if items is not None and times is not None:
            self.fold(items, times)

    def fold(self, items: Ids, times: Times, *, anew: bool = False) -> None:
        """Take in events of any order; those earlier than what was read are inserted in place.

        `anew`: in place of all events before.
        """
        if not len(items) and not anew:
            return
        order = np.argsort(times, kind="stable")
        items, times = items[order].astype(np.int32), times[order].astype(np.float64)
        with self._lock:
            self._moments.clear()
            if anew:
                self._size, self._bases = 0, []
            size = self._size
            # What is at least as old as these stays where it is.
            start = size
            if size:
                start = int(np.searchsorted(self._times[:size], times[0], side="right"))
            if start < size:
                place = np.searchsorted(self._times[start:size], times, side="right")
                items = np.insert(self._items[start:size], place, items)
                times = np.insert(self._times[start:size], place, times)
                self._bases = [base for base in self._bases if base.read <= start]
            need = start + len(items)
            if need > len(self._times):
                room = max(need, 2 * len(self._times), 1024) - len(self._times)
                self._items = np.concatenate((self._items, np.zeros(room, dtype=np.int32)))
                self._times = np.concatenate((self._times, np.zeros(room)))
            self._items[start:need] = items
            self._times[start:need] = times
            self._size = need

    def moment(self, now: float, n_items: int) -> Moment:
        """Return the counts at `now`; asked again for the same moment it costs nothing."""
        key = (now, n_items)
        with self._lock:
            found = self._moments.get(key)
            if found is None:
                until = int(np.searchsorted(self._times[: self._size], now, side="right"))
                base = self._base(until, n_items)
                late = slice(base.read, until)
                # Copies: what is folded meanwhile may move the events.
                items, times = self._items[late].copy(), self._times[late].copy()
                found = Moment(base, items, times, now, n_items, _LIVES)
                self._moments[key] = found
                if len(self._moments) > _MOMENTS:
                    self._moments.popitem(last=False)
            return found

    def at(self, now: float, n_items: int) -> npt.NDArray[np.float32]:
        """Return float32[len(HALF_LIVES), n_items]: decayed counts of the events up to `now`."""
        moment = self.moment(now, n_items)
        return np.stack([moment.row(row) for row in range(len(HALF_LIVES))])

    def first_seen(self, now: float, n_items: int) -> Times:
        """Return float64[n_items]: when each item was first wanted, inf where never by `now`."""
        return self.moment(now, n_items).first(np.arange(n_items, dtype=np.int32))

    def last_seen(self, now: float, n_items: int) -> Times:
        """Return float64[n_items]: when each item was last wanted, -inf where never by `now`."""
        return self.moment(now, n_items).last(np.arange(n_items, dtype=np.int32))

    def _base(self, until: int, n_items: int) -> Base:
        """Return sums that end at or a little before event `until`, wide enough for everything."""
        usable = [base for base in self._bases if base.read <= until]
        base = max(usable, key=lambda b: b.read) if usable else self._nothing()
        fresh = base
        times = min(_TIMES, 1 + base.width // _WIDE)
        if until - base.read > times * _LATE or (not usable and until > _LAG):
            fresh = self._advanced(base, max(until - times * _LAG, base.read))
        # A reader may still ask for a smaller catalogue than the events it has not read name.
        late = self._items[fresh.read : until]
        fresh = _widened(fresh, max(n_items, int(late.max(initial=-1)) + 1))
        if fresh is not base or not usable:
            # In place of the one it was made from: that is needed by older questions only.
            others = [b for b in self._bases if b is not base]
            self._bases = [*others, fresh][-_BASES:]
        return fresh

    def _nothing(self) -> Base:
        start = float(self._times[0]) if self._size else 0.0
        empty = np.zeros(0)
        return Base(np.zeros((len(_LIVES), 0)), empty, empty, np.full(len(_LIVES), start), 0)

    def _advanced(self, base: Base, to: int) -> Base:
        """Return the sums over the first `to` events."""
        items, times = self._items[base.read : to], self._times[base.read : to]
        if not len(items):
            return base
        wide = _widened(base, int(items.max()) + 1)
        sums, origin = wide.sums.copy(), wide.origin.copy()
        if not base.read:
            origin[:] = times[0]  # a late event may lie before what was the first when it was made
        changed, place = np.unique(items, return_inverse=True)
        for row, life in enumerate(_LIVES):
            # A long jump is taken in one go: what is older than the rebase window underflows to 0.
            ahead = (times[-1] - origin[row]) / life
            if ahead > _REBASE:
                sums[row] *= np.exp2(-ahead)
                origin[row] = times[-1]
            weights = np.exp2((times - origin[row]) / life)
            sums[row, changed] += np.bincount(place, weights=weights, minlength=len(changed))
        first, last = wide.first.copy(), wide.last.copy()
        np.minimum.at(first, items, times)
        np.maximum.at(last, items, times)
        later = Base(sums, first, last, origin, to)
        wide.hand_over(later, changed.astype(np.int32))
        return later


def _widened(base: Base, n_items: int) -> Base:
    if n_items <= base.width:
        return base
    more = max(n_items, int(1.2 * base.width)) - base.width
    return Base(
        np.pad(base.sums, ((0, 0), (0, more))),
        np.pad(base.first, (0, more), constant_values=np.inf),
        np.pad(base.last, (0, more), constant_values=-np.inf),
        base.origin,
        base.read,
    )
