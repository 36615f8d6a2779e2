"""An opening for cold items: the last place of a slate, for one that almost deserves it.

An item with few events looks bad to every model that learns from events, so it gets none and
stays cold. The best such item that the ranker places within `REACH` slates takes the last place,
unless a cold one is in the slate already. Measured on `ml_100k`, arm "next": see docs/decisions.md.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from penchant.interests.state import State
from penchant.recall.popularity import Popularity
from penchant.types import Candidates, Query

FEW = 10.0  # wanted events below which an item is cold
REACH = 6  # slates deep that the opening looks
SMALLEST = 5  # a shorter slate has no place to give


class Opening:
    """A re-ranker: it moves one candidate up to place k, and keeps all others in order."""

    name = "opening"

    def __init__(self, popularity: Popularity) -> None:
        self._popularity = popularity

    def __call__(self, query: Query, state: State, candidates: Candidates) -> Candidates:
        """Return the same candidates, a cold one in place k where one is near and none is shown."""
        k = query.k
        if query.only is not None or k < SMALLEST or len(candidates) <= k or not len(state.liked):
            return candidates
        near = candidates.items[: REACH * k]
        ever = self._popularity.moment(query.now, query.n_items).counts(near)[-1]
        # An item nobody wanted at all is a guess; one that somebody wanted lately is a chance.
        cold = np.flatnonzero((ever < FEW) & (ever > 0))
        if not len(cold) or cold[0] < k:
            return candidates
        chosen = int(cold[0])
        places = np.arange(len(candidates))
        places[k - 1 : chosen + 1] = np.roll(places[k - 1 : chosen + 1], 1)
        return replace(
            candidates,
            items=candidates.items[places],
            scores=candidates.scores[places],
            features=candidates.features[places],
            origin=candidates.origin[places],
        )
