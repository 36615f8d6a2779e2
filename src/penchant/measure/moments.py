"""Moments and requests: what happens at one time is a set, asked for before it or within it.

A moment is everything one user did at one time: a basket. Its order in a file is no signal, so it
is shuffled. Arm "next" asks once before the moment for all of it; arm "cart" completes it item by
item: each item after the first is asked for after the earlier ones are recorded.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from penchant.measure.ranking import Lists
from penchant.measure.split import Positions

Arm = Literal["next", "cart"]


@dataclass(frozen=True, slots=True)
class Moments:
    """m moments in the order of time: moment j holds `events[bounds[j]:bounds[j + 1]]`.

    `users` int64[m], `times` float64[m], `bounds` int64[m + 1]; `events` are positions into the
    columns the moments were made of, in the order they are to be recorded.
    """

    users: Positions
    times: npt.NDArray[np.float64]
    bounds: Positions
    events: Positions

    def __len__(self) -> int:
        return len(self.users)


@dataclass(frozen=True, slots=True)
class Requests:
    """r requests in the order of the walk: n is made in `moments[n]` after `steps[n]` items.

    `start` and `stop` bound its targets within `Moments.events`.
    """

    moments: Positions
    steps: Positions
    start: Positions
    stop: Positions

    def __len__(self) -> int:
        return len(self.moments)

    def targets(self, moments: Moments, items: npt.NDArray[np.integer]) -> Lists:
        """Return the wanted item numbers of each request; `items` is the column of all events."""
        lengths = self.stop - self.start
        bounds = np.concatenate([[0], np.cumsum(lengths)])
        inside = np.arange(bounds[-1]) - np.repeat(bounds[:-1] - self.start, lengths)
        return Lists(items[moments.events[inside]].astype(np.int64), bounds.astype(np.int64))


@dataclass(frozen=True, slots=True)
class Step:
    """One piece of a walk: ask `request` of `user` at `time` (-1: do not), then record `events`."""

    user: int
    time: float
    request: int
    events: Positions


def moments(
    users: npt.NDArray[np.integer],
    times: npt.NDArray[np.float64],
    positions: Positions,
    seed: int = 7,
) -> Moments:
    """Return the moments of the events at `positions`, which are in the order of time.

    Moments of one time keep the order in which their users first appear.
    """
    u, t = np.asarray(users)[positions].astype(np.int64), np.asarray(times)[positions]
    order = np.lexsort((np.arange(len(u)), u, t))
    fresh = np.ones(len(order), dtype=np.bool_)
    fresh[1:] = (u[order][1:] != u[order][:-1]) | (t[order][1:] != t[order][:-1])
    starts = np.flatnonzero(fresh)
    stops = np.append(starts[1:], len(order))
    rng = random.Random(seed)  # noqa: S311 - a reproducible order, nothing secret
    events: list[int] = []
    bounds = [0]
    ranked = np.argsort(order[starts], kind="stable") if len(starts) else starts
    for j in ranked:
        basket = positions[order[starts[j] : stops[j]]].tolist()
        rng.shuffle(basket)
        events.extend(basket)
        bounds.append(len(events))
    heads = order[starts[ranked]] if len(starts) else starts
    return Moments(
        u[heads], t[heads], np.array(bounds, dtype=np.int64), np.array(events, dtype=np.int64)
    )


def ask(
    of: Moments,
    arm: Arm = "next",
    most: int = 6000,
    seed: int = 7,
    asked: npt.NDArray[np.bool_] | None = None,
) -> Requests:
    """Return the requests of an arm, at most `most` of them, drawn without replacement by seed.

    `asked` bool[m] leaves out moments nobody asks for; they are recorded all the same.
    """
    sizes = np.diff(of.bounds)
    if asked is not None:
        sizes = np.where(asked, sizes, 0)
    per_moment = np.minimum(sizes, 1) if arm == "next" else np.maximum(sizes - 1, 0)
    number = np.repeat(np.arange(len(of)), per_moment)
    before = np.concatenate([[0], np.cumsum(per_moment)[:-1]]) if len(of) else per_moment
    step = np.arange(len(number)) - np.repeat(before, per_moment)
    if arm == "cart":
        step = step + 1
    start = of.bounds[number] + step
    stop = of.bounds[number + 1] if arm == "next" else start + 1
    if len(number) > most:
        drawn = np.random.default_rng(seed).choice(len(number), most, replace=False)
        kept = np.sort(drawn)
        number, step, start, stop = number[kept], step[kept], start[kept], stop[kept]
    return Requests(
        number.astype(np.int64),
        step.astype(np.int64),
        start.astype(np.int64),
        stop.astype(np.int64),
    )


def steps(of: Moments, requests: Requests) -> Iterator[Step]:
    """Yield the walk piece by piece: who asks when, and what is recorded after the answer."""
    n = 0
    for j in range(len(of)):
        user, time = int(of.users[j]), float(of.times[j])
        low, high = int(of.bounds[j]), int(of.bounds[j + 1])
        request = -1
        while n < len(requests) and requests.moments[n] == j:
            here = int(of.bounds[j] + requests.steps[n])
            if here > low or request >= 0:
                yield Step(user, time, request, of.events[low:here])
            low, request = here, n
            n += 1
        yield Step(user, time, request, of.events[low:high])
