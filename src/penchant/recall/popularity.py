"""Decayed popularity at any moment, exact: a fold over the shared log.

Each half-life keeps one running sum per item, scaled so that time passing costs nothing: an event
at t is added as 2^((t - origin) / half-life), and reading at `now` multiplies by
2^(-(now - origin) / half-life). The events themselves are kept, 12 bytes each, because a reader
may ask for a moment that has passed (training rows, replay, `now=`): then the sums are rebuilt up
to that moment and nothing later leaks in.
"""

from __future__ import annotations

import threading

import numpy as np
import numpy.typing as npt

from penchant.types import Ids, Times

DAY = 86_400.0
HALF_LIVES = (1 * DAY, 7 * DAY, 30 * DAY, 3650 * DAY)
_REBASE = 200.0  # half-lives after which the running sums are scaled back (float64 holds 2^1023)


class Popularity:
    """Decayed counts per item at `HALF_LIVES`, and when each item was first and last wanted."""

    def __init__(self, items: Ids | None = None, times: Times | None = None) -> None:
        self._lock = threading.Lock()
        self._items: Ids = np.zeros(0, dtype=np.int32)
        self._times: Times = np.zeros(0, dtype=np.float64)
        self._reset(0)
        if items is not None and times is not None:
            self.fold(items, times)

    def fold(self, items: Ids, times: Times) -> None:
        """Take in events of any order; those earlier than what was read are inserted in place."""
        if not len(items):
            return
        with self._lock:
            order = np.argsort(times, kind="stable")
            items, times = items[order].astype(np.int32), times[order].astype(np.float64)
            if len(self._times) and times[0] < self._times[-1]:
                place = np.searchsorted(self._times, times, side="right")
                self._items = np.insert(self._items, place, items)
                self._times = np.insert(self._times, place, times)
                if place[0] < self._read:
                    self._reset(len(self._first))
            else:
                self._items = np.concatenate((self._items, items))
                self._times = np.concatenate((self._times, times))

    def at(self, now: float, n_items: int) -> npt.NDArray[np.float32]:
        """Return float32[len(HALF_LIVES), n_items]: decayed counts of the events up to `now`."""
        with self._lock:
            self._advance(now, n_items)
            # Before the first event every sum is 0, whatever age the origin would have.
            ages = np.maximum(now - self._origin, 0.0)
            decayed = self._sums[:, :n_items] * np.exp2(-ages / self._lives)[:, None]
            counts: npt.NDArray[np.float32] = decayed.astype(np.float32)
            return counts

    def first_seen(self, now: float, n_items: int) -> Times:
        """Return float64[n_items]: when each item was first wanted, inf where never by `now`."""
        with self._lock:
            self._advance(now, n_items)
            return self._first[:n_items].copy()

    def last_seen(self, now: float, n_items: int) -> Times:
        """Return float64[n_items]: when each item was last wanted, -inf where never by `now`."""
        with self._lock:
            self._advance(now, n_items)
            return self._last[:n_items].copy()

    def _reset(self, n_items: int) -> None:
        self._lives = np.array(HALF_LIVES)
        self._sums = np.zeros((len(HALF_LIVES), n_items))
        self._first = np.full(n_items, np.inf)
        self._last = np.full(n_items, -np.inf)
        self._read = 0
        self._origin = np.full(len(HALF_LIVES), float(self._times[0]) if len(self._times) else 0.0)

    def _advance(self, now: float, n_items: int) -> None:
        until = int(np.searchsorted(self._times, now, side="right"))
        if until < self._read:
            self._reset(max(n_items, self._sums.shape[1]))
        # A reader may still ask for a smaller catalogue than the events it has not read name.
        unread = self._items[self._read : until]
        n_items = max(n_items, int(unread.max(initial=-1)) + 1)
        if n_items > self._sums.shape[1]:
            grown = max(n_items, int(1.2 * self._sums.shape[1]))
            more = grown - self._sums.shape[1]
            self._sums = np.pad(self._sums, ((0, 0), (0, more)))
            self._first = np.pad(self._first, (0, more), constant_values=np.inf)
            self._last = np.pad(self._last, (0, more), constant_values=-np.inf)
        if until == self._read:
            return
        if self._read == 0:
            self._origin[:] = self._times[0]
        items, times = unread, self._times[self._read : until]
        width = self._sums.shape[1]
        for row, life in enumerate(self._lives):
            # A long jump is taken in one go: what is older than the rebase window underflows to 0.
            ahead = (times[-1] - self._origin[row]) / life
            if ahead > _REBASE:
                self._sums[row] *= np.exp2(-ahead)
                self._origin[row] = times[-1]
            weight = np.exp2((times - self._origin[row]) / life)
            self._sums[row] += np.bincount(items, weights=weight, minlength=width)
        np.minimum.at(self._first, items, times)
        np.maximum.at(self._last, items, times)
        self._read = until
