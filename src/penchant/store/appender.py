"""From a frame of events to rows of the log: checked at the door, numbered inside the lock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import polars as pl
from sqlalchemy import Connection, bindparam, select, update
from sqlalchemy.dialects import postgresql, sqlite

from penchant.store import schema
from penchant.store.database import Database
from penchant.store.frames import EVENTS, conform, ends
from penchant.store.numbering import Numbering
from penchant.store.retraction import Retractions
from penchant.types import InvalidInput

KEY_BYTES = 16


class Appender:
    """Prepares jobs for the writer: everything that needs no lock is done before."""

    def __init__(
        self, database: Database, users: Numbering, items: Numbering, retractions: Retractions
    ) -> None:
        self._users, self._items, self._retractions = users, items, retractions
        self._kinds = Numbering(database, schema.kinds, schema.kinds.c.name)
        dialect: Any = sqlite if database.dialect == "sqlite" else postgresql
        names = [column.name for column in schema.events.columns]
        self._insert = database.prepare(
            dialect.insert(schema.events)
            .values({name: bindparam(name) for name in names})
            .on_conflict_do_nothing(index_elements=["event_key"])
        )

    def job(self, part: pl.DataFrame) -> Callable[[Connection], tuple[int, int]]:
        """Return the job that appends; it answers how many were new, and the last offset."""
        user_ids = part.get_column("user_id").to_list()
        item_ids = part.get_column("item_id").to_list()
        kinds = part.get_column("event").to_list()
        rest = (
            part.get_column("timestamp").to_list(),
            part.get_column("value").to_list(),
            part.get_column("shared").to_list(),
            part.get_column("key").to_list(),
            _bytes(part.get_column("slate_id")),
            part.get_column("context").to_list(),
            _bytes(part.get_column("text")),
        )

        def job(connection: Connection) -> tuple[int, int]:
            head = connection.execute(select(schema.heads)).one()
            epoch, change = head.retraction, head.item_change
            users = self._users.assign(connection, user_ids, epoch, blank_user)

            def blank(number: int, item_id: str) -> dict[str, Any]:
                nonlocal change
                change += 1
                return blank_item(number, item_id, change)

            named = [i for i in item_ids if i is not None]
            items: dict[Any, int] = self._items.assign(connection, named, epoch, blank)
            numbers = self._kinds.assign(connection, kinds, 0, blank_kind)
            undone = self._retractions.undone(connection, epoch)
            times, values, shared, keys, slates, contexts, texts = rest
            start = head.event_offset + 1
            rows = list(
                zip(
                    range(start, start + len(user_ids)),
                    map(users.__getitem__, user_ids),
                    [None if i is None else items[i] for i in item_ids],
                    times,
                    map(numbers.__getitem__, kinds),
                    values,
                    shared,
                    keys,
                    slates,
                    contexts,
                    texts,
                    strict=True,
                )
            )
            if undone:
                rows = [row for row in rows if row[7] not in undone]
            new = 0
            if rows:
                new = connection.exec_driver_sql(self._insert.text, rows).rowcount
            last = head.event_offset + (len(user_ids) if new else 0)
            if last != head.event_offset or change != head.item_change:
                connection.execute(
                    update(schema.heads).values(event_offset=last, item_change=change)
                )
            return new, last

        return job


def blank_user(number: int, user_id: str) -> dict[str, Any]:
    """Return the row of somebody known by behaviour only."""
    return {"number": number, "user_id": user_id}


def blank_kind(number: int, name: str) -> dict[str, Any]:
    """Return the row of a kind of event."""
    return {"number": number, "name": name}


def blank_item(number: int, item_id: str, change: int) -> dict[str, Any]:
    """Return the row of an item that an event named before the catalogue did."""
    return {
        "number": number,
        "item_id": item_id,
        "change": change,
        "described": False,
        "removed": False,
        "title": "",
        "description": "",
        "tags": "[]",
        "attributes": "{}",
    }


def checked(events: pl.DataFrame) -> pl.DataFrame:
    """Return the frame with the columns of EVENTS; raises InvalidInput for what is not one."""
    frame = conform(
        events,
        EVENTS,
        required=("user_id", "event", "timestamp", "key"),
        ids=("user_id", "item_id", "event", "slate_id"),
    )
    if not len(frame):
        return frame
    shortest, longest = ends(frame.get_column("key").bin.size())
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
    return frame.with_columns(
        pl.col("value").fill_nan(None), pl.col("shared").fill_nan(None).fill_null(1.0)
    )


def _bytes(column: pl.Series) -> list[bytes | None]:
    if column.null_count() == len(column):
        return [None] * len(column)
    return [None if value is None else value.encode() for value in column.to_list()]
