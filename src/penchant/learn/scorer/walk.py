"""The walk: requests in the order of time, each asked with only what had happened by then.

Rows for the ranker, gates and tuning all come from here, through the same recall, state and
features that answer live.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from penchant.interests.state import State
from penchant.learn.view import View
from penchant.recall.gather import Recall
from penchant.store.log import Events, wanted_events
from penchant.types import Floats, Ids, Query, Seen, Times


@dataclass(frozen=True, slots=True)
class Asked:
    """One request of the walk and the items that the person then wanted."""

    query: Query
    state: State
    targets: Ids
    arm: str


class Histories:
    """Every person's events up to the present of the walk, growing as it goes."""

    def __init__(self, view: View, keep: int) -> None:
        ordered, starts = view.by_user()
        self._keep = keep
        self._texts = (*view.context_texts, None)  # -1 is the last
        told = ordered.contexts
        contexts = np.full(len(ordered), -1, dtype=np.int32) if told is None else told
        self._of: dict[int, tuple[Ids, Times, Floats, Ids]] = {}
        for a, e in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True):
            self._of[int(ordered.users[a])] = (
                ordered.items[a:e],
                ordered.times[a:e],
                ordered.strengths[a:e],
                contexts[a:e],
            )

    def recent(self, user: int, now: float, offset: int) -> tuple[Ids, Times]:
        """Return the items and times a person wanted up to now (see `recall.covisitation`)."""
        items, times, strengths, _ = self._get(user)
        wanted = strengths > 0
        return items[wanted], times[wanted]

    def state(self, user: int, now: float) -> State:
        """Return the person's state at `now`."""
        items, times, strengths, contexts = self._get(user)
        n = self._keep
        told: tuple[str | None, ...] = ()
        if len(self._texts) > 1:
            told = tuple(self._texts[at] for at in contexts[-n:].tolist())
        return State(now, items[-n:], times[-n:], strengths[-n:], np.unique(items), contexts=told)

    def append(
        self, user: int, items: Ids, time: float, strengths: Floats, contexts: Ids | None = None
    ) -> None:
        """Record what the person did at `time`, and in which contexts of the view."""
        a, b, c, d = self._get(user)
        told = np.full(len(items), -1, dtype=np.int32) if contexts is None else contexts
        self._of[user] = (
            np.concatenate((a, items)),
            np.concatenate((b, np.full(len(items), time))),
            np.concatenate((c, strengths)),
            np.concatenate((d, told)),
        )

    def _get(self, user: int) -> tuple[Ids, Times, Floats, Ids]:
        found = self._of.get(user)
        if found is None:
            return (
                np.zeros(0, dtype=np.int32),
                np.zeros(0, dtype=np.float64),
                np.zeros(0, dtype=np.float32),
                np.zeros(0, dtype=np.int32),
            )
        return found


def walk(
    view: View,
    begin: float,
    end: float,
    recall: Recall,
    histories: Histories,
    *,
    most: int,
    seed: int,
    cart_share: float = 0.5,
    seen: Seen = "hide",
) -> Iterator[Asked]:
    """Yield at most about `most` requests of [begin, end), then fold each moment into `recall`.

    Per moment of one person: "next" asks before the moment, its targets are all that is wanted in
    it for the first time; "cart" asks inside it, after part of it (in shuffled order) is known, for
    one more. Up to `cart_share` of the requests are of the second kind, if there are as many.
    `histories` must hold what lies before `begin`. With `seen` "keep" what was had may be wanted
    again, and competes. A request is made in the context of what was then wanted.
    """
    window = view.where((view.times >= begin) & (view.times < end))
    order = np.lexsort((np.arange(len(window)), window.users, window.times))
    window = window.where(order)
    users, items, times, strengths = window.users, window.items, window.times, window.strengths
    texts: dict[str, dict[str, Any]] = {}
    new = np.flatnonzero((np.diff(times, prepend=-np.inf) != 0) | (np.diff(users, prepend=-1) != 0))
    edges = np.append(new, len(users))
    sizes = np.diff(edges)
    rng = np.random.default_rng(seed)
    carts = int(np.maximum(sizes - 1, 0).sum())
    want_cart = min(int(most * cart_share), carts)
    take_next = min(1.0, (most - want_cart) / max(len(sizes), 1))
    take_cart = want_cart / max(carts, 1)

    def told(event: int) -> dict[str, Any]:
        """Return the context of an event of the window, each read once."""
        text = window.context(event)
        if text is not None and text not in texts:
            texts[text] = json.loads(text)
        return texts[text] if text is not None else {}

    def ask(user: int, now: float, targets: Ids, arm: str, event: int) -> Asked | None:
        state = histories.state(user, now)
        fresh = targets if seen == "keep" else targets[~np.isin(targets, state.seen)]
        if not len(fresh):
            return None
        allowed = view.columns.servable(now)
        if seen == "hide":
            allowed[state.seen] = False
        query = Query(
            now=now,
            n_items=view.n_items,
            user=user,
            context=told(event),
            seen=seen,
            allowed=allowed,
        )
        return Asked(query, state, fresh, arm)

    for a, e in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        user, now = int(users[a]), float(times[a])
        basket, strength = items[a:e], strengths[a:e]
        wanted = basket[strength > 0]
        if len(wanted) and rng.random() < take_next:
            first = a + int(np.argmax(strength > 0))
            asked = ask(user, now, np.unique(wanted), "next", first)
            if asked is not None:
                yield asked
        shuffled = rng.permutation(e - a)
        for step in range(e - a):
            one = shuffled[step : step + 1]
            if step and strength[one[0]] > 0 and rng.random() < take_cart:
                asked = ask(user, now, basket[one], "cart", a + int(one[0]))
                if asked is not None:
                    yield asked
            own = None if window.contexts is None else window.contexts[a + one]
            histories.append(user, basket[one], now, strength[one], own)
        shared = window.shared[a:e]
        heard = basket[(strength > 0) & (shared > 0)]
        recall.fold(events(np.full_like(heard, user), heard, np.full(len(heard), now)))


def events(users: Ids, items: Ids, times: Times) -> Events:
    """Return wanted events as those who follow the log hand them to the sources."""
    return wanted_events(np.zeros(len(items), dtype=np.int64), users, items, times)
