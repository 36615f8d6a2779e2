"""What one process knows in memory, kept equal to the store by following it.

Catalogue columns, text vectors, shared counts and the pipeline of the current snapshot. Before any
training the pipeline is made of what needs none: popularity, co-visitation and text.
"""

from __future__ import annotations

import tempfile
import threading
from pathlib import Path

import numpy as np

from penchant.ingest.kinds import Kinds
from penchant.interests.history import wanted_before
from penchant.language.encoder import Encoder
from penchant.language.template import Template
from penchant.language.whitening import Whitening
from penchant.rank.pipeline import Pipeline, load_pipeline
from penchant.recall.assemble import RecallPlan, assemble, fit_covisitation
from penchant.recall.popularity import Popularity
from penchant.recall.sequence import Sequence
from penchant.store.artefacts import Artefacts
from penchant.store.columns import ItemColumns
from penchant.store.log import Events
from penchant.store.open import Store
from penchant.store.tail import Position
from penchant.store.vectors import Vectors
from penchant.types import Floats, Ids, Times

UNTRAINED = "untrained"


class Replica:
    """The in-memory side of a store. `follow` is called before every answer and costs microseconds
    when nothing happened."""

    def __init__(self, store: Store, kinds: Kinds, encoder: Encoder | None, template: Template):
        self._store = store
        self._kinds = kinds
        self._encoder = encoder
        self._template = template
        self._lock = threading.RLock()
        self._position: Position | None = None
        self._workspace: tempfile.TemporaryDirectory[str] | None = None
        self._untrained_events = 0
        self.snapshot = UNTRAINED
        self.columns = ItemColumns()
        self.vectors = Vectors()
        self.whitening: Whitening | None = None
        self._pipeline: Pipeline | None = None

    @property
    def reads(self) -> bool:
        """Whether there is a language model, and text vectors to compare words with."""
        return self._encoder is not None and self.vectors.dimension > 0

    @property
    def pipeline(self) -> Pipeline:
        """The pipeline in force; `follow` must have been called."""
        assert self._pipeline is not None
        return self._pipeline

    def follow(self) -> None:
        """Fold what the store gained since the last call: items, events, retractions, snapshots."""
        if self._position is not None and not self._store.moved(self._position):
            return
        with self._lock:
            if self._position is None:
                self._load()
                return
            tail = self._store.tail(self._position)
            if tail.retracted or self._snapshot_id() != self.snapshot:
                self._load()
                return
            self._position = tail.position
            if len(tail.items):
                self._learn_items(self.columns.apply(tail.items), tail.items)
            wanted = self._wanted(tail.events)
            if len(wanted):
                self.pipeline.recall.fold(wanted)
            self._untrained_events += len(wanted)
            if self.snapshot == UNTRAINED and self._untrained_events > self._refit_at:
                self._load()

    def close(self) -> None:
        """Remove what this process kept on disk for itself."""
        if self._workspace is not None:
            self._workspace.cleanup()
            self._workspace = None

    def encode(self, vectors_of: list[str]) -> Floats:
        """Return text vectors in the space of `vectors`, rows of NaN for empty texts."""
        assert self._encoder is not None
        raw = self._encoder.encode(vectors_of).astype(np.float32)
        if self.whitening is not None:
            return self.whitening(raw)
        raw[np.abs(raw).max(axis=1) == 0] = np.nan
        return raw

    def _snapshot_id(self) -> str:
        found = self._store.snapshots.current()
        return UNTRAINED if found is None else found.id

    def _load(self) -> None:
        """Build everything from the store: at the start, after a forget, or for a new snapshot."""
        tail = self._store.tail(Position())
        columns = ItemColumns()
        columns.apply(tail.items)
        wanted = self._wanted(tail.events)
        popularity = Popularity(wanted.items, wanted.times)
        snapshot = self._store.snapshots.current()
        self.columns, self._position = columns, tail.position
        if snapshot is None:
            self._load_untrained(wanted, popularity)
        else:
            folder = Artefacts(snapshot.folder)
            self.whitening = None
            self.vectors = Vectors()
            if self._encoder is not None and folder.has("text.mean.npy"):
                self.whitening = Whitening(
                    np.asarray(folder.array("text.mean")), np.asarray(folder.array("text.matrix"))
                )
                self.vectors = Vectors(folder.array("text.vectors"))
            self._pipeline = self._assemble(folder, RecallPlan.load(folder), popularity)
            self.snapshot = snapshot.id
            # Counts hold everything already; sources learn only what the snapshot has not seen.
            late = _take(wanted, wanted.offsets > int(snapshot.manifest.get("offset", 0)))
            for source in self._pipeline.recall.sources:
                source.fold(late)
        self._learn_items(np.arange(columns.n, dtype=np.int32), tail.items)

    def _load_untrained(self, wanted: Events, popularity: Popularity) -> None:
        self.close()
        self._workspace = tempfile.TemporaryDirectory(prefix="penchant-")
        folder = Artefacts(Path(self._workspace.name))
        order = np.lexsort((wanted.times, wanted.users))
        fit_covisitation(
            wanted.users[order], wanted.items[order], wanted.times[order], self.columns.n, folder
        )
        plan = RecallPlan(text=self._encoder is not None)
        self.whitening = None
        self.vectors = Vectors()
        self.snapshot = UNTRAINED
        self._pipeline = self._assemble(folder, plan, popularity)
        self._untrained_events = 0
        self._refit_at = max(1000, len(wanted) // 4)

    def _assemble(self, folder: Artefacts, plan: RecallPlan, popularity: Popularity) -> Pipeline:
        recall = assemble(
            folder,
            plan,
            popularity=popularity,
            columns=self.columns,
            vectors=self.vectors,
            recent=self._recent,
        )
        return load_pipeline(folder, recall, self.columns, self.vectors)

    def _recent(self, user: int, now: float) -> tuple[Ids, Times]:
        return wanted_before(self._store.log, self._kinds, user, now)

    def _wanted(self, events: Events) -> Events:
        strengths = self._kinds.strength(events.kind_names, events.kinds, events.values)
        keep = (strengths >= self._kinds.config.wanted_from) & (events.items >= 0)
        return _take(events, keep & (events.shared > 0))

    def _learn_items(self, numbers: Ids, rows: object) -> None:
        """Give changed items their text vector, and with it a place in every text source."""
        import polars as pl

        if self._encoder is None or not len(numbers):
            return
        assert isinstance(rows, pl.DataFrame)
        texts = self._template(rows)
        order = rows["number"].to_numpy().astype(np.int32)
        vectors = self.encode(texts)
        self.vectors.set(order, vectors)
        if self.snapshot != UNTRAINED:
            for source in self.pipeline.recall.sources:
                if isinstance(source, Sequence):
                    source.learn_items(order, vectors)


def _take(events: Events, keep: np.ndarray) -> Events:
    """Return the chosen events without their texts."""
    return Events(
        offsets=events.offsets[keep],
        users=events.users[keep],
        items=events.items[keep],
        times=events.times[keep],
        kinds=events.kinds[keep],
        values=events.values[keep],
        shared=events.shared[keep],
        texts=(),
        contexts=(),
        kind_names=events.kind_names,
    )
