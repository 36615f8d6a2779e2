"""Rows of events split at random, for benchmarks where the data have no times, and for their peers.

Needs numpy and polars alone, so that peers can use it from environments of their own.
"""

from __future__ import annotations

import numpy as np
import polars as pl

TOLD = ("daytime", "weekday", "isweekend", "homework", "weather", "country", "city")
BEGIN, STEP = 1_500_000_000.0, 60.0  # seconds


def split(events: pl.DataFrame, seed: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return 80% and 20% of the rows by chance, each with a time, in random order."""
    rng = np.random.default_rng(seed)
    mixed = events[rng.permutation(len(events))]
    cut = int(0.8 * len(mixed))
    times = BEGIN + STEP * np.arange(len(mixed))
    mixed = mixed.with_columns(timestamp=pl.Series(times), event=pl.lit("click"))
    return mixed.head(cut), mixed.tail(-cut)


def auc(right: np.ndarray, wrong: np.ndarray) -> float:
    """Return the chance that one of the first is above one of the second; a tie is half."""
    ordered = np.sort(wrong)
    below = np.searchsorted(ordered, right, side="left")
    upto = np.searchsorted(ordered, right, side="right")
    return float(((below + upto) / 2).mean() / len(wrong))
