"""Popularity at one moment, read where it is needed: a few items, a rank, the first hundred.

A sum that is kept up to some event (`Base`) and the few events between it and the moment make the
counts of the moment. Bases never change, so moments can be read without a lock.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from penchant.types import Floats, Ids, Mask, Times

Sums = npt.NDArray[np.float64]
# Sums that differ by less are one count to the reader, who sees float32.
_SAME = 1.0 + 1e-7
_NOTHING = 1e-45  # below it float32 is 0
_FADED = 1e-200  # a scale at which no sum there can be comes near it


@dataclass(frozen=True, eq=False)
class Base:
    """Sums over the first `read` events, float64[lives, width], scaled to `origin` of each life.

    `first` and `last` float64[width] are when each item was first and last wanted.
    """

    sums: Sums
    first: Times
    last: Times
    origin: Times
    read: int
    _sorted: dict[int, Times] = field(default_factory=dict)
    _heads: dict[tuple[int, int], tuple[float, Ids, Times]] = field(default_factory=dict)

    @property
    def width(self) -> int:
        """How many items have a place."""
        return int(self.sums.shape[1])

    def sorted(self, row: int) -> Times:
        """Return the sums of one life in ascending order, kept for the next question."""
        found = self._sorted.get(row)
        if found is None:
            found = self._sorted[row] = np.sort(self.sums[row])
        return found

    def head(self, row: int, reach: int) -> tuple[float, Ids, Times]:
        """Return a sum that at least `reach` items have, all who have it, and their sums.

        0 and everybody with a sum where there are fewer.
        """
        found = self._heads.get((row, reach))
        if found is None:
            known = self.sorted(row)
            floor = max(0.0, float(known[-reach])) if reach <= len(known) else 0.0
            sums = self.sums[row]
            items = np.flatnonzero(sums >= floor if floor > 0 else sums > 0).astype(np.int32)
            found = self._heads[row, reach] = floor, items, sums[items]
        return found

    def hand_over(self, later: Base, changed: Ids) -> None:
        """Give `later`, in which only `changed` differ, the orders known here, brought up to it."""
        for row, known in list(self._sorted.items()):
            if later.width != self.width or later.origin[row] != self.origin[row]:
                continue
            old = np.sort(self.sums[row, changed])
            place = np.searchsorted(known, old, side="left")
            # Of equal sums the first, the second, ... is taken out.
            same = np.arange(len(old)) - np.searchsorted(old, old, side="left")
            rest = np.delete(known, place + same)
            new = np.sort(later.sums[row, changed])
            later._sorted[row] = np.insert(rest, np.searchsorted(rest, new), new)


class Moment:
    """The counts at `now` of items 0..n-1: those of `base`, and the events after it by time."""

    def __init__(
        self, base: Base, items: Ids, times: Times, now: float, n: int, lives: Times
    ) -> None:
        self.now = now
        self.n = n
        self._base = base
        # Before the first event every sum is 0, whatever age the origin would have.
        self._scale = np.exp2(-np.maximum(now - base.origin, 0.0) / lives)
        self._late, place = np.unique(items, return_inverse=True)
        m = len(self._late)
        self._is_late: Mask = np.zeros(base.width, dtype=np.bool_)
        self._is_late[self._late] = True
        self._asked: tuple[Ids, Sums] | None = None
        self._more = np.zeros((len(lives), m))
        self._first, self._last = np.full(m, np.inf), np.full(m, -np.inf)
        if m:
            weights = np.exp2((times - now) / lives[:, None])
            for row in range(len(lives)):
                self._more[row] = np.bincount(place, weights=weights[row], minlength=m)
            # Of an item's times, which ascend, the one that is written last stays.
            self._last[place] = times
            self._first[place[::-1]] = times[::-1]

    @property
    def base(self) -> Base:
        """The sums that this moment and its neighbours share."""
        return self._base

    @property
    def late(self) -> Ids:
        """The items of the catalogue with events that `base` does not hold, ascending."""
        return self._late[: np.searchsorted(self._late, self.n)]

    def counts(self, items: Ids) -> Floats:
        """Return float32[lives, len(items)]: the decayed counts of some items."""
        return self._exact(items).astype(np.float32)

    def row(self, row: int) -> Floats:
        """Return float32[n]: the decayed counts of all items over one life."""
        out = self._base.sums[row, : self.n] * self._scale[row]
        inside = self._late < self.n
        out[self._late[inside]] += self._more[row, inside]
        counts: Floats = out.astype(np.float32)
        return counts

    def first(self, items: Ids) -> Times:
        """Return float64[len(items)]: when each was first wanted, inf where never by now."""
        return self._with_late(items, self._base.first[items], self._first, np.minimum)

    def last(self, items: Ids) -> Times:
        """Return float64[len(items)]: when each was last wanted, -inf where never by now."""
        return self._with_late(items, self._base.last[items], self._last, np.maximum)

    def above(self, row: int, items: Ids) -> npt.NDArray[np.int64]:
        """Return int64[len(items)]: how many items of the catalogue have a higher count."""
        counts = np.maximum(self._exact(items)[row] * _SAME, _NOTHING)
        # Places of ascending counts are found in a fraction of the time.
        order = np.argsort(counts)
        counts = counts[order]
        before = self._before(row)
        # The late ones were counted as they were, and count as they are.
        stood, stands = np.sort(before), np.sort(before + self._more[row])
        higher = np.searchsorted(stood, counts, "right") - np.searchsorted(stands, counts, "right")
        if self._scale[row] > _FADED:
            known = self._base.sorted(row)
            limits = counts / self._scale[row]
            higher += len(known) - np.searchsorted(known, limits, side="right")
        above = np.empty(len(items), dtype=np.int64)
        above[order] = higher
        return above

    def rare(self, few: float) -> Mask:
        """Return bool[n]: which items have a count over the longest life below `few`."""
        scale = self._scale[-1] * _SAME
        sums = self._base.sums[-1]
        limit = few / scale if scale > 0 else np.copysign(np.inf, few)
        rare: Mask = sums[: self.n] < limit
        inside = self._late < self.n
        late = self._late[inside]
        rare[late] = sums[late] * scale + self._more[-1, inside] * _SAME < few
        return rare

    def top(self, row: int, k: int, allowed: Mask | None) -> Ids:
        """Return at most `k` items with a count, the highest over one life first, all allowed."""
        scale = self._scale[row]
        late, late_counts = self._late, self._before(row) + self._more[row]
        reach = 1 << (4 * max(k, 1) - 1).bit_length()  # one of few, to be found again
        while True:
            floor, found, sums = self._base.head(row, reach)
            # What lies below the floor cannot be told from here.
            least = floor * scale
            high = late_counts >= least if floor > 0 else slice(None)
            still = ~self._is_late[found]
            found = np.concatenate((found[still], late[high]))
            counts = np.concatenate((sums[still] * scale, late_counts[high]))
            values = np.log1p(counts.astype(np.float32))
            some = (values > 0) & (found < (self.n if allowed is None else len(allowed)))
            if allowed is not None and len(allowed):
                some &= allowed.take(found, mode="clip")
            found, values = found[some], values[some]
            if len(values) >= k or floor <= 0:
                break
            reach *= 8
        if len(values) > k:
            # All who tie for the last place stay, so that the first of them gets it.
            likely = values >= np.partition(values, len(values) - k)[len(values) - k]
            found, values = found[likely], values[likely]
        best: Ids = found[np.lexsort((found, -values))[:k]]
        return best

    def _before(self, row: int) -> Times:
        """Return what the late items count by now without the events that `base` lacks."""
        counts: Times = self._base.sums[row, self._late] * self._scale[row]
        return counts

    def _exact(self, items: Ids) -> Sums:
        # One pool of candidates is asked about again and again.
        asked = self._asked
        if asked is not None and asked[0] is items:
            return asked[1]
        out: Sums = self._base.sums[:, items] * self._scale[:, None]
        hit, place = self._hits(items)
        out[:, hit] += self._more[:, place]
        self._asked = items, out
        return out

    def _with_late(self, items: Ids, known: Times, late: Times, pick: Any) -> Times:
        hit, place = self._hits(items)
        known[hit] = pick(known[hit], late[place])
        return known

    def _hits(self, items: Ids) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """Return which of `items` are late ones, and which of these they are."""
        hit = np.flatnonzero(self._is_late[items])
        return hit, np.searchsorted(self._late, items[hit])


class Counted:
    """A source's opinion that is log(1 + count) over one life; no count, no opinion.

    `values` float32[n], of all items, are made only when somebody wants to see them.
    """

    items: Ids | None = None

    def __init__(self, moment: Moment, row: int) -> None:
        self._moment = moment
        self._row = row

    @property
    def values(self) -> Floats:
        """All opinions, NaN where there is none."""
        return _logarithm(self._moment.row(self._row))

    def top(self, k: int, allowed: Mask | None) -> Ids:
        """Return at most `k` item numbers, best first, all of them allowed and with an opinion."""
        return self._moment.top(self._row, k, allowed)

    def at(self, wanted: Ids) -> Floats:
        """Return the value of each wanted item, NaN where there is no opinion."""
        inside = wanted < self._moment.n
        if inside.all():  # as it came, which is known again
            return _logarithm(self._moment.counts(wanted)[self._row])
        out: Floats = np.full(len(wanted), np.nan, dtype=np.float32)
        out[inside] = _logarithm(self._moment.counts(wanted[inside])[self._row])
        return out


def _logarithm(counts: Floats) -> Floats:
    return np.where(counts > 0, np.log1p(counts), np.nan).astype(np.float32)
