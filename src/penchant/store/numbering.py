"""From ids to numbers, inside the lock of writers: 0, 1, 2 ... without gaps, never given twice."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
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
        self._known: dict[str | None, int] = {}
        self._epoch = -1
        self.query = select(column, table.c.number).where(
            column.in_(bindparam("ids", expanding=True))
        )
        self._one = database.prepare(select(table.c.number).where(column == bindparam("id")))
        self._last = select(func.max(table.c.number))
        self._insert = BulkInsert(database, table)
        database.rolled_back.append(self._known.clear)

    def assign(
        self,
        connection: Connection,
        ids: Sequence[str | None],
        epoch: int,
        blank: Callable[[int, str], tuple[Any, ...]],
    ) -> list[int | None]:
        """Return the number of each id; unknown ones get the row that `blank` makes.

        None stays None.
        """
        known = self._known
        if epoch != self._epoch or len(known) > CACHED:
            known.clear()
            self._epoch = epoch
        numbers = list(map(known.get, ids))
        if None not in numbers:
            return numbers
        pairs = zip(ids, numbers, strict=True)
        missing = list(dict.fromkeys(i for i, n in pairs if n is None and i is not None))
        if missing:
            self._add(connection, missing, blank)
            numbers = list(map(known.get, ids))
        return numbers

    def _add(
        self,
        connection: Connection,
        missing: list[str],
        blank: Callable[[int, str], tuple[Any, ...]],
    ) -> None:
        known = self._known
        if len(missing) == 1:  # of every click by somebody else
            found = connection.exec_driver_sql(self._one.text, (missing[0].encode(),)).scalar()
            known.update({} if found is None else {missing[0]: int(found)})
        else:
            query = self.query
            known.update(find(lambda s, p: connection.execute(s, p).fetchall(), query, missing))
        new = [i for i in missing if i not in known]
        if new:
            last = connection.execute(self._last).scalar()
            start = 0 if last is None else last + 1
            rows = [blank(number, i) for number, i in enumerate(new, start)]
            self._insert(connection, list(zip(*rows, strict=True)))
            known.update(zip(new, range(start, start + len(new)), strict=True))

    def numbers(self, ids: Iterable[str]) -> npt.NDArray[np.int32]:
        """Return the number of each id as int32[n], -1 for an unknown one; from any thread."""
        wanted = list(ids)
        if len(wanted) == 1:  # at the door of every request
            rows = self._database.tuples(self._one, id=wanted[0].encode(errors="surrogatepass"))
            return np.array([rows[0][0] if rows else -1], dtype=np.int32)
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
