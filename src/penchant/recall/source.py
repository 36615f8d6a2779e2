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
from penchant.types import Floats, Ids, Mask, Query


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
        ok = np.isfinite(values)
        if allowed is not None:
            if items is None:
                n = min(len(values), len(allowed))
                ok[:n] &= allowed[:n]
                ok[n:] = False
            else:
                ok &= allowed[items]
        kept = np.flatnonzero(ok)
        if len(kept) > k:
            best = np.argpartition(-values[kept], k - 1)[:k]
            kept = kept[best]
        kept = kept[np.argsort(-values[kept], kind="stable")]
        return (kept if items is None else items[kept]).astype(np.int32)

    def at(self, wanted: Ids) -> Floats:
        """Return the value of each wanted item, NaN where there is no opinion."""
        out: npt.NDArray[np.float32] = np.full(len(wanted), np.nan, dtype=np.float32)
        if self.items is None:
            inside = wanted < len(self.values)
            out[inside] = self.values[wanted[inside]]
        elif len(self.items):
            order = np.argsort(self.items, kind="stable")
            place = np.searchsorted(self.items, wanted, sorter=order)
            place = order[np.minimum(place, len(order) - 1)]
            found = self.items[place] == wanted
            out[found] = self.values[place[found]]
        return out


class Source(Protocol):
    """One way to propose items. `fold` learns from events that others recorded since."""

    @property
    def name(self) -> str:
        """What features, traces and reasons call the source."""
        ...

    def score(self, query: Query, state: State) -> Scores | None:
        """Return what the source thinks of the catalogue for this person; None for nothing."""
        ...

    def fold(self, tail: Events) -> None:
        """Learn from wanted events that were recorded since."""
        ...
