"""From a folder of learned arrays to the sources that answer: the same for training and serving."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from penchant.interests.context.schema import Schema
from penchant.language.projection import Layout, Projection
from penchant.recall import covisitation, linear
from penchant.recall.again import Again
from penchant.recall.contextual import CONTEXTUAL, Contextual
from penchant.recall.covisitation import Covisitation
from penchant.recall.fresh import Fresh
from penchant.recall.gather import Recall
from penchant.recall.pairing import Pairing, Recent
from penchant.recall.popularity import DAY, Popularity
from penchant.recall.sequence import Sequence as SequenceSource
from penchant.recall.sequence import Told, quiet_session
from penchant.recall.source import Source
from penchant.recall.sparse import SparseRows
from penchant.recall.table import Table
from penchant.recall.text import Lift, Place, Text
from penchant.recall.trending import Trending
from penchant.store.artefacts import Artefacts
from penchant.store.columns import ItemColumns
from penchant.store.faults import StoreError
from penchant.store.vectors import Vectors
from penchant.types import Floats, Ids, Times

TUNED = "tuned"
TRENDING = {"trending_1d": 1 * DAY, "trending_7d": 7 * DAY, "trending_30d": 30 * DAY}
LIVE = 10  # items that a source may propose which no training knows


@dataclass(frozen=True)
class RecallPlan:
    """Which sources answer, and how many items each may propose; stored as recall.json.

    What was only counted, not learned, says until when: it must not answer for a time before.
    """

    linear: tuple[str, ...] = ()
    sequence: tuple[str, ...] = ()
    covisitation: bool = True
    text: bool = False
    tuned: bool = False
    again: bool = False
    contextual: bool = False
    quota: int = 100
    quotas: dict[str, int] = field(default_factory=dict)
    counted_until: float = 0.0

    def save(self, folder: Artefacts) -> None:
        """Write the plan."""
        folder.write_json("recall", asdict(self))

    @classmethod
    def load(cls, folder: Artefacts) -> RecallPlan:
        """Return the plan a folder holds."""
        found: dict[str, Any] = folder.json("recall")
        return cls(
            **{**found, "linear": tuple(found["linear"]), "sequence": tuple(found["sequence"])}
        )


def fit_covisitation(users: Ids, items: Ids, times: Times, n_items: int, folder: Artefacts) -> None:
    """Write both co-visitation counts of events sorted by user and time; no training needed."""
    for name, together in (("after", False), ("together", True)):
        rows = _count(users, items, times, n_items, together=together)
        folder.write_arrays(rows.arrays(name))
    counts = np.bincount(items, minlength=n_items).astype(np.float32)
    folder.write_array("covisitation.counts", counts)


def _count(users: Ids, items: Ids, times: Times, n_items: int, *, together: bool) -> SparseRows:
    froms, tos, weights = covisitation.pairs(users, items, times, together=together, days_half=7.0)
    return SparseRows.from_pairs(froms, tos, weights, n_items, keep=200)


def assemble(
    folder: Artefacts,
    plan: RecallPlan,
    *,
    popularity: Popularity,
    columns: ItemColumns,
    vectors: Vectors,
    recent: Recent,
    place: Place | None = None,
    layout: Layout = (),
    worded: Sequence[Source] = (),
    live: Sequence[Source] = (),
    threads: int = 1,
) -> Recall:
    """Return the sources of `plan`, reading what they learned from `folder`.

    `place` brings what the encoder made of a text into the space of `vectors`; `layout` names the
    parts of raw rows where items are more than their text.
    `worded` are no part of a plan: they follow the catalogue and the log by themselves, and
    training asks nothing in words. Nor are those that are `live`: there is nothing to ask them
    about the past.
    """
    sources: list[Source] = []
    for name in plan.linear:
        meta = folder.json(name)
        if meta["model"] == "ease":
            rows = meta.get("rows", name)  # one matrix may serve several sources
            arrays = {
                f"{name}.{part}": folder.array(f"{rows}.{part}")
                for part in ("starts", "columns", "values")
            }
        else:
            arrays = {f"{name}.factors": folder.array(f"{name}.factors")}
        sources.append(linear.load(name, meta, arrays))
    sources += [load_sequence(folder, name, threads) for name in plan.sequence]
    if plan.contextual:
        sources.append(load_contextual(folder, threads))
    if plan.covisitation:
        counts: Floats = np.asarray(folder.array("covisitation.counts"))
        pairing = Pairing(recent)
        for name, together in (("after", False), ("together", True)):
            parts = ("starts", "columns", "values")
            arrays = {f"{name}.{part}": folder.array(f"{name}.{part}") for part in parts}
            rows = SparseRows.load(arrays, name)
            sources.append(
                Covisitation(
                    name,
                    rows,
                    counts,
                    together=together,
                    pairing=pairing,
                    until=plan.counted_until,
                )
            )
    text = None
    if plan.text:
        text = Text("text", vectors, place)
        sources.append(text)
    if plan.tuned:
        rows = Vectors(folder.array(f"{TUNED}.vectors"))
        # From here on it is what says which new item fits.
        learned = Projection.load(folder, TUNED).reading(layout)
        text = Text(TUNED, rows, learned, lift=load_lift(folder))
        sources.append(text)
    sources += [Trending(name, life, popularity) for name, life in TRENDING.items()]
    sources.append(Fresh("fresh", popularity, text, columns))
    if plan.again:
        sources.append(Again())
    sources += live
    asked = [*sources, *worded]
    quotas = {source.name: plan.quotas.get(source.name, plan.quota) for source in asked}
    # Where candidates stand in the pool is a feature: those that no training saw are to be few.
    quotas |= {source.name: LIVE for source in live}
    return Recall(sources, popularity, quotas, worded)


def load_lift(folder: Artefacts) -> Lift | None:
    """Return what lifts untried items in the source "tuned"; None in older snapshots."""
    if not folder.has(f"{TUNED}.json"):
        return None
    tried = np.asarray(folder.array(f"{TUNED}.tried"))
    return Lift(float(folder.json(TUNED)["lift"]), tried)


def load_sequence(folder: Artefacts, name: str, threads: int = 1) -> SequenceSource:
    """Return one sequence source; new items of a text model get their row by `project`."""
    meta = folder.json(name)
    session = quiet_session(folder.path(f"{name}.onnx"), threads)
    table, length = Table.load(folder, name, meta), int(meta["length"])
    schema = Schema.load(folder) if meta.get("context") else None
    if schema is None:
        return SequenceSource(name, session, table, length)
    then, here = (np.asarray(folder.array(f"{name}.{part}")) for part in ("then", "here"))
    return SequenceSource(name, session, table, length, Told(schema, then, here))


def load_contextual(folder: Artefacts, threads: int = 1) -> Contextual:
    """Return the source that reads circumstances; it has the schema of its snapshot."""
    schema = Schema.load(folder)
    if schema is None:
        raise StoreError("the snapshot names contextual recall and has no schema of contexts")
    meta = folder.json(CONTEXTUAL)
    session = quiet_session(folder.path(f"{CONTEXTUAL}.onnx"), threads)
    return Contextual(schema, session, Table.load(folder, CONTEXTUAL, meta), int(meta["length"]))
