"""The two ends of a training: reading a store into a view, and publishing what was learned.

Published is what the gate lets pass and what then answers; otherwise the old snapshot serves on.
"""

from __future__ import annotations

import math
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from penchant.ingest.kinds import Kinds
from penchant.interests.history import counted
from penchant.language.encoder.open import EncoderConfig, text_space
from penchant.language.media.config import MediaConfig
from penchant.language.template import TextConfig
from penchant.learn.config import LearnConfig
from penchant.learn.outcome import Outcome
from penchant.learn.release.encoding import same_encoder
from penchant.learn.release.gate import Incumbent
from penchant.learn.release.reading import read_texts
from penchant.learn.release.rehearsal import rehearse
from penchant.learn.response.exposures import exposures, valued
from penchant.learn.view import Earlier, View
from penchant.rank.answer.loading import REVIEWED
from penchant.store.artefacts import Artefacts
from penchant.store.columns import ItemColumns
from penchant.store.log import Events
from penchant.store.open import Store
from penchant.store.tail import Position
from penchant.types import Floats, InvalidInput


def open_view(store: Store, snapshot: Path | None = None) -> tuple[View, Floats | None, int]:
    """Return every event of the store as a view, the raw text vectors, and the last offset.

    Vectors are float32[n_items, d] with rows of NaN for items without text, or None where
    section [encoder] says model = "none". They are made by the encoder in the folder of `snapshot`,
    where there is one.
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
        offsets=events.offsets[keep],
        n_users=int(events.users.max()) + 1 if len(events) else 0,
        columns=columns,
        item_change=tail.position.item_change,
        links=store.people.scan_links,
        exposures=exposures(events, kinds),
        valued=valued(events),
        **_contexts(events, keep),
    )
    known = read_texts(store, tail, columns.n, snapshot)
    if known is None:
        return view, None, tail.position.event_offset
    view = replace(
        view,
        reviewed=known.reviewed,
        earlier=known.earlier,
        bare=known.bare,
        texts=known.texts,
        layout=known.layout,
    )
    return view, known.raw, tail.position.event_offset


def _contexts(events: Events, keep: npt.NDArray[np.intp]) -> dict[str, Any]:
    """Return the contexts of some of the events, each different one once."""
    if not events.contexts:
        return {}
    number: dict[str, int] = {}
    places = np.array(
        [
            -1 if text is None else number.setdefault(text, len(number))
            for text in (events.contexts[at] for at in keep.tolist())
        ],
        dtype=np.int32,
    )
    return {"contexts": places, "context_texts": tuple(number)} if number else {}


def space(store: Store) -> str:
    """Return what names the vectors of items by the settings: `text_space`."""
    encoder = store.settings.section("encoder", EncoderConfig)
    text = store.settings.section("text", TextConfig)
    return text_space(encoder, text, store.settings.section("media", MediaConfig))


def open_incumbent(store: Store, view: View, target: Path) -> Incumbent | None:
    """Return the snapshot that serves and what of the view it knows; None before the first.

    `target` is the folder of the snapshot that is being made.
    """
    found = store.snapshots.current()
    if found is None or view.offsets is None:
        return None
    known = view.offsets <= int(found.manifest.get("offset", 0))
    return Incumbent(
        id=found.id,
        folder=found.folder,
        known=known,
        until=float(found.manifest.get("until", "nan")),
        removed=max(0, int(found.manifest.get("events", 0)) - int(known.sum())),
        earlier=None if same_encoder(found.folder, target) else _earlier(store, view, found.folder),
    )


def _earlier(store: Store, view: View, snapshot: Path) -> Earlier:
    """Return what gives the vectors of the encoder of another snapshot, as of a moment."""

    def earlier(moment: float) -> Floats:
        other, raw, _ = open_view(store, snapshot)
        if other.earlier is not None and math.isfinite(moment):
            raw = other.earlier(moment)
        if raw is None:
            raise InvalidInput(f"nothing reads texts for the snapshot in {snapshot}")
        return raw[: view.n_items]  # items may have come meanwhile

    return earlier


def publish(
    store: Store,
    folder: Path,
    outcome: Outcome,
    config: LearnConfig,
    view: View,
    offset: int,
    began: float,
) -> dict[str, Any]:
    """Make what lies in `folder` the current snapshot; return the report as plain JSON.

    The folder is moved. What the gate holds back stays where it is, and the report names the
    snapshot that goes on serving. Raises `CannotAnswer` where what was learned does not answer.
    """
    verdict = outcome.gate
    report = {
        **outcome.summary(),
        "published": verdict is None or verdict.published,
        "effort": config.effort,
        "seed": config.seed,
        "offset": offset,
        "texts": {"change": view.item_change, "space": space(store)},
        "until": float(view.times.max()),
        "created": time.time(),
    }
    if verdict is not None and not verdict.published:
        return {**report, "total_seconds": _since(began), "snapshot": verdict.against}
    if view.reviewed is not None:
        Artefacts(folder).write_array(REVIEWED, view.reviewed)
    report["rehearsed"] = rehearse(store, folder, view, report)
    report["total_seconds"] = _since(began)
    identity = store.snapshots.publish(folder, report)
    store.snapshots.prune(config.keep)
    return {**report, "snapshot": identity}


def _since(began: float) -> float:
    return round(time.time() - began, 1)
