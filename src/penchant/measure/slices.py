"""Where a system is good: known or new users, cold or tail items, early or late in a session."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from penchant.measure.diversity import COLD, HEAD, TAIL, popularity_class
from penchant.measure.ranking import Lists

Mask = npt.NDArray[np.bool_]
SESSION_GAP = 1800.0  # seconds; half an hour without an event ends a session


def by_user(history: npt.NDArray[np.integer]) -> dict[str, Mask]:
    """Return masks bool[r] of requests by `history` int[r], the events known of the asker."""
    known = np.asarray(history) > 0
    return {"known user": known, "new user": ~known}


def by_item(
    wanted: Lists, counts: npt.NDArray[np.integer], head: float = 0.2
) -> dict[str, tuple[npt.NDArray[np.int64], Lists]]:
    """Return, for cold, tail and head items, the requests that want any and only those wants.

    `counts` int[n] are training events by item number. A slice scores its requests anew as if
    nothing else had been wanted: the rows int64[s] and their reduced `Lists`.
    """
    kind = popularity_class(counts, head)[wanted.values]
    out = {}
    for name, one in (("cold item", COLD), ("tail item", TAIL), ("head item", HEAD)):
        reduced = wanted.kept(kind == one)
        rows = np.flatnonzero(reduced.lengths > 0)
        out[name] = (rows, reduced.take(rows))
    return out


def session_places(
    users: npt.NDArray[np.integer], times: npt.NDArray[np.floating], gap: float = SESSION_GAP
) -> npt.NDArray[np.int64]:
    """Return int64[n]: 1 + the events of the user's session strictly before each event's time.

    A session is a chain of events no more than `gap` seconds apart. Events of one moment share
    their place: they are a set.
    """
    users, times = np.asarray(users), np.asarray(times, dtype=np.float64)
    if not len(users):
        return np.empty(0, dtype=np.int64)
    order = np.lexsort((times, users))
    u, t = users[order], times[order]
    other = np.ones(len(u), dtype=np.bool_)
    other[1:] = u[1:] != u[:-1]
    moment, session = other.copy(), other.copy()
    moment[1:] |= t[1:] != t[:-1]
    session[1:] |= t[1:] - t[:-1] > gap
    number = np.arange(len(u))
    started = np.maximum.accumulate(np.where(session, number, 0))
    here = np.maximum.accumulate(np.where(moment, number, 0))
    places = np.empty(len(u), dtype=np.int64)
    places[order] = here - started + 1
    return places


def by_place(places: npt.NDArray[np.integer]) -> dict[str, Mask]:
    """Return masks bool[r] of requests by their place in the session: 1, 2, 3 to 5, 6 and later."""
    places = np.asarray(places)
    return {
        "1st in session": places == 1,
        "2nd in session": places == 2,
        "3rd to 5th in session": (places >= 3) & (places <= 5),
        "6th or later in session": places >= 6,
    }
