"""Rows that were not believed, with the reason: nothing that was handed in is silently lost."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Any

import polars as pl
from sqlalchemy import Connection, func, select

from penchant.store import schema
from penchant.store.database import Database

CHUNK = 5_000


class Quarantine:
    """Keeps rejected rows as JSON, by reason, until somebody looks or their person is forgotten."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, reason: str, rows: pl.DataFrame | Iterable[Mapping[str, Any]]) -> int:
        """Return how many rows were put away that were not here for that reason already.

        Of equal rows of one call each is one of its own, so a file read again adds nothing and
        loses nothing. Values that JSON has no word for become text.
        """
        listed = rows.to_dicts() if isinstance(rows, pl.DataFrame) else [dict(r) for r in rows]
        values: list[dict[str, Any]] = [
            {
                "reason": reason,
                "user_id": None if row.get("user_id") is None else str(row["user_id"]),
                "row": json.dumps(row, default=_text, ensure_ascii=True),
            }
            for row in listed
        ]
        again: Counter[str] = Counter()
        for value in values:
            row = str(value["row"])
            value["digest"] = _digest(reason, row, again[row])
            again[row] += 1
        new = 0
        for start in range(0, len(values), CHUNK):
            part = values[start : start + CHUNK]

            def job(connection: Connection, part: list[dict[str, Any]] = part) -> int:
                digest = schema.quarantine.c.digest
                asked = select(digest).where(digest.in_([value["digest"] for value in part]))
                held = {bytes(row[0]) for row in connection.execute(asked)}
                fresh = [value for value in part if value["digest"] not in held]
                if fresh:
                    connection.execute(schema.quarantine.insert(), fresh)
                return len(fresh)

            new += self._database.write(job, len(part))
        return new

    def of(self, user_id: str) -> list[tuple[str, str]]:
        """Return reason and row (JSON) of every row that names the person, oldest first."""
        table = schema.quarantine.c
        query = select(table.reason, table.row).where(table.user_id == user_id)
        rows = self._database.rows(query.order_by(table.number))
        return [(row[0], row[1]) for row in rows]

    def counts(self) -> dict[str, int]:
        """Return how many rows lie here for each reason, most first."""
        table = schema.quarantine.c
        many = func.count()
        rows = self._database.rows(
            select(table.reason, many).group_by(table.reason).order_by(many.desc(), table.reason)
        )
        return {row[0]: int(row[1]) for row in rows}

    def list(self, reason: str | None = None, limit: int = 100) -> pl.DataFrame:
        """Return the newest rows: number, reason, row (JSON)."""
        table = schema.quarantine.c
        query = select(table.number, table.reason, table.row).order_by(table.number.desc())
        if reason is not None:
            query = query.where(table.reason == reason)
        rows = [tuple(row) for row in self._database.rows(query.limit(limit))]
        return pl.DataFrame(
            rows, schema={"number": pl.Int64, "reason": pl.String, "row": pl.String}, orient="row"
        )


def _digest(reason: str, row: str, again: int) -> bytes:
    """Return what tells a row from others: its reason, content and how many were equal before."""
    content = f"{len(reason)}:{reason}{again}:{row}".encode(errors="surrogatepass")
    return blake2b(content, digest_size=16, person=b"penchant.aside").digest()


def _text(value: Any) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)
