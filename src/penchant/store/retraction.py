"""What takes facts back: forgetting a person, undoing an event, merging two people into one.

Each leaves a row in `retractions`; whoever folded the log learns from it that the fold is to be
made again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Protocol

from sqlalchemy import Connection, and_, delete, exists, func, or_, select, update

from penchant.store import schema
from penchant.store.database import Database
from penchant.store.faults import StoreError


class Beside(Protocol):
    """What is kept about people beside the log and must follow a retraction: what they were shown,
    and what they may come to like."""

    def purge(self, user: int) -> int:
        """Return how many rows about the person were removed."""

    def reassign(self, user: int, into: int) -> int:
        """Return how many rows about `user` are now about `into`."""


class Retractions:
    """Removes what is to be removed in one transaction, and says so to followers."""

    def __init__(self, database: Database, *beside: Beside) -> None:
        self._database, self._beside = database, beside
        self._undone: frozenset[bytes] = frozenset()
        self._epoch = -1
        database.rolled_back.append(self._unlearn)

    def undone(self, connection: Connection, epoch: int) -> frozenset[bytes]:
        """Return the keys of undone events; for the writer thread."""
        if epoch != self._epoch:
            column = schema.retractions.c.event_key
            rows = connection.execute(select(column).where(column.is_not(None))) if epoch else ()
            self._undone = frozenset(bytes(row[0]) for row in rows)
            self._epoch = epoch
        return self._undone

    def forget(self, user: int) -> int:
        """Return how many events were removed with everything else about the person."""
        # Twice: what is kept between the two would stay for ever.
        for one in self._beside:
            one.purge(user)
        removed = self._database.write(lambda connection: self._forget(connection, user))
        for one in self._beside:
            one.purge(user)
        self._rinse()
        return removed

    def undo(self, key: bytes) -> int:
        """Return 1 if there was an event with this key, 0 otherwise."""
        return self._database.write(lambda connection: self._undo(connection, key))

    def withdraw(self, user: int, item: int) -> int:
        """Return how many events of a person with an item were undone, all of them at once."""
        events = schema.events
        its = and_(events.c.user_number == user, events.c.item_number == item)

        def job(connection: Connection) -> int:
            keys = connection.execute(select(events.c.event_key).where(its)).scalars().all()
            return sum(self._undo(connection, bytes(key)) for key in keys)

        return self._database.write(job)

    def merge(self, visitor: int, into: int) -> int:
        """Return how many events of `visitor` now belong to `into`; the visitor's id is dropped."""
        if visitor == into:
            raise StoreError(f"expected two people to merge, got number {into} twice")
        moved = self._database.write(lambda connection: self._merge(connection, visitor, into))
        for one in self._beside:
            one.reassign(visitor, into)
        return moved

    def relink(self, names: Mapping[str, str]) -> int:
        """Return how many names of `names` links held; each was replaced by what it stands for."""

        def job(connection: Connection) -> int:
            done = sum(self._rename(connection, old, new) for old, new in names.items())
            if done:
                heads = schema.heads
                connection.execute(update(heads).values(link_change=heads.c.link_change + 1))
            return done

        return self._database.write(job)

    def _forget(self, connection: Connection, user: int) -> int:
        name = _name(connection, user)
        events, quarantine = schema.events, schema.quarantine
        removed = connection.execute(delete(events).where(events.c.user_number == user)).rowcount
        if name is not None:
            connection.execute(delete(quarantine).where(quarantine.c.user_id == name))
            gone = connection.execute(delete(schema.links).where(_theirs(name))).rowcount
            self._record(connection, "forget", user, links=gone > 0)
        elif removed:
            self._record(connection, "forget", user)
        _unname(connection, user)
        return int(removed)

    def _undo(self, connection: Connection, key: bytes) -> int:
        events = schema.events
        row = connection.execute(
            select(events.c.event_offset, events.c.user_number).where(events.c.event_key == key)
        ).fetchone()
        if row is None:
            return 0
        connection.execute(delete(events).where(events.c.event_offset == row[0]))
        self._record(connection, "undo", row[1], key=key)
        return 1

    def _merge(self, connection: Connection, visitor: int, into: int) -> int:
        events, users, quarantine = schema.events, schema.users, schema.quarantine
        old, new = _name(connection, visitor), _name(connection, into)
        if old is None or new is None:
            raise StoreError(
                f"expected two known people to merge, got numbers {visitor} and {into}; "
                "one of them was never seen, was forgotten, or was merged before"
            )
        moved = connection.execute(
            update(events).where(events.c.user_number == visitor).values(user_number=into)
        ).rowcount
        attributes = {
            number: json.loads(text)
            for number, text in connection.execute(
                select(users.c.number, users.c.attributes).where(
                    users.c.number.in_([visitor, into])
                )
            )
        }
        # What the known person said of themselves wins over what was guessed of the visitor.
        both = json.dumps({**attributes[visitor], **attributes[into]}, ensure_ascii=False)
        connection.execute(update(users).where(users.c.number == into).values(attributes=both))
        connection.execute(
            update(quarantine).where(quarantine.c.user_id == old).values(user_id=new)
        )
        renamed = self._rename(connection, old, new)
        self._record(connection, "merge", visitor, into=into, links=renamed)
        _unname(connection, visitor)
        return int(moved)

    def _rename(self, connection: Connection, old: str, new: str) -> bool:
        links = schema.links
        rows = connection.execute(select(links).where(_theirs(old))).fetchall()
        for row in rows:
            head, tail = (new if end == old else end for end in (row.head, row.tail))
            known = connection.execute(
                select(links.c.number).where(
                    links.c.head == head, links.c.relation == row.relation, links.c.tail == tail
                )
            ).fetchone()
            this = links.c.number == row.number
            if known is None:
                connection.execute(update(links).where(this).values(head=head, tail=tail))
            else:
                connection.execute(delete(links).where(this))
        return bool(rows)

    def _record(
        self,
        connection: Connection,
        kind: str,
        user: int,
        *,
        into: int | None = None,
        key: bytes | None = None,
        links: bool = False,
    ) -> None:
        heads = schema.heads
        connection.execute(
            update(heads).values(
                retraction=heads.c.retraction + 1,
                user_change=heads.c.user_change + int(kind != "undo"),
                link_change=heads.c.link_change + int(links),
            )
        )
        head = connection.execute(select(heads)).one()
        values: dict[str, Any] = {"user_number": user, "into_number": into, "event_key": key}
        connection.execute(
            schema.retractions.insert().values(number=head.retraction, kind=kind, **values)
        )
        if kind != "undo":
            changed = [user] if into is None else [user, into]
            connection.execute(
                update(schema.users)
                .where(schema.users.c.number.in_(changed))
                .values(change=head.user_change)
            )

    def _rinse(self) -> None:
        # Pages of the forgotten also lie in the write-ahead log until it is taken in.
        if self._database.dialect == "sqlite":
            with self._database.connect() as connection:
                connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")

    def _unlearn(self) -> None:
        self._epoch = -1


def _name(connection: Connection, user: int) -> str | None:
    users = schema.users
    found = connection.execute(select(users.c.user_id).where(users.c.number == user)).scalar()
    return None if found is None else str(found)


def _unname(connection: Connection, user: int) -> None:
    users = schema.users
    connection.execute(
        update(users).where(users.c.number == user).values(user_id=None, attributes="{}")
    )


def _theirs(name: str) -> Any:
    # A link names its ends by string. Where an item has the same id, nobody can know which of the
    # two is meant, and removing the links of an item would hurt everybody.
    links, items = schema.links, schema.items
    item = exists(select(items.c.number).where(items.c.item_id == name))
    return and_(or_(links.c.head == name, links.c.tail == name), ~item)


def retracted_users(database: Database, after: int, to: int) -> list[int]:
    """Return the numbers of the people whose events changed by the retractions after `after`."""
    table = schema.retractions
    rows = database.rows(
        select(table.c.user_number, func.coalesce(table.c.into_number, -1)).where(
            table.c.number > after, table.c.number <= to
        )
    )
    return sorted({number for row in rows for number in row} - {-1})
