"""From ids to numbers, inside the lock of writers: 0, 1, 2 ... without gaps, never given twice."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import Column, Connection, Table, bindparam, func, select

from penchant.store.bulk import BulkInsert
from penchant.store.database import Database

# SQLite allows 32,766 parameters in a statement; few sizes keep few statements in its cache.
CHUNK = 1000
# Ids kept in memory; dropped together beyond that, for simplicity: a miss costs microseconds.
CACHED = 2_000_000


class Numbering:
    """Numbers for the ids of one table, remembered between transactions.

    Only the writer thread uses the memory. It is dropped after a roll-back, which may have taken
    numbers back, and when `epoch` moved: somebody was forgotten or merged, here or elsewhere.
    """

    def __init__(self, database: Database, table: Table, column: Column[Any]) -> None:
        self._database = database
        self._known: dict[str, int] = {}
        self._epoch = -1
        self.query = select(column, table.c.number).where(
            column.in_(bindparam("ids", expanding=True))
        )
        self._last = select(func.max(table.c.number))
        self._insert = BulkInsert(database, table)
        database.rolled_back.append(self._known.clear)

    def assign(
        self,
        connection: Connection,
        ids: Iterable[str],
        epoch: int,
        blank: Callable[[int, str], tuple[Any, ...]],
    ) -> dict[str, int]:
        """Return a mapping that has every id; unknown ones get the row that `blank` makes."""
        known = self._known
        if epoch != self._epoch or len(known) > CACHED:
            known.clear()
            self._epoch = epoch
        missing = [i for i in dict.fromkeys(ids) if i not in known]
        if not missing:
            return known
        known.update(find(lambda s, p: connection.execute(s, p).fetchall(), self.query, missing))
        missing = [i for i in missing if i not in known]
        if missing:
            last = connection.execute(self._last).scalar()
            start = 0 if last is None else last + 1
            self._insert(connection, [blank(n, i) for n, i in enumerate(missing, start)])
            known.update(zip(missing, range(start, start + len(missing)), strict=True))
        return known

    def numbers(self, ids: Iterable[str]) -> npt.NDArray[np.int32]:
        """Return the number of each id as int32[n], -1 for an unknown one; from any thread."""
        wanted = list(ids)
        found = find(self._database.rows, self.query, list(dict.fromkeys(wanted)))
        return np.fromiter((found.get(i, -1) for i in wanted), dtype=np.int32, count=len(wanted))


def find(
    rows: Callable[[Any, dict[str, Any]], Any], statement: Any, ids: list[Any]
) -> dict[Any, Any]:
    """Return the pairs that `statement` finds for its parameter `ids`, asked in chunks."""
    found: dict[Any, Any] = {}
    # In the order of the index, neighbouring lookups touch the same pages.
    ids = sorted(ids)
    for start in range(0, len(ids), CHUNK):
        found.update(tuple(row) for row in rows(statement, {"ids": ids[start : start + CHUNK]}))
    return found
