"""Asking about exposures as they were: the columns that each item had for the person then.

Not those that say how it stood among others: what is asked about together differs, and a chance is
of an item by itself.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from penchant.interests.state import State, Values
from penchant.language.categories import Derived
from penchant.learn.response.exposures import Exposures, Valued
from penchant.learn.scorer.walk import Histories, events
from penchant.learn.view import View
from penchant.learn.window import Window
from penchant.rank.stage import taken
from penchant.rank.worth import COLUMNS, Worth
from penchant.recall.gather import Recall
from penchant.types import Candidates, Floats, Query, Seen


@dataclass(frozen=True)
class Answered:
    """Exposures with their columns: `rows` float32[m, f] by `names`; `place` int64[m] is which."""

    rows: Floats
    names: tuple[str, ...]
    place: npt.NDArray[np.int64]


class Told:
    """What each person's events were worth up to a moment."""

    def __init__(self, valued: Valued | None) -> None:
        self._valued = valued
        if valued is not None:
            self._order = np.lexsort((valued.times, valued.users))
            self._users = valued.users[self._order]

    def before(self, user: int, now: float) -> Values | None:
        """Return what was said strictly before `now`."""
        if self._valued is None:
            return None
        a, e = np.searchsorted(self._users, (user, user + 1))
        own = self._order[a:e]
        own = own[: int(np.searchsorted(self._valued.times[own], now, side="left"))]
        kinds = np.zeros(len(own), dtype=np.int16)
        values = self._valued.values[own]
        return Values(self._valued.items[own], values, kinds, (self._valued.kind,))


def ask(
    exposures: Exposures,
    view: View,
    window: Window,
    told: Told,
    worth: Worth | None,
    *,
    most: int,
    seed: int,
    seen: Seen,
) -> Answered:
    """Return the columns of the exposures of a window, of at most `most` moments, in their order.

    The window is told what happens as time passes.
    """
    begin, recall, histories = window.begin, window.recall, window.histories
    place = np.flatnonzero(exposures.times >= begin)
    moments = np.unique(
        np.stack((exposures.times[place], exposures.users[place].astype(np.float64)), axis=1),
        axis=0,
        return_inverse=True,
    )[1].ravel()
    n = int(moments.max(initial=-1)) + 1
    rng = np.random.default_rng(seed)
    kept = np.zeros(n, dtype=np.bool_)
    kept[rng.permutation(n)[:most]] = True
    place, moments = place[kept[moments]], moments[kept[moments]]
    order = np.argsort(moments, kind="stable")
    place, moments = place[order], moments[order]
    edges = np.append(np.flatnonzero(np.diff(moments, prepend=-1)), len(moments))
    coming = view.where(view.times >= begin)
    kinds, done = Derived(view.columns), 0
    rows: list[Floats] = []
    where: list[npt.NDArray[np.int64]] = []
    names: tuple[str, ...] = ()
    for a, e in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        group = place[a:e]
        now, user = float(exposures.times[group[0]]), int(exposures.users[group[0]])
        reached = int(np.searchsorted(coming.times, now, side="left"))
        if reached > done:
            _pass(coming, done, reached, recall, histories)
            done = reached
        state = replace(histories.state(user, now), values=told.before(user, now))
        context = exposures.contexts[group[0]] if exposures.contexts else None
        pool = _of(exposures.items[group], user, state, context, view, window, seen)
        at = np.searchsorted(pool.items, exposures.items[group])
        found = taken(pool, at)
        features = found.features
        if worth is not None:
            more = worth.columns(state, found.items, kinds)
            features = np.concatenate((features, more), axis=1)
        names = (*pool.names, *(() if worth is None else COLUMNS))
        rows.append(features.astype(np.float32))
        where.append(group)
    if not rows:
        return Answered(np.zeros((0, 0), dtype=np.float32), (), np.zeros(0, dtype=np.int64))
    return Answered(np.concatenate(rows), names, np.concatenate(where).astype(np.int64))


def _of(
    items: npt.NDArray[np.int32],
    user: int,
    state: State,
    context: str | None,
    view: View,
    window: Window,
    seen: Seen,
) -> Candidates:
    """Return the columns of items, in order of number."""
    read: dict[str, Any] = {} if context is None else json.loads(context)
    query = Query(
        now=state.now,
        n_items=view.n_items,
        user=user,
        context=read,
        seen=seen,
        only=np.unique(items).astype(np.int32),
    )
    pool, _ = window.recall.gather(query, state)
    for stage in window.stages:
        pool = stage(query, state, pool)
    return pool


def _pass(view: View, begin: int, end: int, recall: Recall, histories: Histories) -> None:
    """Tell what happened meanwhile, to the histories and to recall."""
    for event in range(begin, end):
        cut = slice(event, event + 1)
        told = None if view.contexts is None else view.contexts[cut]
        histories.append(
            int(view.users[event]), view.items[cut], float(view.times[event]),
            view.strengths[cut], told,
        )  # fmt: skip
    new = view.where(np.arange(begin, end))
    heard = new.where(new.counted())
    recall.fold(events(heard.users, heard.items, heard.times))
