"""What others learn from, at hand: the wanted events of the log as columns, 24 bytes each.

Kept by everybody who answers, so that a new snapshot learns what came after it, and what was taken
back is folded out, without reading the log again.
"""

from __future__ import annotations

import numpy as np

from penchant.store.log import Events, wanted_events
from penchant.types import Ids

_COLUMNS = {"offsets": np.int64, "users": np.int32, "items": np.int32, "times": np.float64}


class Heard:
    """Wanted events in order of offset; whoever changes it holds the lock of the replica."""

    def __init__(self, events: Events | None = None) -> None:
        self._size = 0
        self._columns = {name: np.zeros(0, dtype=kind) for name, kind in _COLUMNS.items()}
        if events is not None:
            self.add(events)

    def __len__(self) -> int:
        return self._size

    def add(self, events: Events) -> None:
        """Take in events that were recorded after all that is here."""
        need = self._size + len(events)
        for name, column in self._columns.items():
            if need > len(column):
                room = max(need, 2 * len(column), 1024) - len(column)
                column = np.concatenate((column, np.zeros(room, dtype=column.dtype)))
                self._columns[name] = column
            column[self._size : need] = getattr(events, name)
        self._size = need

    def replace(self, users: Ids, events: Events) -> None:
        """Put `events` in the place of everything that these people did."""
        keep = ~np.isin(self._column("users"), users)
        both = {
            name: np.concatenate((self._column(name)[keep], getattr(events, name)))
            for name in _COLUMNS
        }
        order = np.argsort(both["offsets"], kind="stable")
        self._columns = {
            name: column[order].astype(_COLUMNS[name]) for name, column in both.items()
        }
        self._size = len(order)

    def after(self, offset: int) -> Events:
        """Return a copy of the events above an offset."""
        begin = int(np.searchsorted(self._column("offsets"), offset, side="right"))
        return self._events(slice(begin, self._size))

    def of(self, users: Ids) -> Events:
        """Return a copy of everything that these people did."""
        return self._events(np.isin(self._column("users"), users))

    def _column(self, name: str) -> np.ndarray:
        return self._columns[name][: self._size]

    def _events(self, which: slice | np.ndarray) -> Events:
        return wanted_events(*(self._column(name)[which].copy() for name in _COLUMNS))
