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
    """The counts at `now` of items 0..n-1: those of `base`, and the events after it."""

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
        self._more = np.zeros((len(lives), m))
        self._first, self._last = np.full(m, np.inf), np.full(m, -np.inf)
        if m:
            for row, life in enumerate(lives):
                weights = np.exp2(-(now - times) / life)
                self._more[row] = np.bincount(place, weights=weights, minlength=m)
            np.minimum.at(self._first, place, times)
            np.maximum.at(self._last, place, times)

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
        before = self._base.sums[row, self._late] * self._scale[row]
        if self._scale[row] > 0:
            known = self._base.sorted(row)
            higher = len(known) - np.searchsorted(known, counts / self._scale[row], side="right")
        else:
            higher = np.zeros(len(items), dtype=np.int64)
        # The late ones were counted as they were, and count as they are.
        stood = np.sort(before)
        stands = np.sort(before + self._more[row])
        places = np.searchsorted(stood, counts, "right") - np.searchsorted(stands, counts, "right")
        above: npt.NDArray[np.int64] = higher + places
        return above

    def rarely(self, few: float) -> Ids:
        """Return the items of the catalogue with a count over the longest life below `few`."""
        scale = self._scale[-1] * _SAME
        rare = self._base.sums[-1, : self.n] * scale < few
        inside = self._late < self.n
        late = self._late[inside]
        rare[late] = self._base.sums[-1, late] * scale + self._more[-1, inside] * _SAME < few
        return np.flatnonzero(rare).astype(np.int32)

    def top(self, row: int, k: int, allowed: Mask | None) -> Ids:
        """Return at most `k` items with a count, the highest over one life first, all allowed."""
        sums, scale = self._base.sums[row], self._scale[row]
        reach = 4 * k + len(self._late)
        while True:
            known = self._base.sorted(row)
            floor = known[-reach] if reach <= len(known) else 0.0
            seen = sums[: self.n] >= floor if floor > 0 else sums[: self.n] > 0
            seen[self._late[self._late < self.n]] = True
            found: Ids = np.flatnonzero(seen).astype(np.int32)
            if allowed is not None:
                found = found[found < len(allowed)]
                found = found[allowed[found]]
            counts = self._exact(found)[row]
            if floor > 0:
                # What lies below the floor cannot be told from here.
                sure = counts >= floor * scale
                found, counts = found[sure], counts[sure]
            some = counts.astype(np.float32) > 0
            found, counts = found[some], counts[some]
            if len(found) >= k or floor <= 0:
                break
            reach *= 8
        best = np.argsort(-np.log1p(counts.astype(np.float32)), kind="stable")[:k]
        return found[best]

    def _exact(self, items: Ids) -> Sums:
        out: Sums = self._base.sums[:, items] * self._scale[:, None]
        if len(self._late):
            place = np.minimum(np.searchsorted(self._late, items), len(self._late) - 1)
            hit = np.flatnonzero(self._late[place] == items)
            out[:, hit] += self._more[:, place[hit]]
        return out

    def _with_late(self, items: Ids, known: Times, late: Times, pick: Any) -> Times:
        if len(self._late):
            place = np.minimum(np.searchsorted(self._late, items), len(self._late) - 1)
            hit = np.flatnonzero(self._late[place] == items)
            known[hit] = pick(known[hit], late[place[hit]])
        return known


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
        out: Floats = np.full(len(wanted), np.nan, dtype=np.float32)
        inside = wanted < self._moment.n
        out[inside] = _logarithm(self._moment.counts(wanted[inside])[self._row])
        return out


def _logarithm(counts: Floats) -> Floats:
    return np.where(counts > 0, np.log1p(counts), np.nan).astype(np.float32)
