"""A log of a shop that is never the same twice: hours, weekdays, good and bad days, and faults.

Columns only, no store: made to be walked by the watch over the log many times. Visits come by a
rate that follows the hour and the weekday, times noise of the day and of the hour that hangs
together; a visit shows a slate and brings a few events. A fault changes what happens from its
start on.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

Fault = Literal[
    "kind stops",
    "rare kind stops",
    "all stops",
    "rate doubles",
    "item surges",
    "person floods",
    "scores shift",
    "topics shift",
    "bad snapshot",
    "duplicated client",
    "slow loss",
]
FAULTS: tuple[Fault, ...] = get_args(Fault)
KINDS = ("view", "click", "purchase", "search")
DAY = 86_400.0
START = 1_735_689_600.0 + 5 * DAY  # a Monday, 2025-01-06 00:00 UTC
_MIX = np.array([0.66, 0.22, 0.05, 0.07])
_TOPICS = 12
_Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Traffic:
    """Events and slates as columns in order of time; `topics` float32[items, d] of the items.

    `users`, `items` (-1: a search), `times` (seconds), `kinds` (of `KINDS`); slate i went to
    `shown_to[i]` at `shown_at[i]` with `slates` int32[n, 10] and `scores` float32[n, 10], and
    `snapshots[i]` of it is 0 or, after a bad one was published, 1.
    """

    users: _Array
    items: _Array
    times: _Array
    kinds: _Array
    shown_to: _Array
    shown_at: _Array
    slates: _Array
    scores: _Array
    snapshots: _Array
    topics: _Array


def traffic(
    seed: int,
    *,
    days: float = 56.0,
    visits: float = 900.0,
    people: int = 3_000,
    items: int = 1_500,
    fault: Fault | None = None,
    since: float = START + 48 * DAY,
    strength: float = 1.0,
) -> Traffic:
    """Return `days` of a shop with about `visits` a day, each of three events; from `since` on a
    fault, if one is named, which at twice the `strength` is about twice as large."""
    rng = np.random.default_rng([seed, 17])
    hours = int(days * 24)
    rate = _rate(hours, rng) * visits / 24.0
    if fault == "rate doubles":
        rate[int((since - START) / 3600.0) :] *= 1.0 + strength
    per_hour = rng.poisson(rate)
    begun = START + 3600.0 * (np.repeat(np.arange(hours), per_hour) + rng.random(per_hour.sum()))
    begun = np.sort(begun)
    weights = 1.0 / (np.arange(people) + 10.0)
    who = rng.choice(people, size=len(begun), p=weights / weights.sum()).astype(np.int32)
    topic_of = rng.integers(0, _TOPICS, items)
    centres = rng.normal(size=(_TOPICS, 16))
    topics = centres[topic_of] + 0.5 * rng.normal(size=(items, 16))
    topics = (topics / np.linalg.norm(topics, axis=1, keepdims=True)).astype(np.float32)
    fame = 1.0 / (rng.permutation(items) + 20.0) ** 0.9
    if fault == "topics shift":
        turned = np.where(np.isin(topic_of, (0, 1)), 1.0 + 12.0 * strength, 1.0)
    else:
        turned = np.ones(items)
    late = begun >= since
    want = _drawn(fame, len(begun), rng)
    want[late] = _drawn(fame * turned, int(late.sum()), rng)
    made = _slates(begun, want, fame, fault, since, strength, rng)
    log = _events(begun, who, want, fame, made["clicked"], made["slates"], rng)
    log = _broken(log, fault, since, strength, people, items, rng)
    order = np.argsort(log["times"], kind="stable")
    return Traffic(
        **{name: column[order] for name, column in log.items()},
        shown_to=who,
        shown_at=begun,
        slates=made["slates"],
        scores=made["scores"],
        snapshots=made["snapshots"],
        topics=topics,
    )


def until(log: Traffic, begin: float, end: float) -> Traffic:
    """Return what happened from `begin` to before `end`."""
    a, b = np.searchsorted(log.times, (begin, end))
    c, d = np.searchsorted(log.shown_at, (begin, end))
    happened = {n: getattr(log, n)[a:b] for n in ("users", "items", "times", "kinds")}
    shown = ("shown_to", "shown_at", "slates", "scores", "snapshots")
    return replace(log, **happened, **{n: getattr(log, n)[c:d] for n in shown})


def _rate(hours: int, rng: np.random.Generator) -> _Array:
    """Return how lively each hour is, 1.0 on average: the day, the week, and what nobody knows."""
    hour = np.arange(hours)
    day = 1.0 + 0.85 * np.sin((hour % 24 - 9.0) / 24.0 * 2 * np.pi)
    weekday = np.array([1.0, 0.95, 1.0, 1.05, 1.15, 1.3, 0.7])[hour // 24 % 7]
    of_day = np.repeat(0.1 * rng.normal(size=hours // 24 + 1), 24)[:hours]
    walk = np.cumsum(0.01 * rng.normal(size=hours // 24 + 1))
    noise = np.zeros(hours)
    for n, step in enumerate(0.08 * rng.normal(size=hours)):
        noise[n] = 0.7 * noise[n - 1] + step
    return np.asarray(day * weekday * np.exp(of_day + np.repeat(walk, 24)[:hours] + noise))


def _drawn(weights: _Array, n: int, rng: np.random.Generator) -> _Array:
    return rng.choice(len(weights), size=n, p=weights / weights.sum()).astype(np.int32)


def _slates(
    begun: _Array,
    want: _Array,
    fame: _Array,
    fault: Fault | None,
    since: float,
    strength: float,
    rng: np.random.Generator,
) -> dict[str, _Array]:
    """Return what was shown: what is wanted stands in it now and then, mostly high up."""
    n = len(begun)
    slates = _drawn(fame, 10 * n, rng).reshape(n, 10)
    late = begun >= since
    good = np.full(n, 0.45)
    if fault == "bad snapshot":
        good[late] *= max(0.0, 1.0 - 0.6 * strength)
    hit = rng.random(n) < good
    place = np.minimum(rng.geometric(0.3, n) - 1, 9)
    slates[hit, place[hit]] = want[hit]
    scores = np.sort(rng.normal(2.0, 0.8, size=(n, 10)), axis=1)[:, ::-1]
    if fault == "scores shift":
        scores[late] += 0.8 * strength
    snapshots = late & (fault == "bad snapshot")
    return {
        "slates": slates,
        "scores": scores.astype(np.float32),
        "snapshots": snapshots.astype(np.int32),
        "clicked": np.where(hit & (rng.random(n) < 0.5), place, -1),
    }


def _events(
    begun: _Array,
    who: _Array,
    want: _Array,
    fame: _Array,
    clicked: _Array,
    slates: _Array,
    rng: np.random.Generator,
) -> dict[str, _Array]:
    """Return the events of the visits: what was wanted first, then what comes along."""
    sizes = rng.geometric(0.4, len(begun))
    visit = np.repeat(np.arange(len(begun)), sizes)
    step = np.arange(len(visit)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    kinds = rng.choice(4, size=len(visit), p=_MIX)
    items = _drawn(fame, len(visit), rng)
    same = rng.random(len(visit)) < 0.5  # a visit is about something
    items[same] = want[visit[same]]
    first = step == 0
    items[first] = want
    items[kinds == 3] = -1
    chosen = first & (clicked[visit] >= 0)
    kinds[chosen] = 1
    items[chosen] = slates[visit[chosen], clicked[visit[chosen]]]
    gaps = 20.0 + 40.0 * rng.random(len(visit))
    times = begun[visit] + np.where(first, 15.0, 15.0 + step * gaps)
    return {
        "users": who[visit],
        "items": items,
        "times": np.round(times, 3),
        "kinds": kinds.astype(np.int16),
    }


def _broken(
    log: dict[str, _Array],
    fault: Fault | None,
    since: float,
    strength: float,
    people: int,
    items: int,
    rng: np.random.Generator,
) -> dict[str, _Array]:
    late = log["times"] >= since
    keep = np.ones(len(late), dtype=np.bool_)
    more: dict[str, _Array] | None = None
    if fault == "kind stops":
        keep = ~(late & (log["kinds"] == 1))
    elif fault == "rare kind stops":
        keep = ~(late & (log["kinds"] == 2))
    elif fault == "all stops":
        keep = ~late
    elif fault == "slow loss":
        gone = 1.0 - 0.93 ** (strength * np.maximum(0.0, log["times"] - since) / DAY)
        keep = ~((log["kinds"] == 1) & (rng.random(len(late)) < gone))
    elif fault == "item surges":
        n = int(120 * strength)
        more = _row(
            rng.choice(people, n, replace=n > people),
            np.full(n, rng.integers(0, items)),
            since + 43_200.0 * rng.random(n),
            np.zeros(n),
        )
    elif fault == "person floods":
        n = int(600 * strength)
        more = _row(
            np.full(n, people - 1 - rng.integers(0, 500)),
            rng.integers(0, items, n),
            since + 7_200.0 * np.sort(rng.random(n)),
            rng.choice(2, n),
        )
    elif fault == "duplicated client":
        twice = np.flatnonzero(late & (rng.random(len(late)) < 0.3 * strength))
        more = {name: column[twice] for name, column in log.items()}
        more["times"] = more["times"] + 0.2 + rng.random(len(twice))
    log = {name: column[keep] for name, column in log.items()}
    if more is not None:
        log = {name: np.concatenate((log[name], more[name])) for name in log}
    return log


def _row(users: _Array, items: _Array, times: _Array, kinds: _Array) -> dict[str, _Array]:
    return {
        "users": users.astype(np.int32),
        "items": items.astype(np.int32),
        "times": np.round(times, 3),
        "kinds": kinds.astype(np.int16),
    }
