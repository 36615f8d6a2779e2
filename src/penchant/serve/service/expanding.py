"""Expansion as a duty of the background: whoever did something is looked at again, and all others.

It runs in a thread of its own: a generator that takes its time keeps neither the trainings waiting
nor, what is kept being all that a request reads, anybody who asks.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np

from penchant.ingest.kinds import Kinds
from penchant.interests.adjustments import Adjustments, adjusted
from penchant.interests.expansion.expanding import Done, Expanding, InterestsConfig
from penchant.interests.expansion.ground import open_ground
from penchant.interests.expansion.mixture import Mixture
from penchant.interests.expansion.open import expanders
from penchant.interests.history import MOST, read
from penchant.language.encoder.cache import CachedEncoder
from penchant.language.encoder.encoder import Encoder
from penchant.language.encoder.open import EncoderConfig, open_encoder, own_encoder
from penchant.language.generator.guarded import Guarded
from penchant.language.generator.open import GeneratorConfig, open_generator
from penchant.rank.answer.loading import VECTORS
from penchant.store.artefacts import Artefacts
from penchant.store.columns import ItemColumns
from penchant.store.open import Store
from penchant.store.snapshots import Snapshot
from penchant.types import Error

EVERY = 5.0  # seconds between two looks
WAITING = 100_000  # people who did something and wait to be looked at

_log = logging.getLogger("penchant.expansion")


class Expansions:
    """Keeps what people may come to like up to date, in a thread that ends with `close`.

    Each look takes the people who did something since the last one, then others in turn, as many as
    the section `interests` allows a minute.
    """

    def __init__(
        self, store: Store, config: InterestsConfig, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._store, self._config, self._clock = store, config, clock
        self._kinds = Kinds.from_settings(store.settings)
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._generator = self._open()
        self._offset = store.log.last()
        self._waiting: OrderedDict[int, None] = OrderedDict()
        self._turn = 0  # the number of the next person who did nothing lately
        self._columns, self._change = ItemColumns(), 0

    def __call__(self) -> None:
        """See to it that the thread runs, where anybody wants it."""
        if not self._config.expand or self._ended.is_set():
            return
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._run, name="penchant-expand", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """End the thread; what it is at is finished within a moment, or left."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join(2.0)

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                self.look()
            except Error as error:
                _log.warning("expansion: %s", error)
            self._ended.wait(EVERY)

    def look(self) -> int:
        """Return how many people were expanded in one look."""
        self._hear()
        snapshot = self._store.snapshots.current()
        people = self._due()
        if snapshot is None or not people:
            return 0
        rows, self._change = self._store.catalogue.changed(self._change)
        self._columns.apply(rows)
        encoder = self._encoder(snapshot)
        try:
            return self._expand(snapshot, encoder, people)
        finally:
            if isinstance(encoder, CachedEncoder):
                encoder.close()

    def _expand(self, snapshot: Snapshot, encoder: Encoder | None, people: list[int]) -> int:
        folder = Artefacts(snapshot.folder)
        ground = open_ground(folder, snapshot.id, self._columns, encoder)
        if ground is None:
            return 0
        mixture = Mixture(expanders(ground, self._generator), concepts=ground.concepts)
        expanding = Expanding(ground, mixture, self._store.expansions, self._config)
        done: list[Done] = []
        now = self._clock()
        for user in people:
            if self._ended.is_set():
                break
            done.append(self._person(expanding, user, now))
        expanded = [one for one in done if one.expanded]
        if expanded:
            expanding.keep()
            fields: dict[str, Any] = {
                "people": len(expanded),
                "looked_at": len(done),
                "tokens": sum(one.tokens for one in expanded),
                "seconds": round(sum(one.seconds for one in expanded), 2),
            }
            if self._generator is not None:
                fields["generator"] = self._generator.state()
            _log.info("expanded", extra={"fields": fields})
        return len(expanded)

    def _person(self, expanding: Expanding, user: int, now: float) -> Done:
        log = self._store.log
        state = read(log, self._kinds, user, now)
        told = Adjustments()
        told.fold(log.history(user, MOST, now))
        changes = told.of(user, now)
        return expanding.person(user, adjusted(state, changes, expanding.ground.concepts), changes)

    def _hear(self) -> None:
        """Put whoever did something since the last look in front of the others."""
        until = self._store.log.last()
        while self._offset < until:
            events = self._store.log.scan(self._offset, 20_000, to=until)
            if not len(events):
                break
            for user in np.unique(events.users).tolist():
                self._waiting[user] = None
            while len(self._waiting) > WAITING:
                self._waiting.popitem(last=False)
            self._offset = int(events.offsets[-1])

    def _due(self) -> list[int]:
        """Return who is looked at now: those who did something, and as many others as fit."""
        room = max(1, round(self._config.people_per_minute * EVERY / 60.0))
        people = [
            self._waiting.popitem(last=False)[0] for _ in range(min(room, len(self._waiting)))
        ]
        count = len(self._store.people)
        while len(people) < room and count:
            people.append(self._turn % count)
            self._turn += 1
            if self._turn % count == 0:
                break
        return people

    def _open(self) -> Guarded | None:
        try:
            return open_generator(self._store.settings.section("generator", GeneratorConfig))
        except Error as error:
            _log.warning("expansion without a generator: %s", error)
            return None

    def _encoder(self, snapshot: Snapshot) -> Encoder | None:
        config = self._store.settings.section("encoder", EncoderConfig)
        config = own_encoder(config, snapshot.folder)
        if config.model == "none":
            return None
        try:
            return open_encoder(config, self._store.directory / VECTORS)
        except Error as error:
            _log.warning("expansion without an encoder: %s", error)
            return None
