"""An opening for new items: the last place of a slate, for one that has just begun to be wanted.

What nobody wanted until lately looks bad to every model that learns from what was wanted, so it
stays out of sight until the next training. The new item most wanted of late takes the last place,
if the ranker puts it into the better part of the pool and no new item is in the slate already. An
item wanted seldom for long is none of these: it had its chance. Measured: docs/decisions.md.
"""

from __future__ import annotations

import numpy as np

from penchant.interests.state import State
from penchant.rank.stage import taken
from penchant.recall.popularity import DAY, HALF_LIVES, Popularity
from penchant.types import Candidates, Query

NEW = 14 * DAY  # seconds since it was first wanted within which an item is new
ENOUGH = 3  # wanted events of a new item: one or two are chance
REACH = 0.4  # of the pool, from the top: what lies below is not for this person
SMALLEST = 5  # a shorter slate has no place to give

_WEEK, _EVER = HALF_LIVES.index(7 * DAY), len(HALF_LIVES) - 1


class Opening:
    """A re-ranker: it moves one candidate up to place k, and keeps all others in order."""

    name = "opening"

    def __init__(self, popularity: Popularity) -> None:
        self._popularity = popularity

    def __call__(self, query: Query, state: State, candidates: Candidates) -> Candidates:
        """Return the same candidates, a new one in place k where one is near and none is shown."""
        k = query.k
        if not query.policy.opening:
            return candidates
        near = candidates.items[: max(k, int(REACH * len(candidates)))]
        # Who asks for something is not shown something else.
        given = query.only is not None or query.text
        if given or k < SMALLEST or len(near) <= k or not len(state.liked):
            return candidates
        moment = self._popularity.moment(query.now, query.n_items)
        new = query.now - moment.first(near) < NEW
        if new[:k].any() or not new.any():
            return candidates
        counts = moment.counts(near)
        # Half an event of grace: the count of all times fades too, by a little.
        able = np.flatnonzero(new & (counts[_EVER] > ENOUGH - 0.5))
        if not len(able):
            return candidates
        # What is wanted is known before the ranker has learned from it; of equals its first.
        chosen = int(able[np.argmax(counts[_WEEK, able])])
        places = np.arange(len(candidates))
        places[k - 1 : chosen + 1] = np.roll(places[k - 1 : chosen + 1], 1)
        return taken(candidates, places)
