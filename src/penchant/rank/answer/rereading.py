"""Rereading: items of which something was written, or is gone, are encoded anew.

A few are before the next answer, so that it knows them. A burst of more must not hold that answer
up: the rest follows beside, oldest first. What is gone from the log is never put off.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from itertools import islice

import numpy as np
import polars as pl

from penchant.rank.answer.loading import Loading
from penchant.rank.answer.served import Served
from penchant.store.open import Store
from penchant.store.tail import Tail
from penchant.types import Ids

AT_ONCE = 8  # items encoded before an answer, some 5 ms each
PART = 32  # items encoded at a time beside it


class Rereading:
    """Follows the reviews of a store. All but what runs beside is called under `lock`.

    `served` gives what answers now.
    """

    def __init__(
        self,
        store: Store,
        loading: Loading,
        lock: threading.RLock,
        served: Callable[[], Served | None],
    ) -> None:
        self._store, self._loading = store, loading
        self._reviews = loading.texts.reviews
        self._lock, self._served = lock, served
        # Items whose turn comes, and which change of theirs it is.
        self._waiting: dict[int, int] = {}
        self._turns = 0
        self._reader: threading.Thread | None = None
        self._closed = False

    @property
    def moves(self) -> int:
        """How often reviews have changed, for `since`."""
        return self._reviews.moves

    def begin(self, tail: Tail) -> None:
        """Fold the whole log; whatever is loaded next reads all texts as they are then."""
        self._waiting.clear()
        self._reviews.clear()
        self._reviews.fold(tail.events)
        self._loading.sweep()

    def fold(self, tail: Tail) -> pl.DataFrame:
        """Return the items to encode before the next answer; what is over is encoded beside."""
        if not self._reviews.wanted:
            return tail.items
        told = self._reviews.fold(tail.events)
        gone = self._reviews.take_back(tail.retracted_users, tail.position.event_offset)
        if len(told) or len(gone):
            self._loading.lexical.outdated(np.union1d(told, gone).tolist())
        told = np.setdiff1d(told, np.union1d(gone, tail.items["number"].to_numpy()))
        self._turns += 1
        self._waiting |= dict.fromkeys(told[AT_ONCE:].tolist(), self._turns)
        rows = self._loading.beside(tail.items, np.union1d(gone, told[:AT_ONCE]))
        self._done(rows["number"].to_list())
        self._start()
        return rows

    def since(self, moves: int, rows: pl.DataFrame) -> pl.DataFrame:
        """Return rows with the items whose reviews changed after `moves`, but for those waiting."""
        changed = self._reviews.since(moves)
        return self._loading.beside(rows, np.setdiff1d(changed, self.waiting()))

    def waiting(self) -> Ids:
        """Return the items whose turn has not come."""
        return np.array(list(self._waiting), dtype=np.int32)

    def close(self) -> None:
        """Return once nothing is encoded any more; what waits is read when the store is opened."""
        self._closed = True
        reader = self._reader
        if reader is not None:
            reader.join()

    def _start(self) -> None:
        if self._waiting and self._reader is None and not self._closed:
            self._reader = threading.Thread(target=self._read, name="penchant-texts", daemon=True)
            self._reader.start()

    def _read(self) -> None:
        while True:
            with self._lock:
                part = dict(islice(self._waiting.items(), PART))
                if not part or self._closed:
                    self._reader = None
                    return
            try:
                rows = self._store.catalogue.get(list(part))
                raw = self._loading.encoded(rows)
            except BaseException:  # a store that is lost; the next move of the log tries again
                self._reader = None
                raise
            with self._lock:
                fresh = [n for n, turn in part.items() if self._waiting.get(n) == turn]
                at: Ids = np.flatnonzero(rows["number"].is_in(fresh).to_numpy()).astype(np.int32)
                served = self._served()
                if served is not None and raw is not None and len(at):
                    served.learn_items(rows["number"].to_numpy()[at].astype(np.int32), raw[at])
                self._done(fresh)

    def _done(self, numbers: list[int]) -> None:
        for number in numbers:
            self._waiting.pop(number, None)
