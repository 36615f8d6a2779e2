"""Loading: from a snapshot, or from none, to what requests are answered from.

The catalogue and the popularity are those of the process and go on growing; what is loaded here is
everything that depends on the snapshot.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl

from penchant.ingest.kinds import Kinds
from penchant.interests.history import others_learn, stateless, wanted_before
from penchant.language.encoder.encoder import Encoder
from penchant.language.encoder.open import EncoderConfig, text_space
from penchant.language.media.config import MediaConfig
from penchant.language.media.media import Media
from penchant.language.projection import TEXT, Layout
from penchant.language.searchable import Searchable
from penchant.language.template import TextConfig
from penchant.language.texts import ItemTexts
from penchant.rank.answer.experiments import policies
from penchant.rank.answer.heard import Heard
from penchant.rank.answer.pasts import Pasts
from penchant.rank.answer.readers import Reader, Readers
from penchant.rank.answer.served import Served, load
from penchant.rank.feedback.feedback import Feedback
from penchant.rank.feedback.open import open_feedback
from penchant.rank.feedback.reading import catch_up
from penchant.rank.pipeline import load_pipeline
from penchant.rank.rerankers.listwise import open_orders
from penchant.recall.assemble import RecallPlan, fit_covisitation
from penchant.recall.led import Led
from penchant.recall.lexical import Lexical
from penchant.recall.popularity import Popularity
from penchant.store.artefacts import Artefacts
from penchant.store.columns import ItemColumns
from penchant.store.impressions import Impressions
from penchant.store.log import Events, Log
from penchant.store.open import Store
from penchant.store.snapshots import Snapshot
from penchant.store.tail import Position, Tail
from penchant.store.vectors import Vectors
from penchant.types import Error, Floats, Ids, Policy, Query, Tell

UNTRAINED = "untrained"
VECTORS = "vectors.db"
FEEDBACK = "feedback.npz"
REVIEWED = "text.reviewed"  # which reviews the texts of a snapshot hold, by offset
_NONE = np.zeros((0, 1), dtype=np.int64)
NO_ITEMS: Ids = np.zeros(0, dtype=np.int32)
WORTH = 2_000  # slates that take longer to read again than the state to be written


def open_media(store: Store, warn: Callable[[str], None] | None = None) -> Media | None:
    """Return what reads pictures, sounds and ready vectors of items, None where none are named."""
    config = store.settings.section("media", MediaConfig)
    if not any(config.named()):
        return None
    cache = store.directory / VECTORS
    return Media(config, store.directory, cache, read_only=store.read_only, warn=warn)


@dataclass(frozen=True, eq=False)
class Loaded:
    """What answers, and how its sources learn what others record after `offset`.

    `by_answers` says that what is recommended follows the answers to earlier slates, and not only
    the lists that a caller brings.
    """

    served: Served
    reader: Reader
    pasts: Pasts
    offset: int
    by_answers: bool

    def learn(self, wanted: Events) -> None:
        """Teach the sources a tail of the log."""
        self.pasts.add(wanted)
        self.served.pipeline.recall.learn(wanted)

    def follow_answers(self, impressions: Impressions, log: Log, tail: Tail | None = None) -> None:
        """Follow the answers to slates, up to the end of a tail or to that of both logs."""
        if self.served.feedback is not None:
            catch_up(self.served.feedback, impressions, log, tail)

    def learn_anew(self, heard: Heard) -> None:
        """Teach the sources all that they did not know when they were learned, and only that."""
        late = heard.after(self.offset)
        with self.pasts.remembered(heard.of(np.unique(late.users))):
            self.served.pipeline.recall.learn(late, anew=True)


class Loading:
    """Makes what is loaded, with one index of words for all snapshots."""

    def __init__(self, store: Store, kinds: Kinds, warn: Callable[[str], None]) -> None:
        self._store, self._kinds, self._warn = store, kinds, warn
        config = store.settings.section("encoder", EncoderConfig)
        text = store.settings.section("text", TextConfig)
        media = open_media(store, warn)
        self.texts = ItemTexts(text, store.said, media)
        self._space = text_space(config, text, store.settings.section("media", MediaConfig))
        # It follows the catalogue and the reviews alone.
        searchable = Searchable(text)
        self.lexical = Lexical(
            "lexical",
            store.catalogue.changed,
            lambda rows: searchable(self.texts.reviewed(rows)),
            store.catalogue.get,
        )
        # It follows the log alone.
        self.led = Led(lambda events: others_learn(kinds, events))
        cache = store.directory / VECTORS
        self._readers = Readers(config, cache, self.lexical, self.led, read_only=store.read_only)
        self._workspaces: list[tempfile.TemporaryDirectory[str]] = []
        self._orders = open_orders(store.settings)
        # Following the answers costs time with each of them: not where nobody is answered by it.
        asked = policies(store.settings)
        self._follows = any(one.answers != "never" or one.explore for one in asked)
        # Where what was had is shown again, it is proposed before any training.
        self._again = store.settings.section("recommend", Policy).seen == "keep"
        self._by_answers = any(one.answers == "always" or one.explore for one in asked)

    def trained(
        self,
        snapshot: Snapshot,
        columns: ItemColumns,
        popularity: Popularity,
        heard: Heard,
        position: Position,
    ) -> Loaded:
        """Return what a snapshot answers with, told of `heard` and of all items up to `position`.

        Whatever is wrong with the snapshot is raised here, before anybody waits for it.
        """
        loaded = self._load(
            Artefacts(snapshot.folder),
            snapshot.id,
            int(snapshot.manifest.get("offset", 0)),
            columns,
            popularity,
            position,
        )
        self.learn_items(loaded.served, self._unknown_to(snapshot, position.item_change))
        loaded.learn_anew(heard)
        _try(loaded.served, float(heard.after(0).times.max(initial=0.0)))
        return loaded

    def told_anew(self, served: Served, snapshot: Snapshot, position: Position) -> Served:
        """Return the same with what follows the answers made anew; all else is shared."""
        told = self._told(snapshot.id, served.columns, served.vectors, position)
        recall = served.pipeline.recall
        pipeline = load_pipeline(
            Artefacts(snapshot.folder),
            recall,
            served.columns,
            served.vectors,
            feedback=told,
            derived=served.derived,
            places=served.places,
            listwise=served.listwise,
            here=served.here,
        )
        return replace(served, pipeline=pipeline, feedback=told)

    def untrained(
        self,
        columns: ItemColumns,
        popularity: Popularity,
        heard: Heard,
        position: Position,
        waiting: Ids = NO_ITEMS,
        before: Served | None = None,
    ) -> Loaded:
        """Return what answers before any training: what needs only to be counted.

        Items that are `waiting` for their texts to be read have the vectors that they had `before`.
        """
        wanted = heard.after(0)
        workspace = tempfile.TemporaryDirectory(prefix="penchant-")
        folder = Artefacts(Path(workspace.name))
        order = np.lexsort((wanted.times, wanted.users))
        fit_covisitation(
            wanted.users[order], wanted.items[order], wanted.times[order], columns.n, folder
        )
        counted = float(wanted.times.max(initial=0.0))
        texts = self._readers.configured.encoder is not None
        RecallPlan(text=texts, again=self._again, counted_until=counted).save(folder)
        offset = int(wanted.offsets.max(initial=0))
        loaded = self._load(folder, UNTRAINED, offset, columns, popularity, position)
        rows = self._changed(0, position.item_change)
        if before is not None and before.snapshot == UNTRAINED and before.vectors.dimension:
            rows = rows.filter(~pl.col("number").is_in(waiting.tolist()))
            loaded.served.vectors.set(waiting, before.vectors.rows(waiting))
        self.learn_items(loaded.served, rows)
        # Only now: somebody may be counting beside this.
        old, self._workspaces = self._workspaces, [workspace]
        for one in old:
            one.cleanup()
        return loaded

    def learn_items(self, served: Served, rows: pl.DataFrame) -> None:
        """Give changed items their text vector, and with it a place in every text source."""
        if not len(rows):
            return
        numbers = rows["number"].to_numpy().astype(np.int32)
        served.concepts.follow(numbers)
        raw = self.encoded(rows, served.encoder)
        if raw is not None:
            served.learn_items(numbers, raw)

    def encoded(self, rows: pl.DataFrame, encoder: Encoder | None) -> Floats | None:
        """Return what `encoder` makes of items as their texts are now, None (and a warning) without
        vectors."""
        if encoder is None:
            return None
        try:
            return self.texts.encoded(encoder, rows)
        except Error as error:
            self._warn(
                f"{len(rows)} items have no text vector until the directory is opened again: "
                f"{error}"
            )
            return None

    def prepare(self, items: pl.DataFrame, served: Served | None, tell: Tell | None = None) -> None:
        """Encode the texts of items before they are stored: then no request has to wait for it.

        `served` is what answers now, None where nothing was loaded yet.
        """
        encoder = self._encoder() if served is None else served.encoder
        if encoder is None or not len(items):
            return
        if self.texts.reviews.wanted:
            # Whatever was said of them before stays part of what they say.
            numbers = self._store.catalogue.numbers(items["item_id"].to_list())
            items = items.with_columns(number=pl.Series(numbers, dtype=pl.Int32))
        share = None if tell is None else lambda done, total: tell("encode", done / total)
        self.texts.encoded(encoder, items, share)

    def sweep(self) -> None:
        """Let go of vectors of texts that hold what is gone from the log."""
        # All encoders of a shelf remember what they read in the same file.
        self.texts.sweep(self._readers.configured.encoder)

    def close(self) -> None:
        """Remove what this process kept on disk for itself."""
        self.lexical.close()
        self._readers.close()
        if self.texts.media is not None:
            self.texts.media.close()
        for workspace in self._workspaces:
            workspace.cleanup()

    def _load(
        self,
        folder: Artefacts,
        snapshot: str,
        offset: int,
        columns: ItemColumns,
        popularity: Popularity,
        position: Position,
    ) -> Loaded:
        log, kinds = self._store.log, self._kinds
        pasts = Pasts(lambda user, now: wanted_before(log, kinds, user, now))
        reader = self._readers.of(folder.folder)
        served = load(
            folder,
            snapshot,
            columns=columns,
            popularity=popularity,
            recent=pasts,
            texts=reader.encoder is not None,
            encoder=reader.encoder,
            worded=reader.worded,
            layout=self._layout(reader),
            feedback=(
                (lambda vectors: self._told(snapshot, columns, vectors, position))
                if self._follows
                else None
            ),
            expansions=self._store.expansions.read,
            orders=self._orders,
        )
        return Loaded(served, reader, pasts, offset, self._by_answers)

    def _layout(self, reader: Reader) -> Layout:
        if self.texts.media is None or reader.encoder is None:
            return ()
        return ((TEXT, reader.encoder.dimension), *self.texts.media.layout)

    def _encoder(self) -> Encoder | None:
        """Return who reads for the snapshot that is current, though it is not loaded."""
        snapshot = self._store.snapshots.current()
        if snapshot is None:
            return self._readers.configured.encoder
        try:
            return self._readers.of(snapshot.folder).encoder
        except Error:  # it cannot be loaded either
            return self._readers.configured.encoder

    def _told(
        self, snapshot: str, columns: ItemColumns, vectors: Vectors, position: Position
    ) -> Feedback:
        """Return what follows the answers, up to the end of both logs."""
        opened = open_feedback(self._store, self._kinds, columns, vectors)
        # What was learned of those who were forgotten since goes with the state that has it.
        mark = f"{snapshot} {position.retraction}"
        opened.resume(self._store.directory / FEEDBACK, mark)
        began = opened.shown_until
        catch_up(opened, self._store.impressions, self._store.log)
        if opened.shown_until - began > WORTH and not self._store.read_only:
            opened.save(self._store.directory / FEEDBACK, mark)
        return opened

    def _unknown_to(self, snapshot: Snapshot, until: int) -> pl.DataFrame:
        """Return the items whose text vectors a snapshot lacks: those that changed after it.

        Or that people have written of since, or whose reviews it knew are gone.
        """
        texts = snapshot.manifest.get("texts", {})
        known = bool(texts) and texts["space"] == self._space
        rows = self._changed(int(texts["change"]) if known else 0, until)
        if not known or not self.texts.reviews.wanted:
            return rows
        folder = Artefacts(snapshot.folder)
        held = folder.array(REVIEWED) if folder.has(f"{REVIEWED}.npy") else _NONE
        reworded = self.texts.reviews.differ(np.asarray(held))
        return self.beside(rows, reworded)

    def beside(self, rows: pl.DataFrame, numbers: Ids) -> pl.DataFrame:
        """Return rows of the catalogue with those of more items, each once."""
        more = np.setdiff1d(numbers, rows["number"].to_numpy())
        return pl.concat((rows, self._store.catalogue.get(more.tolist()))) if len(more) else rows

    def _changed(self, after: int, until: int) -> pl.DataFrame:
        return self._store.catalogue.changed(after, until)[0]


def _try(served: Served, now: float) -> None:
    """Ask one question, so that a snapshot which cannot answer is found before anybody waits."""
    n = served.columns.n
    if n:
        state = stateless(np.arange(min(n, 3), dtype=np.int32), now)
        served.pipeline.run(Query(now=now, n_items=n, k=1), state)
