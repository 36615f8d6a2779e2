"""Choosing the settings of a live peer on the last tenth of the training time."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import polars as pl

K = 10


def figure(system: Any, bar: Any, after: pl.DataFrame, most: int) -> float:
    """Return NDCG@10 of the answer before each of the first events, each told once answered."""
    gains = []
    for user, item, when in after.sort("timestamp", maintain_order=True).head(most).iter_rows():
        gains.append(bar.gains(bar.Request(user, when, [], [item]), system.ask(user, when)))
        system.add(user, item, when)
    return float(np.mean(gains))


def chosen(
    make: Callable[..., Any],
    steps: Iterable[Callable[[dict[str, Any]], list[dict[str, Any]]]],
    bar: Any,
    train: pl.DataFrame,
    most: int = 1500,
) -> dict[str, Any]:
    """Return the settings that answered best. Each step says what to try beside the best so far.

    `make(settings, train)` is fitted to all but the last tenth of the time of `train`.
    """
    cut = int(train["timestamp"].quantile(0.9))  # type: ignore[arg-type]
    before = train.filter(pl.col("timestamp") < cut)
    after = train.filter(pl.col("timestamp") >= cut)
    best: dict[str, Any] = {}
    highest = -1.0
    for step in steps:
        for settings in step(best):
            now = figure(make(settings, before), bar, after, most)
            print(f"{settings}: {now:.4f}", file=sys.stderr, flush=True)
            if now > highest:
                best, highest = settings, now
    return best
