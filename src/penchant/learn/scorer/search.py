"""Searching the ranker's parameters on the validation window, in a stated time, with Optuna.

Every trial learns on the early requests of the window and is measured on late requests of half of
the people. The best of many trials is partly the luckiest, so it must then beat the parameters that
nobody searched for on the late requests of the other half, whom the search has not seen.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from penchant.learn.config import RankerConfig
from penchant.learn.scorer import ranker
from penchant.learn.scorer.choice import LATE, best_count, by_trees, learnable
from penchant.learn.scorer.rows import Rows
from penchant.learn.scorer.trials import Trials, gains_of
from penchant.measure.intervals import paired
from penchant.types import Tell

if TYPE_CHECKING:
    import optuna

STEP = "search of the ranker"
LEVEL = 0.8  # of the interval that a find must keep above zero: one in ten of luck alone would
LEAST_PEOPLE = 20  # on each side
RANDOM = 8  # trials before the sampler believes that it has learned anything


class OutOfTime(Exception):
    """The time of the search is over; what is being tried is given up."""


@dataclass(frozen=True)
class Searched:
    """What a search tried and earned.

    `searched` and `confirmed` are NDCG@10 of the default and of the best found, on the people that
    the search went by and on those it did not; `interval` is that of the second difference.
    """

    adopted: bool
    parameters: dict[str, float]
    trials: int
    resumed: int
    seconds: float
    searched: dict[str, float]
    confirmed: dict[str, float]
    interval: tuple[float, float] | None

    def __str__(self) -> str:
        if self.interval is None:
            return "search: too little data or time to compare; the default parameters stay"
        a, b = self.searched, self.confirmed
        found = ", ".join(f"{name} {value:.4g}" for name, value in self.parameters.items())
        verdict = f"adopted: {found}" if self.adopted else "the default parameters stay"
        return (
            f"search: {self.trials} trials in {self.seconds:.0f} s found {a['best']:.4f} against "
            f"{a['default']:.4f}, on other people {b['best']:.4f} against {b['default']:.4f} "
            f"[{self.interval[0]:+.4f}, {self.interval[1]:+.4f}]; {verdict}"
        )


SPACE: dict[str, tuple[float, float]] = {
    "leaves": (6, 31),  # these and the trees are bounded by what an answer may cost
    "learning_rate": (0.01, 0.1),
    "least_in_leaf": (20, 1000),
    "feature_share": (0.3, 1.0),
    "ridge": (0.1, 50.0),
    "truncation": (10, 50),
    "negatives": (50, 150),
    "trees": (150, 800),
}


def space(config: RankerConfig) -> dict[str, optuna.distributions.BaseDistribution]:
    """Return the range of each parameter, in its logarithm; what `config` has lies within."""
    from optuna.distributions import FloatDistribution, IntDistribution

    out: dict[str, optuna.distributions.BaseDistribution] = {}
    for name, (low, high) in SPACE.items():
        default = getattr(config, name)
        low, high = min(low, default), max(high, default)
        if isinstance(default, int):
            out[name] = IntDistribution(int(low), int(high), log=True)
        else:
            out[name] = FloatDistribution(low, high, log=True)
    return out


def search(
    rows: Rows,
    config: RankerConfig,
    trials: Trials,
    *,
    seed: int,
    seconds: float,
    tell: Tell,
    share: float = LATE,
    most: int = 1000,
) -> tuple[RankerConfig, Searched]:
    """Return the parameters to use, `config` itself where nothing better was confirmed.

    Takes no longer than `seconds`, nor more trials than `most`, those of an earlier, killed search
    with the same `trials` included.
    A seed tries the same in the same order, resumed or not; how far it comes is the clock's.
    """
    one = _Search(rows, config, seed, share)
    if not one.possible:
        return config, Searched(False, {}, 0, 0, 0.0, {}, {}, None)
    began, spent, resumed = time.monotonic(), trials.seconds(), len(trials.finished())
    said = began

    def watch() -> None:
        nonlocal said
        now = time.monotonic()
        if now - began + spent > seconds:
            raise OutOfTime
        if now - said > 1.0:
            said = now
            tell(STEP, min(1.0, (now - began + spent) / seconds))

    with suppress(OutOfTime):
        while len(trials.finished()) < most:
            watch()
            start = time.monotonic()
            given = None if trials.finished() else one.default()
            trial = trials.ask(space(config), seed, RANDOM, given)
            value, gains = one.measure(one.configured(trial.params), watch)
            trials.tell(trial, value, gains, time.monotonic() - start)
    tell(STEP, 1.0)
    finished = trials.finished()
    took = round(time.monotonic() - began + spent, 1)
    if not finished:
        return config, Searched(False, {}, 0, 0, took, {}, {}, None)
    first, best = finished[0], max(finished, key=lambda trial: trial.value or 0.0)
    confirmed, interval = one.confirm(gains_of(best), gains_of(first))
    adopted = best is not first and interval[0] > 0
    return one.configured(best.params) if adopted else config, Searched(
        adopted,
        dict(best.params),
        len(finished),
        resumed,
        took,
        {"default": float(first.value or 0.0), "best": float(best.value or 0.0)},
        confirmed,
        interval,
    )


class _Search:
    """The two sides of the window and of its people, and how one trial is measured on them."""

    def __init__(self, rows: Rows, config: RankerConfig, seed: int, share: float) -> None:
        self.config = config
        self.seed = seed
        self.early, self.late = rows.split(share)
        people = np.unique(self.late.users)
        chosen = np.random.default_rng(seed).permutation(people)[: len(people) // 2]
        self.mine = np.isin(self.late.users, chosen)  # bool[late requests]: those searched on
        self.possible = learnable(self.early, self.late) and len(people) >= 2 * LEAST_PEOPLE

    def default(self) -> dict[str, Any]:
        """Return the parameters that nobody searched for."""
        return {name: getattr(self.config, name) for name in SPACE}

    def configured(self, parameters: dict[str, Any]) -> RankerConfig:
        """Return the configuration with these parameters."""
        return replace(self.config, **parameters)

    def measure(
        self, config: RankerConfig, watch: Callable[[], None]
    ) -> tuple[float, npt.NDArray[np.float64]]:
        """Return the NDCG@10 on my people, and of every late request at the same count of trees."""
        booster = ranker.fit(self.early, config, seed=self.seed, watch=watch)
        gains = by_trees(booster, self.late)
        trees, value = best_count({n: float(g[self.mine].mean()) for n, g in gains.items()})
        return value, gains[trees]

    def confirm(
        self, best: npt.NDArray[np.float64], default: npt.NDArray[np.float64]
    ) -> tuple[dict[str, float], tuple[float, float]]:
        """Return both NDCG@10 on the people nobody searched on, and the difference's interval."""
        other = ~self.mine
        difference = paired(best[other], default[other], self.late.users[other], level=LEVEL)
        return (
            {"default": float(default[other].mean()), "best": float(best[other].mean())},
            (difference.low, difference.high),
        )
