"""Which reviews an item's text holds: a fold over the log, the same for serving and for training.

Of each person the newest review of an item counts, and of these the newest few, by time, ties by
offset. Kept are whose and where in the log they are, 20 bytes each; the words stay in the log, so
that what is removed there is in nobody's memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from penchant.ingest.kinds import plain
from penchant.language.template import TextConfig
from penchant.store.log import Events
from penchant.store.said import Said
from penchant.types import Ids

READ = 8  # characters looked at for each that is kept (`normal`)
_NONE: Ids = np.zeros(0, dtype=np.int32)


class Reviews:
    """The newest reviews of each item; whoever folds holds a lock, readers need none.

    A reader beside a fold may see a row half old; the fold names that item as changed.
    """

    def __init__(self, config: TextConfig, said: Said) -> None:
        self.config = config
        self._said = said
        self._kinds = frozenset(plain(kind) for kind in config.review_kinds)
        self._n = config.reviews if config.wants_reviews else 0
        self.clear()

    def clear(self) -> None:
        """Begin again, with nothing folded."""
        self.moves = 0  # how often anything changed
        self._offsets = np.full((0, self._n), -1, dtype=np.int64)
        self._times = np.zeros((0, self._n), dtype=np.float64)
        self._users = np.zeros((0, self._n), dtype=np.int32)
        self._moved = np.zeros(0, dtype=np.int64)

    @property
    def wanted(self) -> bool:
        """Whether any text holds reviews; nothing is folded otherwise."""
        return self._n > 0

    def fold(self, events: Events) -> Ids:
        """Return the numbers of the items whose reviews changed by `events`, ascending."""
        place = self._reviews(events)
        if not len(place):
            return _NONE
        items = events.items[place]
        touched = np.unique(items)
        self._grow(int(touched[-1]) + 1)
        before = self._offsets[touched]
        row, column = np.nonzero(before >= 0)
        whole = (
            np.concatenate((touched[row], items)),
            np.concatenate((before[row, column], events.offsets[place])),
            np.concatenate((self._times[touched][row, column], events.times[place])),
            np.concatenate((self._users[touched][row, column], events.users[place])),
        )
        return self._write(touched, *whole)

    def take_back(self, users: Ids, to: int) -> Ids:
        """Return the items whose reviews changed because the log says otherwise of `users` now.

        The next newest takes the place of what is gone: one indexed read for each item in question.
        `to` is the offset up to which the log was folded.
        """
        if not self._n:
            return _NONE
        held = (self._offsets >= 0) & np.isin(self._users, users)
        touched = np.flatnonzero(held.any(axis=1)).astype(np.int32)
        found = [(int(item), *word) for item in touched for word in self._newest(int(item), to)]
        items, offsets, people, times = zip(*found, strict=True) if found else ((),) * 4
        return self._write(
            touched,
            np.array(items, dtype=np.int32),
            np.array(offsets, dtype=np.int64),
            np.array(times, dtype=np.float64),
            np.array(people, dtype=np.int32),
        )

    def of(self, items: Ids) -> npt.NDArray[np.int64]:
        """Return the offsets of the items' reviews, int64[len(items), n], newest first, then -1."""
        out = np.full((len(items), self._n), -1, dtype=np.int64)
        known = (items >= 0) & (items < len(self._offsets))
        out[known] = self._offsets[items[known]]
        return out

    def reviewed(self) -> Ids:
        """Return the numbers of the items that have reviews, ascending."""
        return np.flatnonzero((self._offsets >= 0).any(axis=1)).astype(np.int32)

    def among(self, events: Events) -> Events:
        """Return those of the events that are reviews (`chosen`)."""
        return chosen(events, self._reviews(events))

    def since(self, moves: int) -> Ids:
        """Return the items whose reviews changed after `self.moves` was `moves`."""
        return np.flatnonzero(self._moved > moves).astype(np.int32)

    def table(self) -> npt.NDArray[np.int64]:
        """Return int64[m, 1 + n]: each item that has reviews, and their offsets (`differ`)."""
        items = self.reviewed()
        return np.concatenate((items[:, None].astype(np.int64), self._offsets[items]), axis=1)

    def differ(self, table: npt.NDArray[np.int64]) -> Ids:
        """Return the items whose reviews are not those of a table that was made before."""
        if not self._n:
            return _NONE
        if table.shape[1:] != (1 + self._n,):
            return np.union1d(table[:, 0], self.reviewed()).astype(np.int32)
        items = np.union1d(table[:, 0], self.reviewed()).astype(np.int32)
        then = np.full((len(items), self._n), -1, dtype=np.int64)
        then[np.searchsorted(items, table[:, 0])] = table[:, 1:]
        changed: Ids = items[(then != self.of(items)).any(axis=1)]
        return changed

    def _reviews(self, events: Events) -> npt.NDArray[np.int64]:
        """Return the places of what is a review: of an item, in words, of weight to others."""
        if not self._n or not events.texts:
            return np.zeros(0, dtype=np.int64)
        kinds = [plain(name) in self._kinds for name in events.kind_names] or [False]
        told = np.array(kinds)[events.kinds] & (events.items >= 0) & (events.shared > 0)
        return np.array(
            [i for i in np.flatnonzero(told) if self._says(events.texts[i])], dtype=np.int64
        )

    def _says(self, text: str | None) -> bool:
        # What `normal` leaves something of.
        return text is not None and bool(text[: READ * self.config.review_characters].strip())

    def _newest(self, item: int, to: int) -> Iterator[tuple[int, int, float]]:
        people: set[int] = set()
        characters = READ * self.config.review_characters
        for word in self._said.newest(item, characters, to):
            if word.user in people or plain(word.kind) not in self._kinds:
                continue
            if self._says(word.text):
                people.add(word.user)
                yield word.offset, word.user, word.time
                if len(people) == self._n:
                    return

    def _write(
        self,
        touched: Ids,
        items: Ids,
        offsets: npt.NDArray[np.int64],
        times: npt.NDArray[np.float64],
        users: Ids,
    ) -> Ids:
        """Put the newest of these in the place of all that `touched` had; return what changed."""
        if not len(touched):
            return _NONE
        order = np.lexsort((-offsets, -times, items))
        # Of each person the newest, which is the first.
        pairs = items[order].astype(np.int64) << 32 | users[order]
        order = order[np.sort(np.unique(pairs, return_index=True)[1])]
        own = items[order]
        rank = np.arange(len(own)) - np.searchsorted(own, own)
        newest = rank < self._n
        at, source = (own[newest], rank[newest]), order[newest]
        before = self._offsets[touched]
        self._offsets[touched] = -1
        self._offsets[at] = offsets[source]
        self._times[at], self._users[at] = times[source], users[source]
        changed: Ids = touched[(self._offsets[touched] != before).any(axis=1)].astype(np.int32)
        if len(changed):
            self.moves += 1
            self._moved[changed] = self.moves
        return changed

    def _grow(self, need: int) -> None:
        more = max(need, len(self._offsets) * 5 // 4) - len(self._offsets)
        if need <= len(self._offsets):
            return
        self._offsets = np.pad(self._offsets, ((0, more), (0, 0)), constant_values=-1)
        self._times = np.pad(self._times, ((0, more), (0, 0)))
        self._users = np.pad(self._users, ((0, more), (0, 0)))
        self._moved = np.pad(self._moved, (0, more))


def chosen(events: Events, place: npt.NDArray[np.int64]) -> Events:
    """Return the events at these places with their texts, without contexts and slates."""
    names = ("offsets", "users", "items", "times", "kinds", "values", "shared")
    return replace(
        events,
        **{name: getattr(events, name)[place] for name in names},
        texts=tuple(events.texts[i] for i in place) if events.texts else (),
        contexts=(),
        slates=(),
    )
