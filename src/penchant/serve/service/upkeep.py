"""What a directory needs while it is in use: old impressions removed, the databases kept small."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from penchant.store.open import Store

DAY = 86_400.0
_JUMP = 3600.0  # seconds by which a clock of the wall may be set without being doubted

_log = logging.getLogger("penchant.upkeep")


class Retention:
    """Removes what was shown longer ago than `days`; 0 keeps all of it.

    A clock that was set wrong must not cost what was shown: after it jumped, it has to go on for a
    day like one that is right before it is believed again.
    """

    def __init__(
        self,
        store: Store,
        days: float,
        *,
        wall: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store, self._days, self._wall, self._steady = store, days, wall, steady
        self._offset = wall() - steady()
        self._believed_from = steady()

    def __call__(self) -> int:
        """Return how many impressions were removed."""
        now, steady = self._wall(), self._steady()
        if abs(now - steady - self._offset) > _JUMP:
            self._offset, self._believed_from = now - steady, steady + DAY
            _log.warning("clock", extra={"fields": {"jumped": True, "kept": "impressions"}})
        if not self._days or steady < self._believed_from:
            return 0
        gone = self._store.impressions.purge(before=now - self._days * DAY)
        if gone:
            _log.info("retention", extra={"fields": {"impressions": gone}})
        return gone


class Settling:
    """Takes SQLite's write-ahead logs in; now and then refreshes what its planner knows."""

    def __init__(self, store: Store, thorough_every: int = 360) -> None:
        self._store, self._every = store, thorough_every
        self._times = 0

    def __call__(self) -> None:
        """Do it, for each database of the store."""
        self._times += 1
        for database in self._store.databases:
            database.settle(thorough=self._times % self._every == 1)
