"""Made-up visitors of a shop with an experiment, as both logs tell of them: the truth is known."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from penchant.evaluate.experiment.ledger import DAY, Ledger
from penchant.ingest.cleaning import CleaningConfig
from penchant.ingest.kinds import Kinds
from penchant.rank.answer.experiments import ExperimentConfig
from penchant.rank.answer.variants import Experiment
from penchant.rank.feedback.attribution import Attribution, both
from penchant.rank.feedback.config import FeedbackConfig
from penchant.store.impressions import Shown
from penchant.store.log import Events

START = 1_700_000_000.0
K, ITEMS = 5, 100
KIND_NAMES = ("click", "purchase", "dwell")
CLEANING = CleaningConfig()


@dataclass(frozen=True)
class Shop:
    """How people act: per slate, by variant where `effects` says so (it multiplies clicks).

    Everybody has a liveliness of their own, which their clicks before the experiment show too.
    """

    people: int = 1000
    days: int = 10
    visits: float = 3.0  # of a person, in all days
    clicks: float = 0.3  # a slate
    buys: float = 0.2  # a click
    effects: Mapping[str, float] | None = None
    before: int = 0  # days of visits without any slate


def experiment(seed: int = 0, **keys: object) -> Experiment:
    """Return an experiment of half the people."""
    given: dict[str, object] = {"variants": {"new": {"share": 0.5}}, "start": START, **keys}
    return Experiment.of(f"test-{seed}", ExperimentConfig.model_validate(given))


def traffic(
    shop: Shop, one: Experiment, seed: int, lost: Mapping[str, float] | None = None
) -> tuple[Shown, Events]:
    """Return both logs of a shop, in order of time. `lost` is the share of people of a variant
    who are never counted: what a sample-ratio check is there to find."""
    rng = np.random.default_rng(seed)
    arms = [one.variant(f"{seed}-{user}") for user in range(shop.people)]
    gone = np.array([rng.random() < (lost or {}).get(arm, 0.0) for arm in arms])
    lively = rng.gamma(2.0, 0.5, shop.people)
    n = rng.poisson(shop.visits * lively)
    n[gone] = 0
    users = np.repeat(np.arange(shop.people), n)
    times = START + rng.random(len(users)) * shop.days * DAY
    order = np.argsort(times, kind="stable")
    users, times = users[order], times[order]
    items = rng.integers(0, ITEMS, (len(users), K))
    lift = np.array([(shop.effects or {}).get(arm, 1.0) for arm in arms])
    chance = np.minimum(shop.clicks * lift[users] * np.sqrt(lively[users]), 1.0)
    clicked = np.flatnonzero(rng.random(len(users)) < chance)
    rows = [(times[i] + 30.0, users[i], items[i, rng.integers(K)], 0, math.nan) for i in clicked]
    bought = clicked[rng.random(len(clicked)) < shop.buys]
    worth = rng.lognormal(3.0, 0.5, len(bought))
    rows += [
        (times[i] + 300.0, users[i], items[i, 0], 1, w) for i, w in zip(bought, worth, strict=True)
    ]
    early = np.repeat(np.arange(shop.people), rng.poisson(lively * shop.before))
    for user in early:
        time = START - rng.random() * shop.before * DAY
        item = int(rng.integers(ITEMS) * rng.random())
        rows.append((time, user, item, 0, math.nan))
        if rng.random() < shop.buys:
            rows.append((time + 60.0, user, item, 1, rng.lognormal(3.0, 0.5)))
    rows.sort(key=lambda row: row[0])
    return shown_of(users, times, items, [f"{one.name}={arms[user]}" for user in users]), done(rows)


def shown_of(users: object, times: object, items: object, variants: list[str]) -> Shown:
    """Return slates as columns, of K items each."""
    n = len(variants)
    return Shown(
        numbers=np.arange(1, n + 1),
        slates=tuple(f"s{i}" for i in range(n)),
        users=np.asarray(users, dtype=np.int32),
        times=np.asarray(times, dtype=np.float64),
        variants=tuple(variants),
        starts=np.arange(n + 1, dtype=np.int64) * K,
        items=np.asarray(items, dtype=np.int32).ravel(),
        propensities=np.ones(n * K, dtype=np.float32),
    )


def done(rows: list[tuple[float, int, int, int, float]]) -> Events:
    """Return events (time, user, item, kind, value) as columns."""
    times, users, items, kinds, values = zip(*rows, strict=True) if rows else ((),) * 5
    n = len(rows)
    return Events(
        offsets=np.arange(1, n + 1),
        users=np.array(users, dtype=np.int32),
        items=np.array(items, dtype=np.int32),
        times=np.array(times, dtype=np.float64),
        kinds=np.array(kinds, dtype=np.int16),
        values=np.array(values, dtype=np.float32),
        shared=np.ones(n, dtype=np.float32),
        texts=(),
        contexts=(),
        kind_names=KIND_NAMES,
    )


def days(shown: Shown, events: Events, until: int) -> Iterator[tuple[Shown, Events]]:
    """Yield both logs day by day, what was before the start with the first."""
    edges = [-math.inf, *(START + DAY * day for day in range(1, until)), math.inf]
    for low, high in pairwise(edges):
        a, b = np.searchsorted(shown.times, [low, high])
        c, d = np.searchsorted(events.times, [low, high])
        part = replace(
            shown,
            numbers=shown.numbers[a:b],
            slates=shown.slates[a:b],
            users=shown.users[a:b],
            times=shown.times[a:b],
            variants=shown.variants[a:b],
            starts=np.arange(b - a + 1, dtype=np.int64) * K,
            items=shown.items[a * K : b * K],
            propensities=shown.propensities[a * K : b * K],
        )
        yield part, some(events, slice(c, d))


def ledger(one: Experiment, since: float = -math.inf) -> Ledger:
    """Return an empty ledger."""
    return Ledger(one, Kinds(), CLEANING, since)


def folded(one: Experiment, shown: Shown, events: Events) -> Ledger:
    """Return the ledger of two whole logs."""
    made, attribution = ledger(one), Attribution(FeedbackConfig(), Kinds())
    began = int(np.searchsorted(events.times, START))
    answers = both(attribution.fold(shown, some(events, slice(began, None))), attribution.settle())
    made.fold(shown, events, answers)
    return made


def some(events: Events, which: slice) -> Events:
    """Return some of the events."""
    columns = ("offsets", "users", "items", "times", "kinds", "values", "shared")
    return replace(events, **{name: getattr(events, name)[which] for name in columns})
