"""Which words led to what: pairs of a question and the item that the asker wanted after it."""

from __future__ import annotations

from bisect import insort
from collections import OrderedDict
from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import NamedTuple

import numpy as np

from penchant.interests.history import RECENT_WORDS, worded
from penchant.store.log import LAST, Events
from penchant.types import Ids, Mask

PEOPLE = 10_000  # whose last words are kept, those who asked lately
CHARACTERS = 1_000  # of a question that are kept
LOOKED_AT = 200_000  # events of askers that are looked through at once, the newest


class Pair(NamedTuple):
    """Somebody wanted `item` after having said `text`; `offset` is that of the wish."""

    offset: int
    user: int
    item: int
    text: str


class Led:
    """The newest `most` pairs, in order of offset: a function of the log, however it is cut.

    Words are said by an event that has a text and no item (a search, a turn of a conversation), and
    lead to what the person wants within half an hour, until they say something else. An event that
    has both, as an answer that is accepted with its question, or a kind review, is a pair by
    itself. Which events were wanted, and count for others, is told by `wanted`.
    """

    def __init__(self, wanted: Callable[[Events], Mask], most: int = 10_000) -> None:
        self._wanted = wanted
        self._most = most
        self._said: OrderedDict[int, tuple[str, float]] = OrderedDict()
        self._pairs: list[Pair] = []
        self.changed = 0  # how often the pairs were

    def __len__(self) -> int:
        return len(self._pairs)

    def pairs(self) -> list[Pair]:
        """Return a copy of the pairs, oldest first."""
        return list(self._pairs)

    def texts(self) -> list[str]:
        """Return the distinct questions, the newest first."""
        return list(dict.fromkeys(pair.text for pair in reversed(self._pairs)))

    def clear(self) -> None:
        """Forget everything: the log is folded from its start."""
        self._said.clear()
        self._pairs = []
        self.changed += 1

    def fold(self, events: Events, without: Ids | None = None) -> None:
        """Take in what was recorded since, in order of offset, each event once.

        What the people in `without` did is left to `replace`.
        """
        keep = None if without is None or not len(without) else ~np.isin(events.users, without)
        found = self._follow(events, keep)
        if found:
            self._pairs.extend(found)
            del self._pairs[: -self._most]
            self.changed += 1

    def replace(self, users: Ids, own: Iterable[Events], until: int = LAST) -> None:
        """Put what each of `own` says one person did in the place of all that these did before.

        Events above the offset `until` are left to `fold`.
        """
        gone = set(users.tolist())
        self._pairs = [pair for pair in self._pairs if pair.user not in gone]
        for user in gone:
            self._said.pop(user, None)
        for events in own:
            for pair in self._follow(events, events.offsets <= until):
                insort(self._pairs, pair, key=attrgetter("offset"))
        del self._pairs[: -self._most]
        self.changed += 1

    def _follow(self, events: Events, keep: Mask | None = None) -> list[Pair]:
        if not len(events) or not (self._said or any(events.texts)):
            return []
        has_text = worded(events)
        wanted = self._wanted(events) & (events.items >= 0)
        asked = has_text & (events.items < 0)
        askers = np.union1d(events.users[asked], np.fromiter(self._said, np.int32, len(self._said)))
        relevant: Mask = asked | (wanted & (has_text | np.isin(events.users, askers)))
        if keep is not None:
            relevant &= keep
        found = []
        places = np.flatnonzero(relevant)
        # A history comes in the order of time.
        places = places[np.argsort(events.offsets[places], kind="stable")]
        for at in places[-LOOKED_AT:].tolist():
            user, time = int(events.users[at]), float(events.times[at])
            own = (events.texts[at] or "")[:CHARACTERS] if has_text[at] else ""
            if asked[at]:
                self._said[user] = own, time
                self._said.move_to_end(user)
                continue
            text, since = (own, time) if own else self._said.get(user, ("", time))
            if text and 0.0 <= time - since <= RECENT_WORDS:
                found.append(Pair(int(events.offsets[at]), user, int(events.items[at]), text))
        while len(self._said) > PEOPLE:
            self._said.popitem(last=False)
        return found
