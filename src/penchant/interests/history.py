"""Reading a person's state from the log: one indexed read, then the pure fold."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from penchant.ingest.kinds import Kinds
from penchant.interests.adjustments import adjusting
from penchant.interests.state import State, Values
from penchant.store.log import Events, Log
from penchant.types import Floats, Ids, Mask, Times

LAST = 200  # events that make up a state; older ones still count as seen
MOST = 3_200  # events looked through for them, those of kinds that never count apart
NOT_HAD = ("impression", "search")  # being shown an item, or asking, is not having had it
Counted = tuple[npt.NDArray[np.int64], Floats]
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
    `encode` turns into a vector. The events of a state are the last `LAST` that count, however many
    impressions came after them, as in a training.
    """
    if user < 0:
        return stateless(np.zeros(0, dtype=np.int32), now, words)
    events = log.history(user, LAST, now)
    if words is None and encode is not None:
        words = encode(_last_words(events, now))
    events, (place, strengths) = _last(log, kinds, user, now, events, counted)
    return State(
        now=now,
        items=events.items[place],
        times=events.times[place],
        strengths=strengths,
        seen=log.seen(user, now, NOT_HAD),
        words=words,
        contexts=tuple(events.contexts[at] for at in place.tolist()) if events.contexts else (),
        values=valued(events),
    )


def valued(events: Events) -> Values | None:
    """Return what events were worth, None where none was worth anything."""
    worth = np.flatnonzero(np.isfinite(events.values) & (events.items >= 0))
    if not len(worth):
        return None
    return Values(events.items[worth], events.values[worth], events.kinds[worth], events.kind_names)


def counted(kinds: Kinds, events: Events) -> Counted:
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


def wanted_before(
    log: Log, kinds: Kinds, user: int, now: float
) -> tuple[Ids, Times, npt.NDArray[np.int64]]:
    """Return the items, times and offsets of what a person wanted up to `now`, oldest first.

    For what others learn from it: an event that has no weight there is left out.
    """
    events = log.history(user, LAST, now)
    events, (place, _) = _last(log, kinds, user, now, events, _shared)
    return events.items[place], events.times[place], events.offsets[place]


def others_learn(kinds: Kinds, events: Events) -> Mask:
    """Return bool[n]: which events others learn from: an item wanted, with a weight there."""
    strengths = kinds.strength(events.kind_names, events.kinds, events.values)
    wanted: Mask = strengths >= np.float32(kinds.config.wanted_from)
    return wanted & (events.items >= 0) & (events.shared > 0)


def _shared(kinds: Kinds, events: Events) -> Counted:
    place = np.flatnonzero(others_learn(kinds, events))
    return place, np.ones(len(place), dtype=np.float32)


def _last(
    log: Log,
    kinds: Kinds,
    user: int,
    now: float,
    events: Events,
    count: Callable[[Kinds, Events], Counted],
) -> tuple[Events, Counted]:
    """Return events and the places of the last `LAST` that count; `events` are the newest of all.

    Where those are too few, more are read, kinds that never count left out, until enough are found,
    the history ends, or `MOST` were looked through.
    """
    found, size = count(kinds, events), LAST
    idle = kinds.idle(events.kind_names) if len(events) == LAST else ()
    passed = any(events.kind_names[kind] in idle for kind in np.unique(events.kinds))
    # Where there was nothing to pass over, the first step has been read already.
    step = size if passed else 4 * size
    while len(found[0]) < LAST and len(events) == size and step <= MOST:
        size = step
        events = log.history(user, size, now, idle)
        found, step = count(kinds, events), 4 * size
    return events, (found[0][-LAST:], found[1][-LAST:])


def worded(events: Events) -> Mask:
    """Return bool[n]: in which events a person said something in words of their own."""
    said = np.zeros(len(events), dtype=np.bool_)
    if events.texts:
        said[:] = [bool(text and text.strip()) for text in events.texts]
    return said & ~adjusting(events)


def _last_words(events: Events, now: float) -> str | None:
    if not any(events.texts):
        return None
    said = np.flatnonzero(worded(events) & (now - events.times <= RECENT_WORDS))
    return events.texts[said[-1]] if len(said) else None
