"""The contract of a recall source: scores for the catalogue, dense or sparse, and learning by fold.

One method where the design sketched two lists: a source that returns its *scores* lets `gather`
choose how many to take, mask what may not be shown before anything is chosen, and ask for the score
of a candidate that another source proposed, without computing anything twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from penchant.interests.state import State
from penchant.store.log import Events
from penchant.types import Error, Floats, Ids, Mask, Query

_COLUMNS = 4  # as many groups of items for each that is looked for


class NotReady(Error):
    """What a source raises that will answer in a moment: this question is answered without it."""


class Opinion(Protocol):
    """What a source thinks of the catalogue. NaN in `at`, and being absent, mean: nothing."""

    def top(self, k: int, allowed: Mask | None) -> Ids:
        """Return at most `k` item numbers, best first, all of them allowed."""
        ...

    def at(self, wanted: Ids) -> Floats:
        """Return the value of each wanted item."""
        ...


@dataclass(frozen=True, slots=True)
class Scores:
    """A source's opinion: `values` for `items`, or for items 0..n-1 when `items` is None.

    Higher is better. NaN, and being absent, mean that the source has no opinion on the item.
    """

    values: Floats
    items: Ids | None = None

    def top(self, k: int, allowed: Mask | None) -> Ids:
        """Return at most `k` item numbers, best first, all of them allowed and with an opinion."""
        values, items = self.values, self.items
        may = allowed if allowed is None or items is None else allowed[items]
        if may is not None and len(may) != len(values):
            values, may = values[: len(may)], may[: len(values)]
        kept = _likely(values, may, k)
        if kept is None and may is not None and len(values) >= 8 * _COLUMNS * k:
            # Many of the best may not be shown.
            kept = _likely(np.where(may, values, np.float32(-np.inf)), None, k)
        if kept is None:
            ok = np.isfinite(values)
            kept = np.flatnonzero(ok if may is None else ok & may)
        if len(kept) > 8 * k:  # else to sort them all is quicker than to part them first
            kept = np.sort(kept[np.argpartition(-values[kept], k - 1)[:k]])
        kept = kept[np.argsort(-values[kept], kind="stable")[:k]]
        return (kept if items is None else items[kept]).astype(np.int32)

    def at(self, wanted: Ids) -> Floats:
        """Return the value of each wanted item, NaN where there is no opinion."""
        if self.items is None and len(wanted) and int(wanted.max()) < len(self.values):
            return self.values[wanted]
        out: Floats = np.full(len(wanted), np.nan, dtype=np.float32)
        if self.items is None:
            inside = wanted < len(self.values)
            out[inside] = self.values[wanted[inside]]
        elif len(self.items):
            if bool((self.items[1:] > self.items[:-1]).all()):
                place = np.searchsorted(self.items, wanted)
                place = np.minimum(place, len(self.items) - 1)
            else:
                order = np.argsort(self.items, kind="stable")
                place = np.searchsorted(self.items, wanted, sorter=order)
                place = order[np.minimum(place, len(order) - 1)]
            found = self.items[place] == wanted
            out[found] = self.values[place[found]]
        return out


def _likely(values: Floats, allowed: Mask | None, k: int) -> npt.NDArray[np.intp] | None:
    """Return places that hold the best `k`, and not many more; None where that needs a full look.

    The highest of each of some groups are `2k` different items at least that reach the highest of
    the 2k-th group. If at least `k` of all that do may be taken, the best k are among them.
    """
    n, enough = len(values), 2 * k
    rows = n // (_COLUMNS * max(enough, 1))
    if rows < 4 or k < 1:
        return None
    columns = n // rows
    # Neighbours are in different groups: they are often alike.
    highest = np.fmax.reduce(values[: rows * columns].reshape(rows, columns), axis=0)
    floor = np.partition(highest, columns - enough)[columns - enough]
    if not np.isfinite(floor):
        return None
    places = np.flatnonzero(values >= floor)
    if allowed is not None:
        places = places[allowed[places]]
    # None of them is NaN: that reaches nothing.
    return places if len(places) >= k and values[places].max() < np.inf else None


class Source(Protocol):
    """One way to propose items. `fold` learns from events that others recorded since."""

    @property
    def name(self) -> str:
        """What features, traces and reasons call the source."""
        ...

    def score(self, query: Query, state: State) -> Opinion | None:
        """Return what the source thinks of the catalogue for this person; None for nothing."""
        ...

    def fold(self, tail: Events, *, anew: bool = False) -> None:
        """Learn from wanted events that were recorded since; `anew`, in place of those before."""
        ...
