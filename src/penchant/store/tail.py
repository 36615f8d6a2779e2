"""Following the log: a cheap question whether anything moved, and everything that is new since."""

from __future__ import annotations

import sqlite3
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
from sqlalchemy import Connection, select

from penchant.store import schema
from penchant.store.database import Database
from penchant.store.events import EventLog
from penchant.store.faults import fault
from penchant.store.items import ItemTable
from penchant.store.log import Events
from penchant.store.retraction import retracted_users


@dataclass(frozen=True, slots=True)
class Position:
    """Up to where a reader has read; the default is the start, with nothing read.

    `mark` is what the database looked like to this process then; it means nothing elsewhere.
    """

    event_offset: int = 0
    item_change: int = 0
    user_change: int = 0
    link_change: int = 0
    retraction: int = 0
    mark: tuple[int, ...] = field(default=(), compare=False, repr=False)


class _Head(NamedTuple):
    """How far each sequence of the store has come."""

    event_offset: int
    item_change: int
    user_change: int
    link_change: int
    retraction: int


@dataclass(frozen=True, slots=True)
class Tail:
    """What is new since a position.

    `events` are those with offsets above `since`, up to that of `position`. `items` holds the rows
    that changed (`items.STORED` columns). `retracted` says that events read before may be gone or
    belong to somebody else: the reader folds again from the start. `retracted_users` int32 are the
    people whose events they were. `users` and `links` say that attributes of somebody, or links,
    changed.
    """

    events: Events
    items: pl.DataFrame
    retracted: bool
    retracted_users: npt.NDArray[np.int32]
    users: bool
    links: bool
    since: int
    position: Position


class Follower:
    """Reads a log as it grows, whoever writes it."""

    def __init__(self, database: Database, log: EventLog, items: ItemTable, current: Path) -> None:
        self._database, self._log, self._items = database, log, items
        self._current = current
        self._guard = threading.Lock()
        self._connection: Connection | None = None
        self._last: tuple[int, ...] = ()
        names = [schema.heads.c[name] for name in _Head._fields]
        self._heads = database.prepare(select(*names))

    def moved(self, position: Position | None = None) -> bool:
        """Return whether anything was written since `position`, or since the last `tail`.

        Anything: an event, an item, a retraction, a snapshot made current. True may also mean
        something that no tail shows; False is exact.
        """
        seen = self._last if position is None else position.mark
        return self._mark() != seen

    def tail(self, position: Position) -> Tail:
        """Return what is new since `position`, and the position after it."""
        # Asked before anything is read: what is written meanwhile is seen as movement next time.
        mark = self._mark()
        self._last = mark
        head = _Head(*self._database.tuples(self._heads)[0])
        events = self._log.scan(position.event_offset, 2**62, to=head.event_offset)
        items, _ = self._items.changed(position.item_change, head.item_change)
        who: list[int] = []
        if head.retraction > position.retraction:
            who = retracted_users(self._database, position.retraction, head.retraction)
        return Tail(
            events=events,
            items=items,
            retracted=head.retraction > position.retraction and position.event_offset > 0,
            retracted_users=np.array(who, dtype=np.int32),
            users=head.user_change > position.user_change,
            links=head.link_change > position.link_change,
            since=position.event_offset,
            position=Position(
                event_offset=head.event_offset,
                item_change=head.item_change,
                user_change=head.user_change,
                link_change=head.link_change,
                retraction=head.retraction,
                mark=mark,
            ),
        )

    def close(self) -> None:
        """Close the connection that is asked whether anything moved."""
        with self._guard:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _mark(self) -> tuple[int, ...]:
        self._database.check()
        try:
            status = self._current.stat()
            snapshot = (status.st_mtime_ns, status.st_ino)
        except OSError:
            snapshot = (0, 0)
        if self._database.dialect != "sqlite":
            return (*snapshot, *self._database.rows(select(schema.heads))[0])
        with self._guard:
            # The counter is of a connection: it moves when any other connection has committed.
            if self._connection is None:
                self._connection = self._database.connect()
            cursor = self._connection.connection.cursor()
            try:
                version = cursor.execute("PRAGMA data_version").fetchone()
            except sqlite3.Error as error:
                raise fault(error, self._database.name) from error
            finally:
                cursor.close()
        return (*snapshot, version[0])
