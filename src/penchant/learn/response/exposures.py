"""Exposures: what somebody was faced with, and whether they wanted it.

Of two kinds. "judged": every event whose value is a judgement (stars), wanted or not. "shown":
every event that says an item was shown (an impression), wanted where the person wanted the item
within a day of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from penchant.ingest.kinds import Kinds
from penchant.store.log import Events
from penchant.types import Floats, Ids, Mask, Times

SHOWN = "impression"
WITHIN = 86_400.0  # seconds after it was shown in which an item is wanted for it
LEAST = 200  # exposures of either outcome below which nothing is learned


@dataclass(frozen=True)
class Exposures:
    """Exposures in the order of time; arrays of one length. `values` float32[m] is NaN for none.

    `basis` is "judged" or "shown". `contexts` are JSON, empty where none has one.
    """

    basis: str
    users: Ids
    items: Ids
    times: Times
    wanted: Mask
    values: Floats
    contexts: tuple[str | None, ...] = ()

    def __len__(self) -> int:
        return len(self.items)


@dataclass(frozen=True)
class Valued:
    """What events of one kind were worth, in the order of time."""

    kind: str
    users: Ids
    items: Ids
    times: Times
    values: Floats


def exposures(events: Events, kinds: Kinds) -> Exposures | None:
    """Return the exposures of a log, None where too few are known of either outcome."""
    strengths = kinds.strength(events.kind_names, events.kinds, events.values)
    wanted: Mask = strengths >= np.float32(kinds.config.wanted_from)
    stars = [at for at, name in enumerate(events.kind_names) if kinds.unit(name) == "stars"]
    judged = np.isin(events.kinds, stars) & np.isfinite(events.values) & (events.items >= 0)
    shown = (events.items >= 0) & _named(events, SHOWN)
    found = [_of(events, "judged", judged, wanted)]
    if shown.any():
        found.append(_of(events, "shown", shown, _answered(events, shown, wanted)))
    enough = [one for one in found if min(one.wanted.sum(), (~one.wanted).sum()) >= LEAST]
    return max(enough, key=len, default=None)


def valued(events: Events) -> Valued | None:
    """Return what events of the kind that most often has a value were worth, None for too few."""
    worth = np.isfinite(events.values) & (events.items >= 0) & ~_named(events, SHOWN)
    counts = np.bincount(events.kinds[worth], minlength=len(events.kind_names))
    if not len(counts) or counts.max() < 2 * LEAST:
        return None
    kind = int(np.argmax(counts))
    own = np.flatnonzero(worth & (events.kinds == kind))
    own = own[np.argsort(events.times[own], kind="stable")]
    values = events.values[own]
    if float(values.std()) == 0.0:
        return None
    name = events.kind_names[kind]
    return Valued(name, events.users[own], events.items[own], events.times[own], values)


def _named(events: Events, kind: str) -> Mask:
    codes = [at for at, name in enumerate(events.kind_names) if name == kind]
    found: Mask = np.isin(events.kinds, codes)
    return found


def _of(events: Events, basis: str, keep: Mask, wanted: Mask) -> Exposures:
    place = np.flatnonzero(keep)
    place = place[np.argsort(events.times[place], kind="stable")]
    told = tuple(events.contexts[at] for at in place.tolist()) if events.contexts else ()
    return Exposures(
        basis,
        events.users[place],
        events.items[place],
        events.times[place],
        wanted[place],
        events.values[place],
        told,
    )


def _answered(events: Events, shown: Mask, wanted: Mask) -> Mask:
    """Return bool[n]: which of the events `shown` were followed by a wish for the item."""
    wish = wanted & ~shown & (events.items >= 0)
    place = np.flatnonzero(shown | wish)
    # By person, item and time; of one moment, what was shown before the wish.
    order = place[
        np.lexsort((wish[place], events.times[place], events.items[place], events.users[place]))
    ]
    last = len(order)
    next_wish = np.where(wish[order], np.arange(last), last)
    next_wish = np.minimum.accumulate(next_wish[::-1])[::-1]
    inside = next_wish < last
    following = order[np.minimum(next_wish, last - 1)]
    out = np.zeros(len(events), dtype=np.bool_)
    out[order] = (
        inside
        & (events.users[following] == events.users[order])
        & (events.items[following] == events.items[order])
        & (events.times[following] - events.times[order] <= WITHIN)
    )
    return out & shown
