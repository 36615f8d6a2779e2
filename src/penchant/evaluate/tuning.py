"""Choosing a baseline's settings on a window before the test, the same trials for each.

A baseline left at its defaults is a straw man, one tuned on the test is a cheat.
"""

from __future__ import annotations

import time as clock
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from penchant.evaluate.baselines.baseline import Baseline
from penchant.evaluate.baselines.ease import Ease
from penchant.evaluate.baselines.ials import IALS
from penchant.evaluate.baselines.item_knn import ItemKNN
from penchant.evaluate.plan import plan
from penchant.evaluate.replay import walk
from penchant.measure.moments import Arm
from penchant.measure.ranking import hits, ndcg
from penchant.types import InvalidInput

Settings = Mapping[str, Any]
# From the likeliest to the least: a budget that runs out cuts the end.
GRIDS: dict[Callable[..., Baseline], tuple[Settings, ...]] = {
    ItemKNN: tuple(
        {"neighbours": n, "shrink": s} for n in (100, 50, 300, 20) for s in (20.0, 100.0)
    ),
    Ease: tuple({"penalty": p} for p in (200.0, 100.0, 500.0, 50.0, 1000.0, 20.0, 2000.0, 5.0)),
    IALS: tuple(
        {"factors": f, "penalty": p, "alpha": a}
        for f, p, a in (
            (64, 10.0, 4.0),
            (64, 1.0, 4.0),
            (64, 30.0, 4.0),
            (64, 10.0, 16.0),
            (64, 30.0, 16.0),
            (128, 30.0, 4.0),
            (128, 100.0, 16.0),
            (256, 60.0, 4.0),
        )
    ),
}


@dataclass(frozen=True, slots=True)
class Tuned:
    """The settings that won, their figure, and (settings, NDCG) of every trial in order."""

    settings: Settings
    figure: float
    trials: tuple[tuple[Settings, float], ...]


def tune(
    make: Callable[..., Baseline],
    grid: Sequence[Settings],
    train: pl.DataFrame,
    *,
    arm: Arm = "next",
    k: int = 10,
    most: int = 1500,
    budget: float = float("inf"),
    seed: int = 7,
) -> Tuned:
    """Return the settings with the best NDCG@k on the last tenth of `train`.

    `train` is user_id, item_id, timestamp in seconds, all of it from before the test. Every trial
    is fitted to the rest and walks the same at most `most` requests. When `budget` seconds are
    used up no further trial starts; the first always runs.
    """
    if not grid:
        raise InvalidInput("tuning needs at least one combination of settings, got an empty grid")
    inner = plan(train, arm=arm, most=most, seed=seed)
    began = clock.perf_counter()
    trials: list[tuple[Settings, float]] = []
    for settings in grid:
        if trials and clock.perf_counter() - began > budget:
            break
        answers = walk(make(**settings).fit(inner.train), inner, k)
        gains = ndcg(hits(answers.ranked, inner.wanted), inner.wanted.lengths, k)
        trials.append((settings, float(np.mean(gains)) if len(gains) else 0.0))
    settings, figure = max(trials, key=lambda trial: trial[1])
    return Tuned(settings, figure, tuple(trials))
