"""Recall of what the person had before, where that may come again: music, apps, daily goods.

The score is the count of the times it was had, each fading by half in `DAYS_HALF` days (the return
of items by frequency and recency: Anderson et al., 2014). It has no opinion where items that were
seen are hidden.
"""

from __future__ import annotations

import numpy as np

from penchant.interests.state import DAY, State
from penchant.recall.source import Scores
from penchant.store.log import Events
from penchant.types import Query

DAYS_HALF = 60.0


class Again:
    """Scores the items of a person's own history."""

    name = "again"

    def score(self, query: Query, state: State) -> Scores | None:
        """Return the faded counts of what was had; None for nobody, and where seen is hidden."""
        liked = np.flatnonzero(state.strengths > 0)
        if query.seen != "keep" or not len(liked):
            return None
        items, back = np.unique(state.items[liked], return_inverse=True)
        age = np.maximum(query.now - state.times[liked], 0.0) / DAY
        counts = np.bincount(back, np.exp2(-age / DAYS_HALF), minlength=len(items))
        return Scores(counts.astype(np.float32), items.astype(np.int32))

    def fold(self, tail: Events, *, anew: bool = False) -> None:
        """Learn nothing: the history it reads is live."""
