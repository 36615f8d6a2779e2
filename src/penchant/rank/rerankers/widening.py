"""Widening: a place near the end of a slate for something the person may come to like.

Whatever learns from what somebody wanted shows them more of it. So one of the last places is held
for something that was proposed for them and that they never touched, where it costs little: the
ranker puts it into the better part of the pool and not far below who has the place, and nothing of
the kind is in the slate already. Of those that are near enough the least wanted is shown: the
others are found without help. How many places are held follows from what earlier proposals earned,
and never exceeds what the policy grants. Measured: docs/decisions.md.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from penchant.interests.state import State
from penchant.rank.stage import taken
from penchant.recall.expansion import NAME
from penchant.recall.popularity import HALF_LIVES, Popularity
from penchant.types import Candidates, Query

REACH = 0.4  # of the pool, from the top: what lies below is not for this person
COST = 0.5  # of how far the scores of a slate lie apart, that a place may cost at most
NEAREST = 10  # that are near enough, the best first, of which the least wanted is shown
SMALLEST = 5  # a shorter slate has no place to give
LEAST = 3  # wishes of a person before it is said what they may like besides
Places = Callable[[Query], int]

_MONTH = len(HALF_LIVES) - 2


class Widening:
    """A re-ranker: it moves candidates up to the places before the last, and keeps the others.

    What nothing but the proposals brought into the pool is in a slate only by such a place: the
    ranker has never seen its like.
    """

    name = "widening"

    def __init__(self, places: Places, popularity: Popularity) -> None:
        self._places, self._popularity = places, popularity

    def __call__(self, query: Query, state: State, candidates: Candidates) -> Candidates:
        """Return the same candidates, proposed ones in the places before the last."""
        if NAME not in candidates.sources:
            return candidates
        # Whoever brought them: of most proposed items another source thought too.
        proposed = np.isfinite(candidates.features[:, candidates.names.index(NAME)])
        if not proposed.any():
            return candidates
        k = query.k
        order = np.arange(len(candidates))
        alone = candidates.origin == np.uint32(1 << candidates.sources.index(NAME))
        first = np.concatenate((order[~alone], order[alone]))[:k]
        held = self._held(query, state, candidates, first, proposed)
        if not len(held) and not alone[:k].any():
            return candidates
        if len(held):
            # The last place is left to who has it: an opening for what is new may.
            first = np.concatenate((first[: k - 1 - len(held)], held, first[-1:]))
        order = np.concatenate((first, np.setdiff1d(order, first)))
        return taken(candidates, order)

    def _held(
        self,
        query: Query,
        state: State,
        candidates: Candidates,
        first: np.ndarray,
        proposed: np.ndarray,
    ) -> np.ndarray:
        """Return who gets a place in the slate `first`, by their places in the pool."""
        k, most, nobody = query.k, query.policy.widen, np.zeros(0, dtype=np.int64)
        given = query.only is not None or query.text
        if most < 1 or given or k < SMALLEST or len(candidates) <= k or len(state.liked) < LEAST:
            return nobody
        wanted = min(most, self._places(query), k // 3) - int(proposed[first].sum())
        if wanted < 1:
            return nobody
        reach = max(k, int(REACH * len(candidates)))
        able = np.setdiff1d(np.flatnonzero(proposed[:reach]), first)
        scores = candidates.scores
        displaced = scores[first[k - 1 - wanted]]
        apart = float(scores[first[0]] - displaced)
        able = able[displaced - scores[able] <= COST * apart][:NEAREST]
        if not len(able):
            return nobody
        moment = self._popularity.moment(query.now, query.n_items)
        counts = moment.counts(candidates.items[able])[_MONTH]
        chosen: np.ndarray = np.sort(able[np.argsort(counts, kind="stable")[:wanted]])
        return chosen
