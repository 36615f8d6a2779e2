"""Recall by meaning: items whose text is near what the person wants, or asked for in words."""

from __future__ import annotations

import numpy as np

from penchant.interests.state import DAY, State, interest
from penchant.recall.source import Scores
from penchant.store.log import Events
from penchant.store.vectors import Vectors
from penchant.types import Floats, Query


class Text:
    """Scores by the cosine between an item's text and the interest `h_t`, or the words asked.

    `days_half` sets how fast the interest forgets; `last` how many wanted items it is made of.
    New items are known the moment their vector is set: nothing is trained here.
    """

    def __init__(
        self, name: str, vectors: Vectors, *, days_half: float = 7.0, last: int = 10
    ) -> None:
        self.name = name
        self._vectors = vectors
        self._days_half = days_half
        self._last = last
        self._answered: tuple[Query, State, Scores | None] | None = None

    def wanted(self, state: State) -> Floats | None:
        """Return the unit vector float32[d] that items are compared with, None if there is none."""
        if state.words is not None:
            return state.words
        liked = state.liked
        items = liked.items[-self._last :]
        if not len(items):
            return None
        # The newest wanted event is the clock: a person who returns after a year is not a stranger.
        h = interest(
            items,
            liked.times[-self._last :],
            liked.strengths[-self._last :] * np.exp2(-liked.moments[-self._last :] / 3.0),
            float(liked.times[-1]),
            self._vectors.rows(items),
            self._days_half * DAY,
        )
        norm = float(np.linalg.norm(h))
        return (h / norm).astype(np.float32) if norm > 1e-6 else None

    def score(self, query: Query, state: State) -> Scores | None:
        """Return the dense cosine, NaN for items without text; None without history or words."""
        if not self._vectors.dimension:
            return None
        # The source of new items asks the same question again; it is the costliest there is.
        last = self._answered
        if last is not None and last[0] is query and last[1] is state:
            return last[2]
        wanted = self.wanted(state)
        found = None if wanted is None else Scores(self._vectors.dot(wanted, query.n_items))
        self._answered = (query, state, found)
        return found

    def fold(self, tail: Events, *, anew: bool = False) -> None:
        """Learn nothing: vectors follow the catalogue, the interest follows the log."""
