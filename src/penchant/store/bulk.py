"""Many rows into one table, in as few statements as the database likes best.

A statement costs about as much as a row. SQLite takes fifty rows in one, PostgreSQL a column as
one array: each is about half again as fast as row by row. SQLAlchemy writes the statements, but
its handling of parameters would double the time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table, bindparam, cast, func, select
from sqlalchemy.dialects import postgresql, sqlite

from penchant.store.database import Database
from penchant.store.schema import Utf8

ROWS = 50


class BulkInsert:
    """Inserts rows, given as columns in the order of the table.

    Columns named in `without`, the last of the table, are not given and become NULL. With
    `unique`, a row whose value of that column is in the table already is left out.
    """

    def __init__(
        self,
        database: Database,
        table: Table,
        *,
        unique: str | None = None,
        without: Sequence[str] = (),
    ) -> None:
        columns = [column for column in table.columns if column.name not in without]
        self._width = len(columns)
        self._arrays = database.dialect == "postgresql"
        dialect: Any = postgresql if self._arrays else sqlite

        def text(statement: Any) -> str:
            if unique is not None:
                statement = statement.on_conflict_do_nothing(index_elements=[unique])
            return database.prepare(statement).text

        def values(rows: int) -> Any:
            # Not ABORT, the default: to be able to take one statement back alone, SQLite would copy
            # every page before it changes it. Whoever fails here takes the transaction back.
            return (
                dialect.insert(table)
                .prefix_with("OR FAIL")
                .values(
                    [{c.name: bindparam(f"{c.name}_{row}") for c in columns} for row in range(rows)]
                )
            )

        if self._arrays:
            arrays = [cast(bindparam(c.name), postgresql.ARRAY(c.type)) for c in columns]
            rows = select(*[func.unnest(array) for array in arrays])
            self._many = text(dialect.insert(table).from_select([c.name for c in columns], rows))
        else:
            self._one, self._many = text(values(1)), text(values(ROWS))

    def __call__(self, connection: Connection, columns: Sequence[Sequence[Any]]) -> int:
        """Return how many of the rows were inserted; `columns` are in the order of the table."""
        n, width = len(columns[0]), self._width
        if not n:
            return 0
        if self._arrays:
            parameters = tuple(map(list, columns))
            return connection.exec_driver_sql(self._many, parameters).rowcount
        # Row after row in one list, without an object for each.
        flat: list[Any] = [None] * (n * width)
        for place, column in enumerate(columns):
            flat[place::width] = column
        inserted = 0
        step, end = ROWS * width, (n - n % ROWS) * width
        if end:
            many = [tuple(flat[start : start + step]) for start in range(0, end, step)]
            inserted += connection.exec_driver_sql(self._many, many).rowcount
        if end < len(flat):
            one = [tuple(flat[start : start + width]) for start in range(end, len(flat), width)]
            inserted += connection.exec_driver_sql(self._one, one).rowcount
        return inserted


class RowOf:
    """Turns rows by name into the tuples that are inserted into a table; what is absent is NULL."""

    def __init__(self, table: Table) -> None:
        self._layout = [(column.name, isinstance(column.type, Utf8)) for column in table.columns]

    def __call__(self, values: Mapping[str, Any]) -> tuple[Any, ...]:
        """Return the values in the order of the columns, texts as the bytes that are stored."""
        row: list[Any] = []
        for name, encoded in self._layout:
            value = values.get(name)
            row.append(value.encode() if encoded and value is not None else value)
        return tuple(row)
