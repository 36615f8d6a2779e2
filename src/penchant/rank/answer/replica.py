"""What one process knows in memory, kept equal to the store by following it.

Catalogue columns, shared counts, and what was loaded of the current snapshot. Whatever others
record is folded before the next answer. A new snapshot is loaded in a thread of its own, beside
the one that answers, and takes its place when it knows as much: no request waits for it.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from penchant.ingest.kinds import Kinds
from penchant.interests.adjustments import Adjustments
from penchant.interests.history import others_learn
from penchant.rank.answer.heard import Heard
from penchant.rank.answer.loading import UNTRAINED, Loaded, Loading
from penchant.rank.answer.rereading import Rereading
from penchant.rank.answer.served import Served
from penchant.recall.popularity import Popularity
from penchant.store.columns import ItemColumns
from penchant.store.events import joined
from penchant.store.log import Events
from penchant.store.open import Store
from penchant.store.snapshots import Snapshot, unnamed
from penchant.store.tail import Position, Tail
from penchant.types import Status, Tell

EVERYTHING = 2**62
MANY = 500  # people whose events are taken back at once: then all is read again
REMADE = 60.0  # seconds between two times that what follows the answers is made anew


@dataclass(frozen=True, eq=False)
class _Known:
    """What answers, and up to where the store is folded into it; replaced as one."""

    loaded: Loaded
    position: Position


class Replica:
    """The in-memory side of a store. `follow` comes before every answer and costs microseconds
    when nothing happened."""

    def __init__(self, store: Store, kinds: Kinds) -> None:
        self._store, self._kinds = store, kinds
        self.warnings: list[str] = []
        self._loading = Loading(store, kinds, self._warn)
        self._lock = threading.RLock()
        self._known: _Known | None = None
        self._rereading = Rereading(store, self._loading, self._lock, self._served)
        self._columns, self._popularity = ItemColumns(), Popularity()
        self._heard = Heard()
        self.adjustments = Adjustments()
        self._changing = threading.Lock()  # held by whoever loads a snapshot; before the other lock
        self._changer: threading.Thread | None = None
        self._looked: str | None = None  # the snapshot that was looked at last, used or not
        self._stale = False
        self._remade = -REMADE  # when what was stale was made anew last
        self._refused: set[str] = set()
        self._late = 0
        self._refit_at = 0

    def follow(self, *, wait: bool = False) -> Served:
        """Fold what the store gained since the last call, and return what to answer from.

        A snapshot that became current answers as soon as it is loaded; `wait` for that.
        """
        known = self._known
        if known is None or wait or self._store.moved(known.position):
            known = self._followed()
            if wait:
                self._change()
                known = self._followed()
        elif self._due():
            with self._lock:
                self._notice(known.loaded.served.snapshot)
        return known.loaded.served

    def follow_answers(self) -> None:
        """Follow the answers to slates, as `follow` does only where all answers depend on them."""
        with self._lock:
            self._followed().loaded.follow_answers(self._store.impressions, self._store.log)

    def status(self) -> Status:
        """Return which snapshot answers and up to where the log was read."""
        self.follow_answers()  # never far behind, so that a list does not wait for much
        served = self.follow()
        known = self._known
        offset = 0 if known is None else known.position.event_offset
        spoilt = self._store.snapshots.spoilt(served.snapshot)
        return Status(
            snapshot=served.snapshot,
            items=served.columns.n,
            offset=offset,
            lag=max(0, self._store.log.last() - offset),
            waiting=sum(database.waiting for database in self._store.databases),
            failed=self._store.impressions.failed,
            warnings=(
                *self.warnings,
                *self._store.snapshots.warnings,
                *([] if spoilt is None else [spoilt]),
            ),
        )

    def reload(self) -> None:
        """Have the next `follow` build everything anew: what events mean has changed."""
        with self._lock:
            self._known = None

    def prepare(self, items: pl.DataFrame, tell: Tell | None = None) -> None:
        """Encode the texts of items before they are stored: then no request has to wait for it."""
        self._loading.prepare(items, self._served(), tell)

    def close(self) -> None:
        """Wait for a snapshot that is being loaded, and remove what this process kept on disk."""
        changer = self._changer
        if changer is not None and changer is not threading.current_thread():
            changer.join()
        self._rereading.close()
        self._loading.close()

    def _served(self) -> Served | None:
        return None if self._known is None else self._known.loaded.served

    def _followed(self) -> _Known:
        with self._lock:
            known = self._known
            if known is None:
                return self._begin()
            if self._store.moved(known.position):
                try:
                    known = self._fold(known)
                except BaseException:
                    self._known = None  # half folded: to be made anew
                    raise
            return known

    def _begin(self) -> _Known:
        """Build everything from the store: at the start, and where folding could not go on."""
        tail = self._store.tail(Position())
        self._columns = ItemColumns()
        self._columns.apply(tail.items)
        self._rereading.begin(tail)
        self._loading.lexical.outdated()
        self._loading.led.clear()
        self._loading.led.fold(tail.events)
        self.adjustments.clear()
        self.adjustments.fold(tail.events)
        self._heard = Heard(self._wanted(tail.events))
        heard = self._heard.after(0)
        self._popularity = Popularity(heard.items, heard.times)
        loaded = self._current(tail.position)
        self._known = _Known(loaded or self._untrained(tail.position), tail.position)
        return self._known

    def _fold(self, known: _Known) -> _Known:
        loaded = known.loaded
        tail = self._store.tail(known.position)
        if tail.retracted and len(tail.retracted_users) > MANY:
            return self._begin()
        wanted = self._wanted(tail.events)
        if len(self._columns.apply(tail.items)):
            self._loading.lexical.outdated()
            if loaded.served.feedback is not None:
                loaded.served.feedback.rates.categorise(self._columns.category[: self._columns.n])
        self._loading.learn_items(loaded.served, self._rereading.fold(tail))
        self._loading.led.fold(tail.events, without=tail.retracted_users)
        self.adjustments.fold(tail.events, without=tail.retracted_users)
        self._late += len(wanted)
        untrained = loaded.served.snapshot == UNTRAINED
        if tail.retracted:
            others, late = self._take_back(tail, wanted, loaded.offset)
            if not untrained:
                loaded = replace(loaded, served=replace(loaded.served))
                loaded.pasts.drop(tail.retracted_users)
                if late:
                    loaded.learn_anew(self._heard)
                else:  # the snapshot knows all that they did: what came later is as it was
                    loaded.learn(others)
        elif len(wanted):
            self._heard.add(wanted)
            self._popularity.fold(wanted.items, wanted.times)
            loaded.learn(wanted)
        if untrained and (tail.retracted or self._late > self._refit_at):
            loaded = self._untrained(tail.position)
        if loaded.by_answers:
            loaded.follow_answers(self._store.impressions, self._store.log, tail)
        # What follows the answers is not made of parts that could be taken back: it is made anew.
        told = loaded.served.feedback is not None and not untrained
        self._stale = self._stale or (tail.retracted and told)
        # Only now: until then others wait for what they have been told is stored.
        self._known = _Known(loaded, tail.position)
        self._notice(loaded.served.snapshot)
        return self._known

    def _take_back(self, tail: Tail, wanted: Events, offset: int) -> tuple[Events, bool]:
        """Put what the log now says of some people in the place of what it said before.

        Returns what others did, and whether any of this, then or now, lies after an offset.
        """
        users = tail.retracted_users
        others = _take(wanted, ~np.isin(wanted.users, users))
        own, did = [self._heard.of(users)], []
        for user in users.tolist():
            did.append(self._store.log.history(user, EVERYTHING, np.inf))
            events = self._wanted(did[-1])
            own.append(_take(events, events.offsets <= tail.position.event_offset))
        self._loading.led.replace(users, did, tail.position.event_offset)
        self.adjustments.replace(users, did, tail.position.event_offset)
        self._heard.replace(users, joined([others, *own[1:]]))
        heard = self._heard.after(0)
        self._popularity.fold(heard.items, heard.times, anew=True)
        return others, any(int(one.offsets.max(initial=0)) > offset for one in own)

    def _due(self) -> bool:
        """Return whether something is stale, and was not made anew a moment ago: whoever forgets
        thousands of people one by one would have that done all the time."""
        return self._stale and time.monotonic() - self._remade >= REMADE

    def _notice(self, snapshot: str) -> None:
        """Have another snapshot loaded, if one became current."""
        named = self._store.snapshots.named
        if named is None and snapshot != UNTRAINED and not self._stale:
            # Lost, or the whole directory is: what was loaded goes on.
            self._warn(unnamed(self._store.snapshots.directory))
            return
        known = named is None or named in (snapshot, self._looked)
        if known and not self._due():
            return
        if self._changer is None or not self._changer.is_alive():
            self._changer = threading.Thread(
                target=self._change_beside, name="penchant-snapshot", daemon=True
            )
            self._changer.start()

    def _change_beside(self) -> None:
        try:
            self._change()
        except Exception as error:  # what answers goes on; the next move of the log tries again
            self._looked = None
            self._warn(f"a new snapshot could not be loaded: {type(error).__name__}: {error}")

    def _change(self) -> None:
        """Load the snapshot that is current beside the one that answers, and change over to it."""
        with self._changing:
            while True:
                with self._lock:
                    known = self._known
                    heard = Heard(self._heard.after(0))
                    stale, self._stale = self._stale, False
                    moves = self._rereading.moves
                if known is None:
                    return
                self._looked = self._store.snapshots.named
                snapshot = self._store.snapshots.current()
                wanted = UNTRAINED if snapshot is None else snapshot.id
                if snapshot is not None and wanted == known.loaded.served.snapshot:
                    if stale:
                        self._tell_anew(known, snapshot)
                    return
                if wanted in (known.loaded.served.snapshot, *self._refused):
                    self._stale = stale
                    return
                loaded = self._current(known.position, heard)
                if loaded is None and snapshot is not None:
                    continue  # it cannot be used: the one before goes on
                if self._change_over(
                    loaded or self._untrained(known.position, heard), known, moves
                ):
                    return

    def _tell_anew(self, known: _Known, snapshot: Snapshot) -> None:
        """Make what follows the answers anew, without those who were forgotten."""
        self._remade = time.monotonic()
        try:
            served = self._loading.told_anew(known.loaded.served, snapshot, known.position)
        except Exception as error:
            self._stale = True
            self._warn(
                "what follows the answers could not be made anew without those who were "
                f"forgotten: {type(error).__name__}: {error}"
            )
            return
        with self._lock:
            now = self._known
            if now is not None and now.loaded.served.pipeline is known.loaded.served.pipeline:
                self._known = replace(now, loaded=replace(now.loaded, served=served))

    def _change_over(self, loaded: Loaded, before: _Known, moves: int) -> bool:
        """Return whether `loaded` answers now; not where it has to be made anew before."""
        with self._lock:
            known = self._known
            if known is None:
                return True  # all is made anew anyway
            if known.loaded.served.columns is not loaded.served.columns:
                return False  # all was read again
            if known.position.retraction == before.position.retraction:
                loaded.learn(self._heard.after(before.position.event_offset))
            elif loaded.served.snapshot == UNTRAINED:
                return False
            else:
                # As it is folded: where people are forgotten all the time, no other moment comes.
                loaded.learn_anew(self._heard)
                self._stale = loaded.served.feedback is not None
            since, until = before.position.item_change, known.position.item_change
            rows = self._store.catalogue.changed(since, until)[0]
            self._loading.learn_items(loaded.served, self._rereading.since(moves, rows))
            self._known = replace(known, loaded=loaded)
            return True

    def _current(self, position: Position, heard: Heard | None = None) -> Loaded | None:
        """Return the current snapshot, loaded; None where there is none that can be used."""
        snapshot = self._store.snapshots.current()
        if snapshot is None or snapshot.id in self._refused:
            return None
        heard = self._heard if heard is None else heard
        try:
            return self._loading.trained(snapshot, self._columns, self._popularity, heard, position)
        except Exception as error:
            self._refused.add(snapshot.id)
            self._warn(
                f"snapshot {snapshot.id} cannot be used by this version "
                f"({type(error).__name__}: {error}); answering with what there was before"
            )
            return None

    def _untrained(self, position: Position, heard: Heard | None = None) -> Loaded:
        heard = self._heard if heard is None else heard
        self._late, self._refit_at = 0, max(1000, len(heard) // 4)
        waiting, before = self._rereading.waiting(), self._served()
        return self._loading.untrained(
            self._columns, self._popularity, heard, position, waiting, before
        )

    def _wanted(self, events: Events) -> Events:
        return _take(events, others_learn(self._kinds, events))

    def _warn(self, text: str) -> None:
        if text not in self.warnings:
            self.warnings = [*self.warnings[-99:], text]


def _take(events: Events, keep: np.ndarray) -> Events:
    """Return the chosen events without their texts."""
    names = ("offsets", "users", "items", "times", "kinds", "values", "shared")
    return replace(
        events,
        **{name: getattr(events, name)[keep] for name in names},
        texts=(),
        contexts=(),
        slates=(),
    )
