"""Reading a person's state from the log: one indexed read, then the pure fold."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from penchant.ingest.kinds import Kinds
from penchant.interests.state import State
from penchant.store.log import Events, Log
from penchant.types import Floats, Ids, Times

LAST = 200  # events that make up a state; older ones still count as seen
NOT_HAD = ("impression", "search")  # being shown an item, or asking, is not having had it
Encode = Callable[[str | None], Floats | None]
RECENT_WORDS = 1_800.0  # seconds for which a person's own words steer what they are shown


def read(
    log: Log,
    kinds: Kinds,
    user: int,
    now: float,
    *,
    words: Floats | None = None,
    encode: Encode | None = None,
) -> State:
    """Return the state of a stored person at `now`: nothing later than `now` is looked at.

    `words` asked with the request count before words the person used within half an hour, which
    `encode` turns into a vector.
    """
    if user < 0:
        return stateless(np.zeros(0, dtype=np.int32), now, words)
    events = log.history(user, LAST, now)
    place, strengths = counted(kinds, events)
    if words is None and encode is not None:
        words = encode(_last_words(events, now))
    return State(
        now=now,
        items=events.items[place],
        times=events.times[place],
        strengths=strengths,
        seen=log.seen(user, now, NOT_HAD),
        words=words,
    )


def counted(kinds: Kinds, events: Events) -> tuple[npt.NDArray[np.int64], Floats]:
    """Return the places of the events that make up histories, and how much each was wanted.

    What is neither wanted nor rejected (an impression, a search, three of five stars) is no part
    of one: neither here nor in what a training reads.
    """
    strengths = kinds.strength(events.kind_names, events.kinds, events.values)
    wanted = strengths >= np.float32(kinds.config.wanted_from)
    place = np.flatnonzero((events.items >= 0) & (wanted | (strengths < 0)))
    return place, strengths[place]


def stateless(items: Ids, now: float, words: Floats | None = None) -> State:
    """Return the state of somebody nobody stored, who wanted `items`, oldest first, just now.

    Each item is a moment of its own, a second apart and the last a second ago: order is known.
    """
    n = len(items)
    return State(
        now=now,
        items=items,
        times=now - np.arange(n, 0, -1, dtype=np.float64),
        strengths=np.ones(n, dtype=np.float32),
        seen=np.unique(items).astype(np.int32),
        words=words,
    )


def wanted_before(log: Log, kinds: Kinds, user: int, now: float) -> tuple[Ids, Times]:
    """Return the items and times a person wanted up to `now`, oldest first.

    For what others learn from it: an event that has no weight there is left out.
    """
    events = log.history(user, LAST, now)
    wanted = kinds.wanted(events.kind_names, events.kinds, events.values) & (events.items >= 0)
    wanted &= events.shared > 0
    return events.items[wanted], events.times[wanted]


def _last_words(events: Events, now: float) -> str | None:
    for text, time in zip(reversed(events.texts), events.times[::-1], strict=False):
        if now - time > RECENT_WORDS:
            return None
        if text:
            return text
    return None
