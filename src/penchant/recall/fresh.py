"""Recall of new and cold items: those behaviour does not know yet, by their text or newness."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from penchant.interests.state import DAY, State
from penchant.recall.moment import Base, Moment
from penchant.recall.popularity import Popularity
from penchant.recall.source import Opinion, Scores, Source
from penchant.store.columns import ItemColumns
from penchant.store.log import Events
from penchant.types import Floats, Query, Times

_CLAIM = 1e-3  # an item that is neither new nor near anything has no claim to a place
_APART, _AHEAD = 50.0, 60.0  # half-lives: after which it is computed anew, that are told apart


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
        self._half = days_half * DAY
        self._known: _Newness | None = None

    def score(self, query: Query, state: State) -> Scores | None:
        """Return scores of the cold items; None when the catalogue has none."""
        n = query.n_items
        moment = self._popularity.moment(query.now, n)
        cold = moment.rare(self._few)
        if not cold.any():
            return None
        values = self._newness(moment)
        near = self._text.score(query, state) if self._text is not None else None
        if near is not None:
            values *= np.float32(0.5)
            close = _dense(near, n)
            unknown = np.flatnonzero(np.isnan(close))
            alone = values[unknown]
            values += close
            values[unknown] = alone
        cold &= values > _CLAIM
        count = int(np.count_nonzero(cold))
        if 4 * count > n:
            np.copyto(values, np.nan, where=~cold)
            return Scores(values)
        found = np.flatnonzero(cold)
        return Scores(values[found], found.astype(np.int32)) if count else None

    def _newness(self, moment: Moment) -> Floats:
        """Return float32[n]: 1 for what appears now, half as much with each half-life of age."""
        n, now, version = moment.n, moment.now, self._columns.version
        known = self._known
        if (
            known is None
            or known.base is not moment.base
            or (known.version, len(known.values)) != (version, n)
            or abs(now - known.at) > _APART * self._half
        ):
            born = np.minimum(moment.base.first[:n], self._columns.released[:n])
            known = _Newness(moment.base, version, now, self._aged(now - born))
            self._known = known
        values: Floats = known.values * np.float32(np.exp2((known.at - now) / self._half))
        late = moment.late
        late = late[np.isinf(moment.base.first[late])]
        if len(late):  # first wanted after what `base` knows
            born = np.minimum(moment.first(late), self._columns.released[:n][late])
            values[late] = self._aged(now - born)
        return np.minimum(values, np.float32(1.0), out=values)

    def _aged(self, age: Times) -> Floats:
        # To be released is kept within float32; without a date nothing says that it is new.
        halves = np.where(np.isfinite(age), np.minimum(-age / self._half, _AHEAD), -np.inf)
        out: Floats = np.exp2(halves).astype(np.float32)
        return out

    def fold(self, tail: Events, *, anew: bool = False) -> None:
        """Learn nothing: coldness is read from the popularity that all sources share."""


@dataclass(frozen=True, slots=True)
class _Newness:
    """How new each item was at one moment, by what was known then; the rest is a factor."""

    base: Base
    version: int
    at: float
    values: Floats


def _dense(opinion: Opinion, n: int) -> Floats:
    if isinstance(opinion, Scores) and opinion.items is None:
        return opinion.values
    return opinion.at(np.arange(n, dtype=np.int32))
