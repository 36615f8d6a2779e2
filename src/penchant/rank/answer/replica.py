"""What one process knows in memory, kept equal to the store by following it.

Catalogue columns, text vectors, shared counts and the pipeline of the current snapshot. Before any
training the pipeline is made of what needs none: popularity, co-visitation and text.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from penchant.ingest.kinds import Kinds
from penchant.interests.history import stateless, wanted_before
from penchant.language.cache import CachedEncoder
from penchant.language.encoder import Encoder
from penchant.language.open import EncoderConfig, open_encoder, text_space
from penchant.language.template import Template, TextConfig
from penchant.language.whitening import Whitening
from penchant.rank.answer.pasts import Pasts
from penchant.rank.pipeline import Pipeline, load_pipeline
from penchant.recall.assemble import RecallPlan, assemble, fit_covisitation
from penchant.recall.lexical import Lexical
from penchant.recall.popularity import Popularity
from penchant.recall.sequence import Sequence
from penchant.store.artefacts import Artefacts
from penchant.store.columns import ItemColumns
from penchant.store.log import Events
from penchant.store.open import Store
from penchant.store.snapshots import Snapshot
from penchant.store.tail import Position, Tail
from penchant.store.vectors import Vectors
from penchant.types import Error, Floats, Query

UNTRAINED = "untrained"
VECTORS = "vectors.db"
Tell = Callable[[str, float], None]


@dataclass(frozen=True, eq=False)
class Served:
    """What a request is answered from. Its parts grow with the store; a new snapshot is a new one.

    A request holds on to one of these, so that what it reads fits together to its end.
    """

    snapshot: str
    columns: ItemColumns
    vectors: Vectors
    pipeline: Pipeline
    whitening: Whitening | None
    encoder: Encoder | None

    def words(self, text: str | None) -> Floats | None:
        """Return the unit vector float32[d] of what somebody said, None where it says nothing.

        Words that cannot be encoded now (an endpoint that is down) say nothing either: the rest of
        the question is answered.
        """
        if text is None or not text.strip() or self.encoder is None or not self.vectors.dimension:
            return None
        try:
            vector: Floats = self.encode([text])[0]
        except Error:
            return None
        return vector if bool(np.isfinite(vector).all()) else None

    def encode(self, texts: list[str]) -> Floats:
        """Return text vectors in the space of `vectors`, rows of NaN for empty texts."""
        assert self.encoder is not None
        raw = self.encoder.encode(texts).astype(np.float32)
        if self.whitening is not None:
            return self.whitening(raw)
        raw[np.abs(raw).max(axis=1) == 0] = np.nan
        return raw


class Replica:
    """The in-memory side of a store. `follow` comes before every answer and costs microseconds
    when nothing happened."""

    def __init__(self, store: Store, kinds: Kinds) -> None:
        self._store = store
        self._kinds = kinds
        config = store.settings.section("encoder", EncoderConfig)
        text = store.settings.section("text", TextConfig)
        self._template = Template(text)
        self._space = text_space(config, text)
        # One for all snapshots: it follows the catalogue alone.
        self._lexical = Lexical("lexical", store.catalogue.changed, self._template)
        self._encoder: Encoder | None = None
        if config.model != "none":
            cache = store.directory / VECTORS
            self._encoder = open_encoder(config, cache, read_only=store.read_only)
        self.warnings: list[str] = []
        self._lock = threading.RLock()
        # Replaced as one, so that nobody sees the one without the other.
        self._known: tuple[Served, Position] | None = None
        self._workspace: tempfile.TemporaryDirectory[str] | None = None
        self._refused: set[str] = set()
        self._pasts = Pasts(lambda user, now: wanted_before(store.log, kinds, user, now))
        self._late = 0
        self._refit_at = 0

    def follow(self) -> Served:
        """Fold what the store gained since the last call, and return what to answer from."""
        known = self._known
        if known is not None and not self._store.moved(known[1]):
            return known[0]
        with self._lock:
            if self._known is None:
                return self._load()
            served, position = self._known
            if not self._store.moved(position):
                return served
            tail = self._store.tail(position)
            wanted = self._wanted(tail.events)
            due = served.snapshot == UNTRAINED and self._late + len(wanted) > self._refit_at
            if due or tail.retracted or self._current() != served.snapshot:
                return self._load()
            try:
                if len(served.columns.apply(tail.items)):
                    self._lexical.outdated()
                self._learn_items(served, tail.items)
                if len(wanted):
                    with self._pasts.remembered():
                        served.pipeline.recall.fold(wanted)
            except BaseException:
                self._known = None  # half folded: to be made anew
                raise
            self._late += len(wanted)
            # Only now: until then others wait for what they have been told is stored.
            self._known = (served, tail.position)
            return served

    def reload(self) -> None:
        """Have the next `follow` build everything anew: what events mean has changed."""
        with self._lock:
            self._known = None

    def prepare(self, items: pl.DataFrame, tell: Tell | None = None) -> None:
        """Encode the texts of items before they are stored: then no request has to wait for it."""
        if self._encoder is None or not len(items):
            return
        texts = self._template(items)
        if tell is None or not isinstance(self._encoder, CachedEncoder):
            self._encoder.encode(texts)
        else:
            self._encoder.encode(texts, lambda done, total: tell("encode", done / total))

    def close(self) -> None:
        """Remove what this process kept on disk for itself."""
        self._lexical.close()
        if isinstance(self._encoder, CachedEncoder):
            self._encoder.close()
        if self._workspace is not None:
            self._workspace.cleanup()
            self._workspace = None

    def _current(self) -> str:
        found = self._store.snapshots.current()
        return UNTRAINED if found is None or found.id in self._refused else found.id

    def _load(self) -> Served:
        """Build everything from the store: at the start, after a forget, or for a new snapshot."""
        tail = self._store.tail(Position())
        columns = ItemColumns()
        columns.apply(tail.items)
        self._lexical.outdated()
        wanted = self._wanted(tail.events)
        popularity = Popularity(wanted.items, wanted.times)
        snapshot = self._store.snapshots.current()
        served = None
        if snapshot is not None and snapshot.id not in self._refused:
            try:
                items = self._unknown_to(snapshot, tail)
                served = self._trained(snapshot, columns, popularity, items)
                # Counts hold everything already; sources learn only what the snapshot never saw.
                late = _take(wanted, wanted.offsets > int(snapshot.manifest.get("offset", 0)))
                with self._pasts.remembered(wanted if len(late) else None):
                    for source in served.pipeline.recall.sources:
                        source.fold(late)
                _try(served, float(wanted.times.max(initial=0.0)))
            except Exception as error:
                self._refused.add(snapshot.id)
                self._warn(
                    f"snapshot {snapshot.id} cannot be used by this version "
                    f"({type(error).__name__}: {error}); answering as before any training"
                )
                served = None
        if served is None:
            served = self._untrained(columns, popularity, wanted, tail.items)
        self._known = (served, tail.position)
        return served

    def _trained(
        self, snapshot: Snapshot, columns: ItemColumns, popularity: Popularity, items: pl.DataFrame
    ) -> Served:
        folder = Artefacts(snapshot.folder)
        whitening, vectors = None, Vectors()
        if self._encoder is not None and folder.has("text.mean.npy"):
            whitening = Whitening(
                np.asarray(folder.array("text.mean")), np.asarray(folder.array("text.matrix"))
            )
            vectors = Vectors(folder.array("text.vectors"))
        served = Served(
            snapshot=snapshot.id,
            columns=columns,
            vectors=vectors,
            pipeline=self._pipeline(folder, RecallPlan.load(folder), popularity, columns, vectors),
            whitening=whitening,
            encoder=self._encoder,
        )
        self._learn_items(served, items)
        return served

    def _unknown_to(self, snapshot: Snapshot, tail: Tail) -> pl.DataFrame:
        """Return the items whose text vectors a snapshot lacks: those that changed after it."""
        texts = snapshot.manifest.get("texts", {})
        if not texts or texts["space"] != self._space:
            return tail.items
        until = tail.position.item_change
        return self._store.catalogue.changed(int(texts["change"]), until)[0]

    def _untrained(
        self, columns: ItemColumns, popularity: Popularity, wanted: Events, items: pl.DataFrame
    ) -> Served:
        if self._workspace is not None:
            self._workspace.cleanup()
        self._workspace = tempfile.TemporaryDirectory(prefix="penchant-")
        folder = Artefacts(Path(self._workspace.name))
        order = np.lexsort((wanted.times, wanted.users))
        fit_covisitation(
            wanted.users[order], wanted.items[order], wanted.times[order], columns.n, folder
        )
        vectors = Vectors()
        plan = RecallPlan(
            text=self._encoder is not None, counted_until=float(wanted.times.max(initial=0.0))
        )
        served = Served(
            snapshot=UNTRAINED,
            columns=columns,
            vectors=vectors,
            pipeline=self._pipeline(folder, plan, popularity, columns, vectors),
            whitening=None,
            encoder=self._encoder,
        )
        self._late, self._refit_at = 0, max(1000, len(wanted) // 4)
        self._learn_items(served, items)
        return served

    def _pipeline(
        self,
        folder: Artefacts,
        plan: RecallPlan,
        popularity: Popularity,
        columns: ItemColumns,
        vectors: Vectors,
    ) -> Pipeline:
        recall = assemble(
            folder,
            plan,
            popularity=popularity,
            columns=columns,
            vectors=vectors,
            recent=self._pasts,
            lexical=self._lexical,
        )
        return load_pipeline(folder, recall, columns, vectors)

    def _wanted(self, events: Events) -> Events:
        strengths = self._kinds.strength(events.kind_names, events.kinds, events.values)
        keep = (strengths >= self._kinds.config.wanted_from) & (events.items >= 0)
        return _take(events, keep & (events.shared > 0))

    def _learn_items(self, served: Served, rows: pl.DataFrame) -> None:
        """Give changed items their text vector, and with it a place in every text source."""
        if self._encoder is None or not len(rows):
            return
        order = rows["number"].to_numpy().astype(np.int32)
        try:
            vectors = served.encode(self._template(rows))
        except Error as error:
            self._warn(
                f"{len(order)} items have no text vector until the directory is opened again: "
                f"{error}"
            )
            return
        # What a snapshot knows already is not kept twice: each row costs in every answer.
        known = served.vectors.rows(order)
        fresh = np.isfinite(vectors[:, 0])
        if known.shape == vectors.shape:
            # A file of int8 has steps of a 127th of a row's largest number.
            step = np.maximum(1e-3, np.abs(vectors).max(axis=1, initial=0.0) / 127)
            same = np.abs(known - vectors).max(axis=1, initial=0.0) < step
            fresh = ~(same | (np.isnan(known[:, 0]) & ~fresh))
        order, vectors = order[fresh], vectors[fresh]
        served.vectors.set(order, vectors)
        for source in served.pipeline.recall.sources:
            if isinstance(source, Sequence):
                source.learn_items(order, vectors)

    def _warn(self, text: str) -> None:
        if text not in self.warnings:
            self.warnings = [*self.warnings[-99:], text]


def _try(served: Served, now: float) -> None:
    """Ask one question, so that a snapshot which cannot answer is found before anybody waits."""
    n = served.columns.n
    if n:
        state = stateless(np.arange(min(n, 3), dtype=np.int32), now)
        served.pipeline.run(Query(now=now, n_items=n, k=1), state)


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
