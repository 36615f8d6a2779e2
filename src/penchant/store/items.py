"""The catalogue in a database: an item's number is its row, every change is readable in order."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from sqlalchemy import Connection, bindparam, func, select, update

from penchant.store import schema
from penchant.store.bulk import RowOf
from penchant.store.database import Database
from penchant.store.frames import ITEMS, conform
from penchant.store.numbering import Numbering, find
from penchant.types import InvalidInput

CHUNK = 2_000
# Beside the columns of ITEMS, what the store itself knows of an item.
STORED: dict[str, Any] = {
    "number": pl.Int32,
    **ITEMS,
    "described": pl.Boolean,
    "removed": pl.Boolean,
}
_TEXTS = ("item_id", "title", "description", "category")


class ItemTable:
    """Every item ever named (implements `store.catalogue.Catalogue`)."""

    def __init__(self, database: Database, numbering: Numbering) -> None:
        self._database, self._numbering = database, numbering
        self._row_of = RowOf(schema.items)
        table = schema.items.c
        self._columns = [table[name] for name in STORED]
        self._select = select(*self._columns)
        self._digests = select(table.number, table.digest, table.removed).where(
            table.number.in_(bindparam("numbers", expanding=True))
        )
        self._update = (
            update(schema.items)
            .where(table.number == bindparam("_number"))
            .values({n: bindparam(n) for n in (*_WRITTEN, "change", "described", "removed")})
        )

    def upsert(self, items: pl.DataFrame) -> dict[str, int]:
        """Return how many items were new, changed and same.

        A row replaces all that was known of the item; of several rows of one item the last wins.
        An item that was removed comes back. An item that only events named counts as new.
        """
        frame = conform(items, ITEMS, required=("item_id",), ids=("item_id",))
        frame = frame.unique("item_id", keep="last", maintain_order=True).with_columns(
            pl.col("title", "description").fill_null(""),
            pl.col("tags").fill_null([]),
            pl.col("attributes").fill_null("{}"),
            pl.col("price").fill_nan(None),
        )
        counts = {"new": 0, "changed": 0, "same": 0}
        for part in frame.iter_slices(CHUNK):
            rows = [_row(row) for row in part.iter_rows(named=True)]
            for name, count in self._database.write(self._job(rows), len(rows)).items():
                counts[name] += count
        return counts

    def remove(self, item_ids: Sequence[str]) -> int:
        """Return how many items were taken out of the catalogue; events of theirs stay."""
        wanted = list(dict.fromkeys(item_ids))

        def job(connection: Connection) -> int:
            head = connection.execute(select(schema.heads)).one()
            known = find(_on(connection), self._numbering.query, wanted)
            state = find(_on(connection), self._digests_by_removed(), list(known.values()))
            present = sorted(number for number, removed in state.items() if not removed)
            if not present:
                return 0
            table = schema.items
            connection.execute(
                update(table)
                .where(table.c.number == bindparam("_number"))
                .values(removed=True, change=bindparam("_change")),
                [
                    {"_number": number, "_change": head.item_change + i}
                    for i, number in enumerate(present, 1)
                ],
            )
            connection.execute(
                update(schema.heads).values(item_change=head.item_change + len(present))
            )
            return len(present)

        return self._database.write(job, len(wanted))

    def numbers(self, item_ids: Sequence[str]) -> npt.NDArray[np.int32]:
        """Return the number of each item as int32[n], -1 for one that nobody ever named."""
        return self._numbering.numbers(item_ids)

    def get(self, numbers: Sequence[int]) -> pl.DataFrame:
        """Return the items with these numbers, in this order: `STORED` columns."""
        wanted = [int(number) for number in numbers]
        table = schema.items.c
        found: dict[int, tuple[Any, ...]] = {}
        for start in range(0, len(wanted), 1000):
            part = sorted(set(wanted[start : start + 1000]))
            rows = self._database.rows(
                self._select.where(table.number.in_(bindparam("numbers", expanding=True))),
                {"numbers": part},
            )
            found.update((row[0], tuple(row)) for row in rows)
        missing = [number for number in wanted if number not in found]
        if missing:
            raise InvalidInput(f"expected numbers of items, got {missing[:5]} which no item has")
        return _frame([found[number] for number in wanted])

    def changed(self, after: int, to: int | None = None) -> tuple[pl.DataFrame, int]:
        """Return the items that changed after change `after`, in order, and the last change."""
        table = schema.items.c
        after, last = int(after), self.last() if to is None else int(to)
        rows: list[Any] = []
        position = after
        while position < last:
            part = self._database.rows(
                select(*self._columns, table.change)
                .where(table.change > position, table.change <= last)
                .order_by(table.change)
                .limit(CHUNK)
            )
            if not part:
                break
            rows.extend(tuple(row)[:-1] for row in part)
            position = part[-1][-1]
        return _frame(rows) if rows else _NONE, max(after, last)

    def last(self) -> int:
        """Return the number of the last change, 0 where there was none."""
        return int(self._database.rows(select(schema.heads.c.item_change))[0][0])

    def __len__(self) -> int:
        """Return how many items have a number, removed ones included."""
        return int(self._database.rows(select(func.count()).select_from(schema.items))[0][0])

    @staticmethod
    def _digests_by_removed() -> Any:
        table = schema.items.c
        return select(table.number, table.removed).where(
            table.number.in_(bindparam("ids", expanding=True))
        )

    def _job(self, rows: list[dict[str, Any]]) -> Any:
        def job(connection: Connection) -> dict[str, int]:
            head = connection.execute(select(schema.heads)).one()
            change = head.item_change
            by_id = {row["item_id"]: row for row in rows}
            known = find(_on(connection), self._numbering.query, list(by_id))
            state = {
                number: (digest, removed)
                for number, digest, removed in connection.execute(
                    self._digests, {"numbers": sorted(known.values())}
                )
            }
            changed, same, described = [], 0, 0
            for item_id, number in known.items():
                row = by_id.pop(item_id)
                digest, removed = state[number]
                if digest is not None and bytes(digest) == row["digest"] and not removed:
                    same += 1
                    continue
                described += digest is None
                change += 1
                changed.append(
                    {
                        **row,
                        "_number": number,
                        "change": change,
                        "described": True,
                        "removed": False,
                    }
                )
            if changed:
                connection.execute(self._update, changed)

            def blank(number: int, item_id: str) -> tuple[Any, ...]:
                nonlocal change
                change += 1
                stored = {"number": number, "change": change, "described": True, "removed": False}
                return self._row_of(by_id[item_id] | stored)

            self._numbering.assign(connection, list(by_id), head.retraction, blank)
            if change != head.item_change:
                connection.execute(update(schema.heads).values(item_change=change))
            return {
                "new": len(by_id) + described,
                "changed": len(changed) - described,
                "same": same,
            }

        return job


_WRITTEN = (*(name for name in ITEMS if name != "item_id"), "digest")


def _on(connection: Connection) -> Any:
    return lambda statement, parameters: connection.execute(statement, parameters).fetchall()


def _row(row: dict[str, Any]) -> dict[str, Any]:
    row["tags"] = json.dumps([tag for tag in row["tags"] if tag is not None], ensure_ascii=True)
    content = json.dumps([row[name] for name in ITEMS], ensure_ascii=True)
    row["digest"] = blake2b(content.encode(), digest_size=16).digest()
    return row


def _frame(rows: Iterable[tuple[Any, ...]]) -> pl.DataFrame:
    schema_of_rows = {**STORED, "tags": pl.String}
    return pl.DataFrame(list(rows), schema=schema_of_rows, orient="row").with_columns(
        pl.col("tags").str.json_decode(pl.List(pl.String))
    )


# Nothing changed, which is what most events of a log come with.
_NONE = pl.DataFrame(schema=STORED)
