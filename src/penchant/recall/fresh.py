"""Recall of new and cold items: those behaviour does not know yet, by their text or newness."""

from __future__ import annotations

import numpy as np

from penchant.interests.state import DAY, State
from penchant.recall.popularity import Popularity
from penchant.recall.source import Scores, Source
from penchant.store.columns import ItemColumns
from penchant.store.log import Events
from penchant.types import Query


class Fresh:
    """Scores items with fewer than `few` wanted events by text nearness plus newness.

    Every other source knows an item by what people did with it; this one keeps the door open for
    items that have not had their chance. Newness halves every `days_half` days since the item was
    released or first wanted; an item without either date is judged by its text alone.
    """

    def __init__(
        self,
        name: str,
        popularity: Popularity,
        text: Source | None,
        columns: ItemColumns,
        *,
        few: float = 5.0,
        days_half: float = 14.0,
    ) -> None:
        self.name = name
        self._popularity = popularity
        self._text = text
        self._columns = columns
        self._few = few
        self._days_half = days_half

    def score(self, query: Query, state: State) -> Scores | None:
        """Return sparse scores of the cold items; None when the catalogue has none."""
        n = query.n_items
        moment = self._popularity.moment(query.now, n)
        cold = moment.rarely(self._few)
        if not len(cold):
            return None
        born = np.minimum(moment.first(cold), self._columns.released[:n][cold])
        age = np.maximum(query.now - born, 0.0)
        age[np.isinf(born)] = np.inf  # neither date is known: nothing says that it is new
        newness = np.exp2(-age / (self._days_half * DAY))
        values = newness.astype(np.float32)
        near = self._text.score(query, state) if self._text is not None else None
        if near is not None:
            values = values * 0.5 + np.nan_to_num(near.at(cold.astype(np.int32)), nan=0.0)
        # An item that is neither new nor near anything has no claim to a place.
        claim = values > 1e-3
        return Scores(values[claim], cold[claim].astype(np.int32)) if claim.any() else None

    def fold(self, tail: Events) -> None:
        """Learn nothing: coldness is read from the popularity that all sources share."""
