"""People and prior knowledge in a database: attributes, links, and two people who turn out one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from sqlalchemy import Connection, bindparam, func, select, tuple_, update

from penchant.store import schema
from penchant.store.database import Database
from penchant.store.frames import LINKS, USERS, conform
from penchant.store.numbering import Numbering, find
from penchant.store.retraction import Retractions
from penchant.types import InvalidInput

CHUNK = 5_000
_PAIRS = 300


class UserTable:
    """Everybody who ever did anything (implements `store.people.People`)."""

    def __init__(self, database: Database, numbering: Numbering, retractions: Retractions) -> None:
        self._database, self._numbering, self._retractions = database, numbering, retractions
        table = schema.users.c
        self._attributes = select(table.number, table.attributes).where(
            table.number.in_(bindparam("ids", expanding=True))
        )
        self._update = (
            update(schema.users)
            .where(table.number == bindparam("_number"))
            .values(attributes=bindparam("attributes"), change=bindparam("change"))
        )

    def upsert(self, users: pl.DataFrame) -> dict[str, int]:
        """Return how many people were new, changed and same; attributes are replaced whole."""
        frame = conform(users, USERS, required=("user_id",), ids=("user_id",))
        frame = frame.unique("user_id", keep="last", maintain_order=True).with_columns(
            pl.col("attributes").fill_null("{}")
        )
        counts = {"new": 0, "changed": 0, "same": 0}
        for part in frame.iter_slices(CHUNK):
            wanted: dict[str, str] = dict(part.iter_rows())
            for name, count in self._database.write(self._job(wanted), len(wanted)).items():
                counts[name] += count
        return counts

    def numbers(self, user_ids: Sequence[str]) -> npt.NDArray[np.int32]:
        """Return the number of each person as int32[n], -1 for somebody never seen or forgotten."""
        return self._numbering.numbers(user_ids)

    def named(self, begin: str, most: int) -> list[str]:
        """Return at most `most` ids that begin with `begin`, in the order of their bytes."""
        name = schema.users.c.user_id
        query = select(name).where(name >= begin).order_by(name).limit(most)
        found = [str(row[0]) for row in self._database.rows(query)]
        return [user_id for user_id in found if user_id.startswith(begin)]

    def get(self, numbers: Sequence[int]) -> pl.DataFrame:
        """Return number, user_id (null once forgotten) and attributes, in the order asked for."""
        wanted = [int(number) for number in numbers]
        table = schema.users.c
        found: dict[int, tuple[Any, ...]] = {}
        query = select(table.number, table.user_id, table.attributes).where(
            table.number.in_(bindparam("numbers", expanding=True))
        )
        for start in range(0, len(wanted), 1000):
            part = sorted(set(wanted[start : start + 1000]))
            found.update((r[0], tuple(r)) for r in self._database.rows(query, {"numbers": part}))
        missing = [number for number in wanted if number not in found]
        if missing:
            raise InvalidInput(f"expected numbers of people, got {missing[:5]} which nobody has")
        return pl.DataFrame(
            [found[number] for number in wanted],
            schema={"number": pl.Int32, **USERS},
            orient="row",
        )

    def merge(self, visitor: int, into: int) -> int:
        """Return how many events moved from `visitor` to `into`, who gets everything of theirs.

        The visitor's id is dropped: should it come again, it is somebody new (on a shared device
        it would be), and can be merged again.
        """
        return self._retractions.merge(int(visitor), int(into))

    def add_links(self, links: pl.DataFrame) -> dict[str, int]:
        """Return how many links were new, changed (another weight) and same."""
        frame = conform(
            links, LINKS, required=("head", "relation", "tail"), ids=("head", "relation", "tail")
        ).with_columns(pl.col("weight").fill_nan(None).fill_null(1.0))
        frame = frame.unique(["head", "relation", "tail"], keep="last", maintain_order=True)
        counts = {"new": 0, "changed": 0, "same": 0}
        for part in frame.iter_slices(CHUNK):
            rows = list(part.iter_rows())
            for name, count in self._database.write(self._link_job(rows), len(rows)).items():
                counts[name] += count
        return counts

    def relink(self, names: Mapping[str, str]) -> int:
        """Return how many of `names` links held; each is now called what it stands for.

        Where an item has the name, its links stay.
        """
        return self._retractions.relink(names)

    def links(self) -> pl.DataFrame:
        """Return all links, in the order they were added."""
        rows = [row for part in self.scan_links() for row in part]
        return pl.DataFrame(rows, schema=dict(LINKS), orient="row")

    def scan_links(self) -> Iterator[list[tuple[str, str, str, float]]]:
        """Yield all links, in the order they were added, in parts that fit into memory."""
        table = schema.links.c
        after = 0
        query = (
            select(table.number, table.head, table.relation, table.tail, table.weight)
            .where(table.number > bindparam("after"))
            .order_by(table.number)
            .limit(20_000)
        )
        while part := self._database.rows(query, {"after": after}):
            yield [tuple(row)[1:] for row in part]
            after = part[-1][0]

    def __len__(self) -> int:
        """Return how many people have a number, forgotten ones included."""
        return int(self._database.rows(select(func.count()).select_from(schema.users))[0][0])

    def _job(self, wanted: dict[str, str]) -> Any:
        def job(connection: Connection) -> dict[str, int]:
            def rows(statement: Any, parameters: dict[str, Any]) -> Any:
                return connection.execute(statement, parameters).fetchall()

            head = connection.execute(select(schema.heads)).one()
            known = find(rows, self._numbering.query, list(wanted))
            before = find(rows, self._attributes, list(known.values()))
            changed = [
                {"_number": number, "attributes": wanted[i], "change": head.user_change + 1}
                for i, number in known.items()
                if before[number] != wanted[i]
            ]
            if changed:
                connection.execute(self._update, changed)
            new = [i for i in wanted if i not in known]

            def blank(number: int, user_id: str) -> tuple[Any, ...]:
                return number, user_id.encode(), wanted[user_id], head.user_change + 1

            self._numbering.assign(connection, new, head.retraction, blank)
            if new or changed:
                connection.execute(update(schema.heads).values(user_change=head.user_change + 1))
            return {
                "new": len(new),
                "changed": len(changed),
                "same": len(known) - len(changed),
            }

        return job

    def _link_job(self, rows: list[tuple[str, str, str, float]]) -> Any:
        table = schema.links.c
        ends = tuple_(table.head, table.relation, table.tail)

        def job(connection: Connection) -> dict[str, int]:
            known: dict[tuple[str, str, str], tuple[int, float]] = {}
            for start in range(0, len(rows), _PAIRS):
                part = [row[:3] for row in rows[start : start + _PAIRS]]
                for row in connection.execute(select(schema.links).where(ends.in_(part))):
                    known[row.head, row.relation, row.tail] = (row.number, row.weight)
            new = [row for row in rows if row[:3] not in known]
            changed = [row for row in rows if row[:3] in known and known[row[:3]][1] != row[3]]
            if new:
                connection.execute(
                    schema.links.insert(),
                    [
                        dict(zip(("head", "relation", "tail", "weight"), r, strict=True))
                        for r in new
                    ],
                )
            if changed:
                connection.execute(
                    update(schema.links)
                    .where(table.number == bindparam("_number"))
                    .values(weight=bindparam("_weight")),
                    [{"_number": known[row[:3]][0], "_weight": row[3]} for row in changed],
                )
            if new or changed:
                heads = schema.heads
                connection.execute(update(heads).values(link_change=heads.c.link_change + 1))
            return {
                "new": len(new),
                "changed": len(changed),
                "same": len(rows) - len(new) - len(changed),
            }

        return job
