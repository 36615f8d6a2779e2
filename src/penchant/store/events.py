"""The event log in a database: appended in groups, read by offset or by person."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from functools import lru_cache
from hashlib import blake2b
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from sqlalchemy import (
    LargeBinary,
    Select,
    Text,
    bindparam,
    cast,
    func,
    literal,
    literal_column,
    or_,
    select,
)

from penchant.store import schema
from penchant.store.appender import KEY_BYTES, Appender, checked, columns, row
from penchant.store.database import Database, Prepared
from penchant.store.frames import Row
from penchant.store.log import LAST, Appended, Events
from penchant.store.numbering import Numbering
from penchant.store.retraction import Retractions
from penchant.types import InvalidInput

# Rows of a piece: so few that a click waits little behind a bulk load. Pieces that are handed over
# before the first is committed: so many that they fill a transaction (`writer.HOLD`).
CHUNK, AHEAD = 25_000, 8
READ = 50_000
_NONE = np.zeros(0, dtype=np.int32)
_KEY = blake2b(digest_size=KEY_BYTES, person=b"penchant.id")


def event_key(event_id: str) -> bytes:
    """Return the 16 bytes under which an event with the caller's `event_id` is known."""
    key = _KEY.copy()  # takes half the time of making one
    key.update(event_id.encode(errors="surrogatepass"))
    return key.digest()


def microseconds(seconds: float) -> int:
    """Return whole microseconds, the unit of the tables; infinite times become the ends of it."""
    if math.isnan(seconds):
        raise InvalidInput("expected a time in seconds, got NaN; give `now` a number")
    return (
        max(-LAST, min(LAST, round(seconds * 1e6)))
        if math.isfinite(seconds)
        else (LAST if seconds > 0 else -LAST)
    )


class EventLog:
    """Every event ever believed (implements `store.log.Log`)."""

    def __init__(
        self, database: Database, users: Numbering, items: Numbering, retractions: Retractions
    ) -> None:
        self._database, self._retractions = database, retractions
        self._appender = Appender(database, users, items, retractions)
        self._kind_names: tuple[str, ...] = ()
        table = schema.events.c
        stored = (
            table.event_offset,
            table.user_number,
            func.coalesce(table.item_number, -1),
            table.time,
            table.kind,
            table.value,
            table.shared,
            table.text,
            table.context,
            table.slate_id,
        )
        history = (
            select(*stored)
            .where(table.user_number == bindparam("user"), table.time <= bindparam("now"))
            .order_by(table.time.desc(), table.event_offset.desc())
            .limit(bindparam("n"))
        )
        # As one string: a row for each item takes three times as long.
        listed = func.group_concat if database.dialect == "sqlite" else func.string_agg
        seen = (
            select(listed(cast(table.item_number, Text), literal_column("','")))
            .where(table.user_number == bindparam("user"), table.time <= bindparam("now"))
            .where(table.item_number.is_not(None))
        )
        self._history, self._seen = (_without(database, query) for query in (history, seen))
        self._scan = database.prepare(
            select(*stored)
            .where(table.event_offset > bindparam("after"), table.event_offset <= bindparam("to"))
            .order_by(table.event_offset)
            .limit(bindparam("n"))
        )

    def append(self, events: pl.DataFrame | Row) -> Appended:
        """Return how many events were new and known; all of them are durable by then.

        `events` is a frame, or one event with a value for each column of it. An event whose `key`
        is in the log already is left out. A long frame is committed in pieces; after an error the
        pieces before it are in the log, and appending the frame again adds the rest.
        """
        self._database.check()
        if not isinstance(events, pl.DataFrame):
            new, last = self._database.write(self._appender.job(row(events)))
            return Appended(new=new, known=1 - new, last=last)
        frame = checked(events)
        futures: list[Future[tuple[int, int]]] = []
        total, last = 0, 0
        # All pieces say the same, so that none of them overtakes another.
        size = min(len(frame), CHUNK)
        for part in frame.iter_slices(CHUNK):
            futures.append(self._database.submit(self._appender.job(columns(part)), size))
            if len(futures) == AHEAD:
                new, last = self._database.wait(futures.pop(0))
                total += new
        for future in futures:
            new, last = self._database.wait(future)
            total += new
        return Appended(
            new=total, known=len(frame) - total, last=last if len(frame) else self.last()
        )

    def history(self, user: int, n: int, now: float, ignoring: Sequence[str] = ()) -> Events:
        """Return the person's newest `n` events up to `now`, oldest first.

        Events of a kind in `ignoring` are passed over in the index, without being read.
        """
        statement = self._history(tuple(ignoring))
        rows = self._database.tuples(
            statement, user=int(user), now=microseconds(now), n=max(0, int(n))
        )
        rows.reverse()
        return self._events(rows)

    def seen(self, user: int, now: float, ignoring: Sequence[str] = ()) -> npt.NDArray[np.int32]:
        """Return the numbers of the items the person has events with up to `now`, ascending.

        Events of a kind in `ignoring` (an impression, say) do not count.
        """
        statement = self._seen(tuple(ignoring))
        rows = self._database.tuples(statement, user=int(user), now=microseconds(now))
        found = rows[0][0]
        return np.unique(np.fromstring(found, dtype=np.int32, sep=",") if found else _NONE)

    def scan(self, after: int, limit: int, to: int = LAST) -> Events:
        """Return at most `limit` events with offsets above `after` (0: the start), in order."""
        parts = []
        after, to, left = int(after), int(to), int(limit)
        while left > 0:
            # Short statements: a long one would keep the write-ahead log from being taken in.
            asked = min(READ, left)
            rows = self._database.tuples(self._scan, after=after, to=to, n=asked)
            parts.append(self._events(rows))
            left -= len(rows)
            if len(rows) < asked:
                break
            after = rows[-1][0]
        return joined(parts) if parts else self._events([])

    def chunks(self, after: int = 0, limit: int = READ) -> Iterator[Events]:
        """Yield the log from `after` on, in pieces of at most `limit` events."""
        while len(part := self.scan(after, limit)):
            yield part
            after = int(part.offsets[-1])

    def last(self) -> int:
        """Return the last offset given out, 0 for an empty log."""
        return int(self._database.rows(select(schema.heads.c.event_offset))[0][0])

    def retract(
        self, *, user: int | None = None, event_id: str | None = None, item: int | None = None
    ) -> int:
        """Return how many events were removed: all of a person, who is forgotten, or one undone.

        With `item` those of the person that are of this item are undone, and nothing is forgotten.

        Forgetting removes events, text, impressions, attributes and links of the person, and the
        id itself: should it come again, it is somebody new. An undone event stays undone when a
        retry brings it again.
        """
        if (user is None) == (event_id is None):
            raise InvalidInput("retract takes either user= or event_id=, exactly one of them")
        if user is not None and item is not None:
            return self._retractions.withdraw(int(user), int(item))
        if user is not None:
            return self._retractions.forget(int(user))
        assert event_id is not None
        return self._retractions.undo(event_key(event_id))

    def close(self) -> None:
        """Close the database under the log."""
        self._database.close()

    def _names(self, kind: int) -> tuple[str, ...]:
        if kind >= len(self._kind_names):
            rows = self._database.rows(select(schema.kinds.c.name).order_by(schema.kinds.c.number))
            self._kind_names = tuple(row[0] for row in rows)
        return self._kind_names

    def _events(self, rows: list[tuple[Any, ...]]) -> Events:
        columns: Any = tuple(zip(*rows, strict=True)) if rows else ((),) * 10
        offsets, users, items, times, kinds, values, shared, texts, contexts, slates = columns
        return Events(
            offsets=np.array(offsets, dtype=np.int64),
            users=np.array(users, dtype=np.int32),
            items=np.array(items, dtype=np.int32),
            times=np.array(times, dtype=np.int64) / 1e6,
            kinds=np.array(kinds, dtype=np.int16),
            values=np.array(values, dtype=np.float32),
            shared=np.array(shared, dtype=np.float32),
            texts=_strings(texts),
            contexts=contexts if contexts.count(None) < len(contexts) else (),
            kind_names=self._names(max(kinds, default=-1)),
            slates=_strings(slates),
        )


def _without(database: Database, query: Select[Any]) -> Callable[[tuple[str, ...]], Prepared]:
    """Return what gives the query prepared without events of some kinds, made once for each."""

    @lru_cache(64)
    def prepared(ignoring: tuple[str, ...]) -> Prepared:
        if not ignoring:
            return database.prepare(query)
        # Asked by name in the statement itself: another process may have numbered a kind just now.
        names = [schema.kinds.c.name == literal(name.encode(), LargeBinary) for name in ignoring]
        numbers = select(schema.kinds.c.number).where(or_(*names))
        return database.prepare(query.where(schema.events.c.kind.not_in(numbers)))

    return prepared


def joined(parts: Sequence[Events]) -> Events:
    """Return the parts as one, in their order; at least one is needed."""
    if len(parts) == 1:
        return parts[0]
    filled = [part for part in parts if len(part)] or list(parts[:1])

    def arrays(name: str) -> Any:
        return np.concatenate([getattr(part, name) for part in filled])

    def strings(name: str) -> tuple[str | None, ...]:
        columns = [getattr(part, name) for part in filled]
        if not any(columns):
            return ()
        return tuple(
            value
            for column, part in zip(columns, filled, strict=True)
            for value in (column or (None,) * len(part))
        )

    return Events(
        offsets=arrays("offsets"),
        users=arrays("users"),
        items=arrays("items"),
        times=arrays("times"),
        kinds=arrays("kinds"),
        values=arrays("values"),
        shared=arrays("shared"),
        texts=strings("texts"),
        contexts=strings("contexts"),
        slates=strings("slates"),
        kind_names=max((part.kind_names for part in parts), key=len),
    )


def _strings(column: Sequence[bytes | None]) -> tuple[str | None, ...]:
    if column.count(None) == len(column):
        return ()
    return tuple(None if value is None else bytes(value).decode() for value in column)
