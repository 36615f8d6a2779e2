"""From a frame of events to rows of the log: checked at the door, numbered inside the lock."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import compress
from typing import Any

import polars as pl
from sqlalchemy import Connection, bindparam, select, update

from penchant.store import schema
from penchant.store.bulk import BulkInsert, RowOf
from penchant.store.database import Database
from penchant.store.frames import EVENTS, FEW, Row, conform, conform_row, ends, sizes
from penchant.store.numbering import Numbering
from penchant.store.retraction import Retractions
from penchant.types import InvalidInput

KEY_BYTES = 16
_KINDS = 32_767
_RARE = ("slate_id", "context", "text")
_REQUIRED = ("user_id", "event", "timestamp", "key")
_IDS = ("user_id", "item_id", "event", "slate_id")
# Values by the names of EVENTS; `_RARE` are left out where no event has one.
Columns = Mapping[str, list[Any]]
_UNDESCRIBED: dict[str, Any] = {
    "described": False,
    "removed": False,
    "title": "",
    "description": "",
    "tags": "[]",
    "attributes": "{}",
}


class Appender:
    """Prepares jobs for the writer: everything that needs no lock is done before."""

    def __init__(
        self, database: Database, users: Numbering, items: Numbering, retractions: Retractions
    ) -> None:
        self._users, self._items, self._retractions = users, items, retractions
        self._kinds = Numbering(database, schema.kinds, schema.kinds.c.name)
        self._insert = BulkInsert(database, schema.events, unique="event_key")
        # Most events have none of these, and every value that is bound costs.
        self._bare = BulkInsert(database, schema.events, unique="event_key", without=_RARE)
        # The item that an event names before the catalogue does, from its fourth column on.
        self._blank = RowOf(schema.items)(_UNDESCRIBED)[3:]
        # As text for the driver: SQLAlchemy would take longer over the two than the database does.
        moved: dict[str, Any] = {name: bindparam(name) for name in ("event_offset", "item_change")}
        self._head = database.prepare(select(schema.heads)).text
        self._move = database.prepare(update(schema.heads).values(moved))

    def job(self, given: Columns) -> Callable[[Connection], tuple[int, int]]:
        """Return the job that appends; it answers how many were new, and the last offset."""
        rare = _RARE[0] in given
        insert = self._insert if rare else self._bare

        def job(connection: Connection) -> tuple[int, int]:
            head = connection.exec_driver_sql(self._head).one()
            columns = given
            if undone := self._retractions.undone(connection, head.retraction):
                keep = [key not in undone for key in columns["key"]]
                columns = {name: list(compress(c, keep)) for name, c in columns.items()}
            n = len(columns["key"])
            if not n:
                return 0, head.event_offset
            change = head.item_change

            def blank(number: int, item_id: str) -> tuple[Any, ...]:
                nonlocal change
                change += 1
                return number, item_id.encode(), change, *self._blank

            epoch = head.retraction
            items = self._items.assign(connection, columns["item_id"], epoch, blank)
            start = head.event_offset + 1
            rows = [
                range(start, start + n),
                self._users.assign(connection, columns["user_id"], epoch, _user),
                items,
                columns["timestamp"],
                self._kinds.assign(connection, columns["event"], 0, _kind),
                columns["value"],
                columns["shared"],
                columns["key"],
                *(columns[name] for name in (_RARE if rare else ())),
            ]
            new = insert(connection, rows)
            last = head.event_offset + (n if new else 0)
            if last != head.event_offset or change != head.item_change:
                now = {"event_offset": last, "item_change": change}
                connection.exec_driver_sql(
                    self._move.text, tuple(now[name] for name in self._move.names)
                )
            return new, last

        return job


def columns(events: pl.DataFrame) -> Columns:
    """Return the columns of a frame that `checked` gave, without those that most events lack."""
    rare = any(events.get_column(name).null_count() < len(events) for name in _RARE)
    names = [name for name in EVENTS if rare or name not in _RARE]
    found = {name: events.get_column(name).to_list() for name in names}
    if rare:
        found |= {name: _bytes(found[name]) for name in ("slate_id", "text")}
    return found


def row(event: Row) -> Columns:
    """Return the columns of one event; raises InvalidInput for what `checked` would refuse.

    A click is no table: to make one of it, and to read it again, takes longer than to store it.
    """
    conform_row(event, EVENTS, _REQUIRED, _IDS)
    if len(event["key"]) != KEY_BYTES:
        raise InvalidInput(
            f"key has {len(event['key'])} bytes; expected {KEY_BYTES} (see event_key)"
        )
    if event["item_id"] is None and event["text"] is None:
        raise InvalidInput("the event has neither an item nor text; give one of the two")
    value, shared = event["value"], event["shared"]
    found: dict[str, list[Any]] = {
        name: [event[name]] for name in ("user_id", "item_id", "event", "timestamp", "key")
    }
    found["value"] = [None if value != value else value]
    found["shared"] = [1.0 if shared is None or shared != shared else shared]
    if any(event[name] is not None for name in _RARE):
        found |= {name: _bytes([event[name]]) for name in ("slate_id", "text")}
        found["context"] = [event["context"]]
    return found


def _user(number: int, user_id: str) -> tuple[Any, ...]:
    return number, user_id.encode(), "{}", 0


def _kind(number: int, name: str) -> tuple[Any, ...]:
    if number > _KINDS:
        raise InvalidInput(
            f"there are {_KINDS + 1} kinds of events already, {name!r} would be one more; "
            "a kind is a word such as click, its details belong in value or context"
        )
    return number, name.encode()


def checked(events: pl.DataFrame) -> pl.DataFrame:
    """Return the frame with the columns of EVENTS; raises InvalidInput for what is not one."""
    frame = conform(
        events,
        EVENTS,
        required=_REQUIRED,
        ids=_IDS,
    )
    if not len(frame):
        return frame
    shortest, longest = ends(sizes(frame.get_column("key")))
    if shortest != KEY_BYTES or longest != KEY_BYTES:
        raise InvalidInput(
            f"column 'key' holds keys of {shortest} to {longest} bytes; "
            f"expected {KEY_BYTES} (see event_key)"
        )
    if frame.get_column("item_id").null_count():
        bare = frame.filter(pl.col("item_id").is_null() & pl.col("text").is_null())
        if len(bare):
            raise InvalidInput(
                f"{len(bare)} events have neither an item nor text; give one of the two"
            )
    if len(frame) <= FEW:
        numbers = frame.get_column("value").to_list(), frame.get_column("shared").to_list()
        if None not in numbers[1] and all(n == n for column in numbers for n in column):
            return frame
    return frame.with_columns(
        pl.col("value").fill_nan(None), pl.col("shared").fill_nan(None).fill_null(1.0)
    )


def _bytes(column: list[str | None]) -> list[bytes | None]:
    return [None if value is None else value.encode() for value in column]
