"""What one process knows in memory, kept equal to the store by following it.

Catalogue columns, text vectors, shared counts and the pipeline of the current snapshot. Before any
training the pipeline is made of what needs none: popularity, co-visitation and text.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

from penchant.ingest.kinds import Kinds
from penchant.interests.history import stateless, wanted_before
from penchant.language.cache import CachedEncoder
from penchant.language.encoder import Encoder
from penchant.language.open import EncoderConfig, open_encoder, text_space
from penchant.language.template import Template, TextConfig
from penchant.rank.answer.pasts import Pasts
from penchant.rank.answer.served import Served, load
from penchant.recall.assemble import RecallPlan, fit_covisitation
from penchant.recall.lexical import Lexical
from penchant.recall.popularity import Popularity
from penchant.store.artefacts import Artefacts
from penchant.store.columns import ItemColumns
from penchant.store.log import Events
from penchant.store.open import Store
from penchant.store.snapshots import Snapshot
from penchant.store.tail import Position, Tail
from penchant.types import Error, Query, Status

UNTRAINED = "untrained"
VECTORS = "vectors.db"
Tell = Callable[[str, float], None]


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

    def status(self) -> Status:
        """Return which snapshot answers and up to where the log was read."""
        known = self._known
        if known is None:
            self.follow()
            known = self._known
        assert known is not None
        served, position = known
        return Status(
            snapshot=served.snapshot,
            items=served.columns.n,
            offset=position.event_offset,
            lag=max(0, self._store.log.last() - position.event_offset),
            waiting=sum(database.waiting for database in self._store.databases),
            warnings=(*self.warnings, *self._store.snapshots.warnings),
        )

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
        served = self._serve(Artefacts(snapshot.folder), snapshot.id, columns, popularity)
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
        until = float(wanted.times.max(initial=0.0))
        RecallPlan(text=self._encoder is not None, counted_until=until).save(folder)
        served = self._serve(folder, UNTRAINED, columns, popularity)
        self._late, self._refit_at = 0, max(1000, len(wanted) // 4)
        self._learn_items(served, items)
        return served

    def _serve(
        self, folder: Artefacts, snapshot: str, columns: ItemColumns, popularity: Popularity
    ) -> Served:
        return load(
            folder,
            snapshot,
            columns=columns,
            popularity=popularity,
            recent=self._pasts,
            texts=self._encoder is not None,
            encoder=self._encoder,
            lexical=self._lexical,
        )

    def _wanted(self, events: Events) -> Events:
        strengths = self._kinds.strength(events.kind_names, events.kinds, events.values)
        keep = (strengths >= self._kinds.config.wanted_from) & (events.items >= 0)
        return _take(events, keep & (events.shared > 0))

    def _learn_items(self, served: Served, rows: pl.DataFrame) -> None:
        """Give changed items their text vector, and with it a place in every text source."""
        if self._encoder is None or not len(rows):
            return
        numbers = rows["number"].to_numpy().astype(np.int32)
        try:
            raw = self._encoder.encode(self._template(rows))
        except Error as error:
            self._warn(
                f"{len(numbers)} items have no text vector until the directory is opened again: "
                f"{error}"
            )
            return
        served.learn_items(numbers, raw)

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
