"""The tables, once for SQLite and PostgreSQL. A change needs a new file in migrations/versions.

Ids and free text are kept as UTF-8 bytes: every character is allowed (PostgreSQL's text cannot
hold U+0000), equality is equality of bytes on both, and no locale can fold two ids into one. Times
are integers, microseconds since the epoch in UTC.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    text,
)
from sqlalchemy.types import TypeDecorator

VERSION = "0006"

# Only INTEGER PRIMARY KEY is the row id itself in SQLite; BIGINT would add a second B-tree.
_Big = BigInteger().with_variant(Integer, "sqlite")


class Utf8(TypeDecorator[str]):
    """A string kept as its UTF-8 bytes."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Any) -> bytes | None:
        """Return the bytes to store."""
        # Half a surrogate pair is nobody's id, but asking for it is no error: it finds nothing.
        return None if value is None else value.encode(errors="surrogatepass")

    def process_result_value(self, value: Any, dialect: Any) -> str | None:
        """Return the string that was stored."""
        return None if value is None else bytes(value).decode()


metadata = MetaData()

users = Table(
    "users",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    # NULL once the person was forgotten or merged: numbers stay without gaps, the name is gone.
    Column("user_id", Utf8, unique=True),
    Column("attributes", Text, nullable=False, server_default=text("'{}'")),
    Column("change", _Big, nullable=False, server_default=text("0")),
)

items = Table(
    "items",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("item_id", Utf8, nullable=False, unique=True),
    Column("change", _Big, nullable=False),
    Column("described", Boolean, nullable=False),
    Column("removed", Boolean, nullable=False),
    Column("digest", LargeBinary),
    Column("title", Utf8, nullable=False),
    Column("category", Utf8),
    Column("tags", Text, nullable=False),
    Column("price", Double),
    Column("released", _Big),
    Column("stock_from", _Big),
    Column("stock_until", _Big),
    Column("attributes", Text, nullable=False),
    # Last, so that reading the others does not walk through the pages of a long text.
    Column("description", Utf8, nullable=False),
    Index("items_by_change", "change"),
)

kinds = Table(
    "kinds",
    metadata,
    Column("number", SmallInteger, primary_key=True, autoincrement=False),
    Column("name", Utf8, nullable=False, unique=True),
)

events = Table(
    "events",
    metadata,
    Column("event_offset", _Big, primary_key=True, autoincrement=False),
    Column("user_number", Integer, nullable=False),
    Column("item_number", Integer),
    Column("time", _Big, nullable=False),
    Column("kind", SmallInteger, nullable=False),
    Column("value", Double),
    Column("shared", Double, nullable=False),
    Column("event_key", LargeBinary, nullable=False, unique=True),
    Column("slate_id", Utf8),
    Column("context", Text),
    Column("text", Utf8),
    # Item and kind ride along so that `seen` is answered from the index alone.
    Index("events_by_user", "user_number", "time", "event_offset", "item_number", "kind"),
    # Only what was said of items: the newest words about one are few among all its events.
    Index(
        "events_said",
        "item_number",
        "time",
        "event_offset",
        sqlite_where=text("text IS NOT NULL AND item_number IS NOT NULL"),
        postgresql_where=text("text IS NOT NULL AND item_number IS NOT NULL"),
    ),
)

links = Table(
    "links",
    metadata,
    Column("number", _Big, primary_key=True, autoincrement=True),
    Column("head", Utf8, nullable=False),
    Column("relation", Utf8, nullable=False),
    Column("tail", Utf8, nullable=False),
    Column("weight", Double, nullable=False),
    Index("links_by_head", "head", "relation", "tail", unique=True),
    Index("links_by_tail", "tail"),
)

retractions = Table(
    "retractions",
    metadata,
    Column("number", _Big, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),  # forget, undo, merge
    Column("user_number", Integer, nullable=False),
    Column("into_number", Integer),
    # Of an undone event: an undone event_id stays undone, also when a retry brings it again.
    Column("event_key", LargeBinary),
)

# One row: the last number given out for each sequence, moved in the transaction that uses it, so
# that whoever reads it may read everything up to it.
heads = Table(
    "heads",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("event_offset", _Big, nullable=False),
    Column("item_change", _Big, nullable=False),
    Column("user_change", _Big, nullable=False),
    Column("link_change", _Big, nullable=False),
    Column("retraction", _Big, nullable=False),
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("number", _Big, primary_key=True, autoincrement=True),
    Column("reason", Text, nullable=False),
    Column("user_id", Utf8),
    Column("row", Text, nullable=False),
    # Of reason and row: what is read again is not kept twice.
    Column("digest", LargeBinary, nullable=False),
    Index("quarantine_by_reason", "reason"),
    Index("quarantine_by_user", "user_id"),
    Index("quarantine_by_digest", "digest", unique=True),
)

# What a person may come to like, beside the impressions: it can be made again, and changes often.
expansions = Table(
    "expansions",
    metadata,
    Column("user_number", Integer, primary_key=True, autoincrement=False),
    Column("time", _Big, nullable=False),
    Column("snapshot", Text, nullable=False),
    # Of what it was made of: the same person is not expanded twice.
    Column("digest", Text, nullable=False),
    Column("content", Utf8, nullable=False),
    Column("vector", LargeBinary, nullable=False),
    Index("expansions_by_time", "time"),
)

impressions = Table(
    "impressions",
    metadata,
    # In the order in which they become visible: whoever has read up to a number missed nothing.
    Column("number", _Big, primary_key=True, autoincrement=True),
    Column("slate_id", Utf8, nullable=False, unique=True),
    Column("user_number", Integer, nullable=False),
    Column("time", _Big, nullable=False),
    Column("snapshot", Text, nullable=False),
    Column("variant", Text, nullable=False, server_default=text("''")),
    Column("items", LargeBinary, nullable=False),
    Column("scores", LargeBinary, nullable=False),
    Column("propensities", LargeBinary, nullable=False),
    Column("features", LargeBinary, nullable=False),
    Column("names", Text, nullable=False),
    Column("reasons", Text, nullable=False),
    Column("notes", Text, nullable=False),
    Column("context", Text),
    Index("impressions_by_user", "user_number"),
    Index("impressions_by_time", "time"),
    # A number is never given out twice, also after the newest row was forgotten.
    sqlite_autoincrement=True,
)
