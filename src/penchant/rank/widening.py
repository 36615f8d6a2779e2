"""Widening: a place near the end of a slate for something the person may come to like.

Whatever learns from what somebody wanted shows them more of it. So one of the last places is held
for the best of what was proposed for them and that they never touched, if the ranker puts it into
the better part of the pool and nothing of the kind is in the slate already. How many places are
held follows from what earlier proposals earned, and never exceeds what the policy grants.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from penchant.interests.state import State
from penchant.recall.expansion import NAME
from penchant.types import Candidates, Query

REACH = 0.4  # of the pool, from the top: what lies below is not for this person
SMALLEST = 5  # a shorter slate has no place to give
LEAST = 3  # wishes of a person before it is said what they may like besides
Places = Callable[[Query], int]


class Widening:
    """A re-ranker: it moves candidates up to the places before the last, and keeps the others."""

    name = "widening"

    def __init__(self, places: Places) -> None:
        self._places = places

    def __call__(self, query: Query, state: State, candidates: Candidates) -> Candidates:
        """Return the same candidates, proposed ones in the places before the last."""
        k = query.k
        most = query.policy.widen
        given = query.only is not None or query.text
        if most < 1 or given or k < SMALLEST or len(candidates) <= k or len(state.liked) < LEAST:
            return candidates
        if NAME not in candidates.sources:
            return candidates
        bit = np.uint32(1 << candidates.sources.index(NAME))
        proposed = (candidates.origin & bit) > 0
        if not proposed.any():
            return candidates
        wanted = min(most, self._places(query), k // 3) - int(proposed[:k].sum())
        reach = max(k, int(REACH * len(candidates)))
        able = k + np.flatnonzero(proposed[k:reach])[: max(0, wanted)]
        if not len(able):
            return candidates
        order = np.arange(len(candidates))
        rest = np.setdiff1d(order, able)
        # The last place is left to who has it: an opening for what is new may.
        first = rest[: k - 1 - len(able)]
        last = rest[k - 1 : k]
        between = rest[k - 1 - len(able) : k - 1]
        order = np.concatenate((first, able, last, between, rest[k:]))
        return replace(
            candidates,
            items=candidates.items[order],
            scores=candidates.scores[order],
            features=candidates.features[order],
            origin=candidates.origin[order],
        )
