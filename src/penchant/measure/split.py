"""Which events teach and which are asked for: one global cut in time, or each user's last event.

Events come as three parallel columns (user numbers, item numbers, times in seconds) in any order;
everything is answered as positions into them. Rows of one time keep the caller's order.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from penchant.types import InvalidInput

Positions = npt.NDArray[np.int64]
Targets = Literal["successive", "last"]


@dataclass(frozen=True, slots=True)
class Split:
    """Positions that train and positions that are walked afterwards, both in the order of time.

    `asked` bool[len(test)] marks the walked events a request is made for. `cut` is the one moment
    that separates them: train is strictly before it. It is None where each user has their own.
    """

    train: Positions
    test: Positions
    asked: npt.NDArray[np.bool_]
    cut: float | None


def first_events(users: npt.ArrayLike, items: npt.ArrayLike, times: npt.ArrayLike) -> Positions:
    """Return the position of the first event of each user and item, in the order of time.

    What a person meets again is no discovery, so only the first meeting is a target.
    """
    u, i, t = _columns(users, items, times)
    order = np.argsort(t, kind="stable")
    if not len(order):
        return order.astype(np.int64)
    pair = u[order].astype(np.int64) * (int(i.max()) + 1) + i[order]
    first = np.unique(pair, return_index=True)[1]
    positions: Positions = order[np.sort(first)].astype(np.int64)
    return positions


def cut_time(times: npt.ArrayLike, quantile: float = 0.9) -> float:
    """Return the time of the event nearest to the quantile, in the unit of `times`."""
    t = np.sort(np.asarray(times, dtype=np.float64))
    if not len(t):
        raise InvalidInput("a cut in time needs at least one event; there is none")
    if not 0.0 < quantile < 1.0:
        raise InvalidInput(f"a quantile lies between 0 and 1, got {quantile}")
    return float(t[math.floor((len(t) - 1) * quantile + 0.5)])


def global_time(
    users: npt.ArrayLike,
    items: npt.ArrayLike,
    times: npt.ArrayLike,
    quantile: float = 0.9,
    targets: Targets = "successive",
) -> Split:
    """Return the split at one global time, over the first event of each user and item.

    What lies strictly before the quantile trains. Afterwards every event is walked; "successive"
    asks for each of them, "last" only for those of each user's last moment.
    """
    u, i, t = _columns(users, items, times)
    order = first_events(u, i, t)
    cut = cut_time(t[order], quantile)
    train, test = order[t[order] < cut], order[t[order] >= cut]
    asked = np.ones(len(test), dtype=np.bool_)
    if targets == "last" and len(test):
        # In the order of time a user's last occurrence is the one that remains of an assignment.
        last = np.full(int(u[test].max()) + 1, -np.inf)
        last[u[test]] = t[test]
        asked = t[test] == last[u[test]]
    return Split(train, test, asked, cut)


def leave_one_out(users: npt.ArrayLike, items: npt.ArrayLike, times: npt.ArrayLike) -> Split:
    """Return the split that asks for each user's last event; users with one event only train.

    For comparison with papers: what others did later is in training, so figures are flattered.
    """
    u, i, t = _columns(users, items, times)
    order = first_events(u, i, t)
    if not len(order):
        raise InvalidInput("leave-one-out needs events; there is none")
    counts = np.bincount(u[order])
    last = np.zeros(len(counts), dtype=np.int64)
    last[u[order]] = np.arange(len(order))
    held = np.zeros(len(order), dtype=np.bool_)
    held[last[counts > 1]] = True
    test = order[held]
    return Split(order[~held], test, np.ones(len(test), dtype=np.bool_), None)


def _columns(
    users: npt.ArrayLike, items: npt.ArrayLike, times: npt.ArrayLike
) -> tuple[Positions, Positions, npt.NDArray[np.float64]]:
    u = np.asarray(users, dtype=np.int64)
    i = np.asarray(items, dtype=np.int64)
    t = np.asarray(times, dtype=np.float64)
    if not len(u) == len(i) == len(t):
        raise InvalidInput(
            f"users, items and times are one column each of the same events, got lengths "
            f"{len(u)}, {len(i)} and {len(t)}"
        )
    if len(u) and (u.min() < 0 or i.min() < 0):
        raise InvalidInput("user and item numbers start at 0; leave out events without an item")
    if not np.isfinite(t).all():
        raise InvalidInput("every event needs a finite time; drop or date those without one")
    return u, i, t
