"""Recall by decayed popularity: what everybody wants, over one half-life."""

from __future__ import annotations

from penchant.interests.state import State
from penchant.recall.moment import Counted
from penchant.recall.popularity import HALF_LIVES, Popularity
from penchant.store.log import Events
from penchant.types import Query


class Trending:
    """Scores each item by its decayed count; items nobody wanted yet have no opinion."""

    def __init__(self, name: str, half_life: float, popularity: Popularity) -> None:
        self.name = name
        self._row = HALF_LIVES.index(half_life)
        self._popularity = popularity

    def score(self, query: Query, state: State) -> Counted:
        """Return log(1 + decayed count), NaN where nobody wanted the item yet."""
        return Counted(self._popularity.moment(query.now, query.n_items), self._row)

    def fold(self, tail: Events, *, anew: bool = False) -> None:
        """Learn nothing: the popularity that sources share is folded once, where it is owned."""
