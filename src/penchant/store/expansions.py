"""What people may come to like, as it was last worked out: one row a person, read by requests.

It lies beside the impressions, so that writing it moves nothing that requests follow. It can be
thrown away and made again, and goes with its person when they are forgotten or merged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
from sqlalchemy import Connection, bindparam, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite

from penchant.store import schema
from penchant.store.database import Database
from penchant.store.events import microseconds
from penchant.types import Floats

EARNED = -1  # the number of nobody, under which lies what expansions have earned


@dataclass(frozen=True, slots=True)
class Kept:
    """One row: `content` is plain JSON, `vector` float32[d] or empty, made at `time` (seconds).

    `digest` says what it was made of, `snapshot` in whose space its vector is.
    """

    time: float
    snapshot: str
    digest: str
    content: Mapping[str, Any]
    vector: Floats


class Expansions:
    """The last expansion of each person; a request reads one row by its key."""

    def __init__(self, database: Database) -> None:
        self._database = database
        table = schema.expansions.c
        columns = (table.time, table.snapshot, table.digest, table.content, table.vector)
        self._get = database.prepare(
            select(*columns).where(table.user_number == bindparam("person"))
        )
        self._get_with = database.prepare(
            select(table.user_number, *columns).where(
                (table.user_number == bindparam("person")) | (table.user_number == EARNED)
            )
        )
        dialect: Any = sqlite if database.dialect == "sqlite" else postgresql
        insert = dialect.insert(schema.expansions).values(
            {column.name: bindparam(column.name) for column in schema.expansions.columns}
        )
        others = [c.name for c in schema.expansions.columns if c.name != "user_number"]
        self._put = insert.on_conflict_do_update(
            index_elements=["user_number"], set_={name: insert.excluded[name] for name in others}
        )

    def get(self, user: int) -> Kept | None:
        """Return what is kept of a person, None where nothing is."""
        rows = self._database.tuples(self._get, person=int(user))
        return _kept(rows[0]) if rows else None

    def read(self, user: int) -> tuple[Kept | None, Kept | None]:
        """Return what is kept of a person, and what expansions have earned, in one read."""
        rows = self._database.tuples(self._get_with, person=int(user))
        found = {int(row[0]): _kept(row[1:]) for row in rows}
        return None if user < 0 else found.get(int(user)), found.get(EARNED)

    def put(self, user: int, kept: Kept) -> None:
        """Keep this in the place of what was kept of a person; it is on disk soon."""
        values = {
            "user_number": int(user),
            "time": microseconds(kept.time),
            "snapshot": kept.snapshot,
            "digest": kept.digest,
            "content": orjson.dumps(dict(kept.content)).decode(),
            "vector": np.ascontiguousarray(kept.vector, dtype="<f4").tobytes(),
        }

        def job(connection: Connection) -> None:
            connection.execute(self._put, values)

        self._database.submit(job)

    def flush(self) -> None:
        """Return once everything put before is on disk."""
        self._database.write(lambda connection: None)

    def purge(self, user: int) -> int:
        """Return how many rows about a person were removed."""
        change = delete(schema.expansions).where(schema.expansions.c.user_number == int(user))
        return self._database.write(lambda connection: int(connection.execute(change).rowcount))

    def reassign(self, user: int, into: int) -> int:
        """Return how many rows were removed: two people who are one are another person."""
        return self.purge(user) + self.purge(into)

    def __len__(self) -> int:
        """Return how many people something is kept of."""
        table = schema.expansions
        count = select(func.count()).select_from(table).where(table.c.user_number >= 0)
        return int(self._database.rows(count)[0][0])


def _kept(row: Any) -> Kept:
    time, snapshot, digest, content, vector = row
    return Kept(
        int(time) / 1e6,
        str(snapshot),
        str(digest),
        orjson.loads(content),
        np.frombuffer(vector, dtype="<f4").astype(np.float32, copy=False),
    )
