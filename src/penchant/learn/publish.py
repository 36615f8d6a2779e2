"""The two ends of a training: reading a store into a view, and publishing what was learned."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from penchant.ingest.kinds import Kinds
from penchant.interests.history import counted
from penchant.language.open import EncoderConfig, open_encoder
from penchant.language.template import Template, TextConfig
from penchant.learn.config import LearnConfig
from penchant.learn.training import Outcome
from penchant.learn.view import View
from penchant.store.columns import ItemColumns
from penchant.store.open import Store
from penchant.store.tail import Position
from penchant.types import Floats


def open_view(store: Store) -> tuple[View, Floats | None, int]:
    """Return every event of the store as a view, the raw text vectors, and the last offset.

    Vectors are float32[n_items, d] with rows of NaN for items without text, or None where
    section [encoder] says model = "none".
    """
    tail = store.tail(Position())
    columns = ItemColumns()
    columns.apply(tail.items)
    kinds = Kinds.from_settings(store.settings)
    events = tail.events
    keep, strengths = counted(kinds, events)
    order = np.argsort(events.times[keep], kind="stable")
    keep, strengths = keep[order], strengths[order]
    view = View(
        users=events.users[keep],
        items=events.items[keep],
        times=events.times[keep],
        strengths=strengths,
        shared=events.shared[keep],
        n_users=int(events.users.max()) + 1 if len(events) else 0,
        columns=columns,
    )
    return view, _vectors(store, tail.items, columns.n), tail.position.event_offset


def _vectors(store: Store, items: Any, n: int) -> Floats | None:
    config = store.settings.section("encoder", EncoderConfig)
    if config.model == "none" or not len(items):
        return None
    encoder = open_encoder(config, store.directory / "vectors.db")
    template = Template(store.settings.section("text", TextConfig))
    raw = encoder.encode(template(items))
    out = np.full((n, raw.shape[1]), np.nan, dtype=np.float32)
    raw = raw.astype(np.float32)
    raw[np.abs(raw).max(axis=1) == 0] = np.nan
    out[items["number"].to_numpy()] = raw
    return out


def publish(
    store: Store, folder: Path, outcome: Outcome, config: LearnConfig, offset: int, began: float
) -> dict[str, Any]:
    """Make what lies in `folder` the current snapshot; return the report as plain JSON."""
    report = {
        **outcome.summary(),
        "effort": config.effort,
        "seed": config.seed,
        "offset": offset,
        "created": time.time(),
        "total_seconds": round(time.time() - began, 1),
    }
    identity = store.snapshots.publish(folder, report)
    store.snapshots.prune(config.keep)
    return {**report, "snapshot": identity}
