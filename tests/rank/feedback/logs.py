"""Two small logs as columns: slates that were shown, and events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np

from penchant.store.impressions import Shown
from penchant.store.log import Events

NAMES = ("click", "purchase", "impression")


def shown(
    rows: list[tuple[int, float, list[int]]],
    first: int = 1,
    contexts: tuple[Mapping[str, Any] | None, ...] = (),
) -> Shown:
    """Slates of (user, time, items); slate n is called `s<n>`."""
    sizes = [len(items) for _, _, items in rows]
    return Shown(
        numbers=np.arange(first, first + len(rows), dtype=np.int64),
        slates=tuple(f"s{first + n}" for n in range(len(rows))),
        users=np.array([user for user, _, _ in rows], dtype=np.int32),
        times=np.array([time for _, time, _ in rows], dtype=np.float64),
        variants=("",) * len(rows),
        starts=np.concatenate(([0], np.cumsum(sizes, dtype=np.int64))).astype(np.int64),
        items=np.array([i for _, _, items in rows for i in items], dtype=np.int32),
        propensities=np.array([0.5] * sum(sizes), dtype=np.float32),
        contexts=contexts,
    )


def events(rows: list[tuple[int, int, float, int, str | None]], first: int = 1) -> Events:
    """Events of (user, item, time, kind, slate)."""
    n = len(rows)
    return Events(
        offsets=np.arange(first, first + n, dtype=np.int64),
        users=np.array([row[0] for row in rows], dtype=np.int32),
        items=np.array([row[1] for row in rows], dtype=np.int32),
        times=np.array([row[2] for row in rows], dtype=np.float64),
        kinds=np.array([row[3] for row in rows], dtype=np.int16),
        values=np.full(n, np.nan, dtype=np.float32),
        shared=np.ones(n, dtype=np.float32),
        texts=(),
        contexts=(),
        kind_names=NAMES,
        slates=tuple(row[4] for row in rows),
    )


def part(columns: Shown | Events, begin: int, end: int) -> Shown | Events:
    if isinstance(columns, Events):
        cut = {
            f.name: getattr(columns, f.name)[begin:end]
            for f in fields(Events)
            if f.name not in ("kind_names", "texts", "contexts")
        }
        return Events(**cut, texts=(), contexts=(), kind_names=columns.kind_names)
    starts = columns.starts[begin : end + 1]
    return Shown(
        numbers=columns.numbers[begin:end],
        slates=columns.slates[begin:end],
        users=columns.users[begin:end],
        times=columns.times[begin:end],
        variants=columns.variants[begin:end],
        starts=starts - starts[0],
        items=columns.items[starts[0] : starts[-1]],
        propensities=columns.propensities[starts[0] : starts[-1]],
        contexts=columns.contexts[begin:end],
    )
