"""The tiny world many times over: enough people to train on, and the answers are still known."""

from __future__ import annotations

from pathlib import Path

import polars as pl

import penchant
import world
from shelves import mute

COPIES = 12
NOW = world.NOW + COPIES * 3600


def events(copies: int = COPIES) -> pl.DataFrame:
    """Return the clicks of `copies` of everybody ("ann-0", "ann-1", ...), hours apart."""
    one = world.events()
    return pl.concat(
        one.with_columns(
            event_id=pl.format("{}-{}", "event_id", pl.lit(n)),
            user_id=pl.format("{}-{}", "user_id", pl.lit(n)),
            timestamp=pl.col("timestamp") + 3600 * n,
        )
        for n in range(copies)
    ).sort("timestamp", maintain_order=True)


def filled(directory: Path, copies: int = COPIES) -> Path:
    """Return a directory that holds the crowd, without the language model."""
    with penchant.open(mute(directory), effort="fast") as engine:
        engine.add(world.items())
        engine.record(events(copies), now=NOW)
    return directory
