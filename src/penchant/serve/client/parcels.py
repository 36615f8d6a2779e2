"""Rows on their way to a service: read here, sent as NDJSON in pieces, counted as one import.

What is decided by looking at a whole table (which column is which, the unit of its times, what
separates tags) is decided here, once, by the code that the engine reads tables with; a piece of a
table might decide otherwise. What is decided row by row is decided by the service, whose settings
are not known here: rows that could not be read go there as they came, to be kept aside.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

import orjson
import polars as pl

from penchant.ingest.cleaning import CleaningConfig
from penchant.ingest.columns import Columns, match, require
from penchant.ingest.draft import draft_events
from penchant.ingest.intake import Counts, Intake
from penchant.ingest.items import read_items
from penchant.ingest.keys import content_keys
from penchant.ingest.people import read_links, read_users
from penchant.ingest.tables import read_table
from penchant.ingest.times import MICROS, seconds
from penchant.serve.client.connection import encoded
from penchant.types import Error, Event, InvalidInput, Tell

# Of a piece: the service encodes the texts of items before it answers, hundreds a second.
ROWS = {"items": 250, "users": 2_000, "links": 2_000, "events": 2_000}
BYTES = 1_000_000
STORED = dict.fromkeys(("items", "users", "links"), ("new", "changed", "same")) | {
    "events": ("new", "known")
}
TOTALS = ("rows", "accepted", "quarantined", "duplicates")

# Limits are the service's to apply; what is cut here it could not see.
_UNLIMITED = CleaningConfig(
    off=("text_truncated",),
    text_limit=2**31 - 1,
    context_limit=2**31 - 1,
    title_limit=2**31 - 1,
    description_limit=2**31 - 1,
)
_TIMES = ("released", "stock_from", "stock_until")


@dataclass(frozen=True, slots=True)
class Parcel:
    """Rows of one table, ready to be sent: `lines` are JSON objects, `total` how many there are.

    `counts` is what was counted in reading them, `mapping` what was assumed, to be printed.
    """

    table: str
    lines: Iterable[bytes]
    total: int
    counts: Mapping[str, int]
    mapping: str

    def send(self, post: Callable[[bytes], Mapping[str, Any]], tell: Tell | None) -> Counts:
        """Return the counts of all pieces together; `post` sends one and returns its counts.

        Rows that are the same in two pieces are known in the second, rather than duplicates.
        """
        sums = dict.fromkeys((*TOTALS, *STORED[self.table]), 0)
        done = 0
        for piece, rows in _pieces(self.lines, ROWS[self.table]):
            try:
                answer = post(piece)
            except Error as error:
                if done:
                    error.add_note(f"the first {done:,} of {self.total:,} {self.table} were taken")
                raise
            for name, value in plain_counts(answer).items():
                own = name.removeprefix(f"{self.table}_")
                sums[own] = sums.get(own, 0) + value
            done += rows
            if tell is not None:
                tell("encode" if self.table == "items" else "send", done / max(self.total, 1))
        counts = Counts({**self.counts, **sums})
        for name in self.counts.keys() - set(TOTALS) - {"duplicate_id"}:
            # Both sides counted it, this one in every row; what it repaired the other cannot see.
            counts[name] = max(self.counts[name], sums.get(name, 0))
        for name in ("rows", "duplicates", "duplicate_id"):  # duplicates stayed here
            if name in self.counts:
                gone = self.counts.get("duplicates", 0)
                counts[name] = sums.get(name, 0) + gone
        counts.mapping = self.mapping
        return counts


def plain_counts(answer: Mapping[str, Any]) -> dict[str, int]:
    """Return the counts of an answer without what it says of the mapping."""
    return {name: value for name, value in answer.items() if isinstance(value, int)}


def event_body(event: Event | Mapping[str, Any], now: float | None) -> tuple[dict[str, Any], bool]:
    """Return one event as JSON can hold it, and whether it was given its `event_id` here.

    An answer can be lost on its way back. The event is then sent again, and is one event only if
    the service can see that it is the same: so it needs an id before it is sent the first time.
    """
    if isinstance(event, Event):
        row = {f.name: getattr(event, f.name) for f in fields(event)}
        row = {name: value for name, value in row.items() if not _absent(value)}
        source: Mapping[str, str] = {name: name for name in row}
    else:
        row = {str(name): value for name, value in event.items()}
        source = match(list(row), "events").source
    identity = source.get("event_id", "event_id")
    fresh = "user_id" in source and row.get(identity) in (None, "")
    if fresh:
        row[identity] = secrets.token_hex(16)
    when = source.get("timestamp", "timestamp")
    if row.get(when) is None and now is not None:
        row[when] = now
    elif when in row:
        row[when] = _moment(row[when])
    value = source.get("value", "value")
    if isinstance(row.get(value), float):
        row[value] = _number(row[value])
    return row, fresh


def events(source: Any, columns: Mapping[str, str] | None, now: float | None) -> Parcel:
    """Return the events of a path, a frame or an iterable, each with an id, ready to be sent.

    An event without an id gets one: in a table it is made of what the row says, so that sending
    the table again adds nothing; in a call it is fresh, and the same for rows that are the same.
    """
    table = read_table(source, "events")
    draft = draft_events(table, columns)
    if len(table) or table.frame is not None:
        present = (*draft.columns.source.values(), *draft.columns.extras)
        require(draft.columns, "user_id", present=present)
        require(draft.columns, "item_id", "text", present=present)
    frame = draft.frame
    sound = frame["fault"].is_null()
    dated = frame["timestamp"].is_not_null()
    if not draft.called and sound.any() and not (sound & dated).any():
        raise InvalidInput(
            "expected a time in every row, found none in the whole table. What no time is known of "
            "is laid out in order, which the service cannot do piece by piece: add a column such "
            "as 'timestamp', or run `penchant import` where the shelf lies"
        )
    if draft.called and now is not None:
        frame = frame.with_columns(
            timestamp=pl.when(sound).then(pl.col("timestamp").fill_null(round(now * MICROS)))
        )
    salt = secrets.token_bytes(16) if draft.called else b""
    plain = frame.with_columns(undated=pl.lit(False), numbered=pl.lit(False))
    frame = frame.with_columns(made=content_keys(plain, salt).bin.encode("hex"))
    late = not draft.called  # in a table an absent time is a fault, and does not mean now
    mapping = "\n".join([str(draft.columns), *(f"  {note}" for note in draft.notes)])

    def lines() -> Iterator[bytes]:
        for start in range(0, frame.height, 1_000):
            part = frame[start : start + 1_000]
            bad = part["fault"].is_not_null().arg_true().cast(pl.Int64)
            raw = iter(draft.rows(bad + start).to_list() if len(bad) else [])
            for row in part.iter_rows(named=True):
                if row["fault"] is not None:
                    yield _unread(next(raw), draft.columns, row["fault"])
                else:
                    yield encoded(_event(row, late))

    counts = {name: count for name, count in draft.counts.items() if count}
    return Parcel("events", lines(), frame.height, counts, mapping)


def _event(row: dict[str, Any], late: bool) -> dict[str, Any]:
    """Return one drafted row as the service takes it."""
    time, context = row["timestamp"], row["context"]
    said = {name: row[name] for name in ("user_id", "item_id", "event", "slate_id", "text")}
    said["event_id"] = row["event_id"] or row["made"]
    if time is not None:
        said["timestamp"] = time / MICROS
    elif late:
        said["timestamp"] = _NO_TIME
    if row["value"] is not None:
        said["value"] = _number(row["value"])
    if context is not None:
        said["context"] = orjson.Fragment(context)
    return {name: value for name, value in said.items() if value is not None}


def items(source: Any, columns: Mapping[str, str] | None) -> Parcel:
    """Return items ready to be sent; of several rows with one id the last."""
    return _parcel("items", read_items(source, cleaning=_UNLIMITED, columns=columns))


def users(source: Any, columns: Mapping[str, str] | None) -> Parcel:
    """Return people ready to be sent."""
    return _parcel("users", read_users(source, cleaning=_UNLIMITED, columns=columns))


def links(source: Any, columns: Mapping[str, str] | None) -> Parcel:
    """Return links ready to be sent."""
    return _parcel("links", read_links(source, columns=columns))


def _parcel(table: str, intake: Intake) -> Parcel:
    def lines() -> Iterator[bytes]:
        for row in intake.frame.iter_rows(named=True):
            yield encoded(_fact(row))
        for reason, raw in intake.quarantined.select("reason", "row").iter_rows():
            yield _unread(raw, intake.columns, reason)

    mapping = "\n".join([str(intake.columns), *(f"  {note}" for note in intake.notes)])
    total = intake.frame.height + intake.quarantined.height
    return Parcel(table, lines(), total, intake.counts, mapping)


def _fact(row: dict[str, Any]) -> dict[str, Any]:
    """Return an item, a person or a link as the service takes it, without what it lacks."""
    attributes = row.get("attributes")
    if attributes is not None:
        row["attributes"] = None if attributes == "{}" else orjson.Fragment(attributes)
    for name in _TIMES:
        if row.get(name) is not None:
            row[name] = row[name] / MICROS
    return {name: value for name, value in row.items() if value is not None and value not in _EMPTY}


_EMPTY: tuple[Any, ...] = ("", [])
_NO_TIME = ["no time"]  # no time in any reading, so that the row is kept aside


def _unread(raw: str, columns: Columns, fault: str) -> bytes:
    """Return a row that broke a rule here, under our names, so that it breaks the rule there.

    What has no form in JSON was written out to be shown; as text it could be read.
    """
    ours = {theirs: name for name, theirs in columns.source.items()}
    row = {ours.get(name, name): value for name, value in json.loads(raw).items()}
    cell = fault.removesuffix("_unreadable")
    if cell != fault and cell not in _WRITTEN and row.get(cell) is not None:
        row[cell] = [row[cell]]
    try:
        return encoded(row)
    except InvalidInput:  # half a character, say
        return encoded({ascii(name): [ascii(value)] for name, value in row.items()})


_WRITTEN = ("timestamp", "value", "weight")  # unreadable in words too


def _absent(value: Any) -> bool:
    return value is None or (isinstance(value, Mapping) and not value)


def _moment(value: Any) -> Any:
    """Return a datetime as seconds; what is no time is the service's to refuse."""
    if value is None or isinstance(value, str | int | float):
        return value
    return seconds(value)


def _number(value: float) -> float | str:
    """Return a number as JSON can hold it: what is not finite in words, which are read again."""
    return value if value - value == 0 else str(value)


def _pieces(lines: Iterable[bytes], rows: int) -> Iterator[tuple[bytes, int]]:
    """Yield NDJSON of at most so many rows and about BYTES, with the number of its rows."""
    piece: list[bytes] = []
    size = 0
    for line in lines:
        if piece and (len(piece) == rows or size + len(line) > BYTES):
            yield b"\n".join(piece), len(piece)
            piece, size = [], 0
        piece.append(line)
        size += len(line) + 1
    if piece:
        yield b"\n".join(piece), len(piece)
