"""Rows of events in canonical columns, before any rule: what came, and what could not be read.

A frame is converted column by column, dicts and events cell by cell; both end as the same draft, so
that every later rule is written once.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

import polars as pl

from penchant.ingest.attributes import fold, rows_as_json
from penchant.ingest.cells import (
    Refused,
    to_context,
    to_id,
    to_kind,
    to_number,
    to_text,
    to_time,
)
from penchant.ingest.columns import Columns, implied_event, match, merge
from penchant.ingest.tables import Table
from penchant.ingest.times import MICROS, YEAR_2100, read_times
from penchant.types import Event, InvalidInput

DRAFT: Mapping[str, Any] = {
    "user_id": pl.String,
    "item_id": pl.String,
    "event": pl.String,
    "timestamp": pl.Int64,
    "value": pl.Float64,
    "event_id": pl.String,
    "slate_id": pl.String,
    "text": pl.String,
    "context": pl.String,
    "fault": pl.String,
}


@dataclass(frozen=True, slots=True)
class Draft:
    """Events as they came: `frame` in the columns of DRAFT, `fault` the rule a row breaks, or null.

    `rows` gives the original rows at some places as JSON. `called` says that the rows are calls: no
    time means now, and the key is fresh.
    """

    frame: pl.DataFrame
    columns: Columns
    rows: Callable[[pl.Series], pl.Series]
    called: bool
    counts: Mapping[str, int]
    notes: tuple[str, ...]


def draft_events(table: Table, given: Mapping[str, str] | None) -> Draft:
    """Return the rows of a table as a draft."""
    if table.frame is not None:
        return _from_frame(table.frame, given)
    return _from_objects(table.objects or (), given)


def _from_frame(frame: pl.DataFrame, given: Mapping[str, str] | None) -> Draft:
    """Return the rows of a frame, converted a column at a time."""
    columns = match(frame.columns, "events", given)
    source = columns.source
    out: dict[str, pl.Series] = {}
    faults: list[tuple[pl.Series, str]] = []
    counts: dict[str, int] = {}
    notes: list[str] = []
    for name in ("user_id", "item_id", "event_id", "slate_id"):
        if name in source:
            ids = id_column(frame[source[name]])
            out[name] = ids.text
            counts["id_from_float"] = counts.get("id_from_float", 0) + ids.from_float
            if name in ("user_id", "item_id"):
                faults.append((ids.unreadable, f"{name}_unreadable"))
    if "timestamp" in source:
        times = read_times(frame[source["timestamp"]])
        out["timestamp"] = times.micros
        faults.append((times.unreadable, "timestamp_unreadable"))
        _note_unit(times.unit, len(frame) - times.micros.null_count(), counts, notes)
    if "value" in source:
        values = number_column(frame[source["value"]])
        out["value"] = values.numbers
        faults.append((values.unreadable, "value_unreadable"))
    for name in ("event", "text"):
        if name in source:
            out[name] = text_column(frame[source[name]])
    if "event" not in source:
        out["event"] = pl.repeat(implied_event(source), len(frame), dtype=pl.String, eager=True)
    out["context"] = fold(frame, columns.renamed, into=source.get("context"))
    drafted = pl.DataFrame({n: c.alias(n) for n, c in out.items()}).with_columns(
        pl.lit(None, kind).alias(n) for n, kind in DRAFT.items() if n not in out
    )
    drafted = drafted.with_columns(fault=first_fault(faults, len(frame)))

    def rows(places: pl.Series) -> pl.Series:
        return rows_as_json(frame[places])

    return Draft(drafted.select(list(DRAFT)), columns, rows, False, counts, tuple(notes))


def _note_unit(unit: str, rows: int, counts: dict[str, int], notes: list[str]) -> None:
    """Count and say that a time column was taken for another unit than seconds."""
    if unit not in ("seconds", "text", "datetime"):
        counts["timestamp_in_other_unit"] = rows
        notes.append(f"the times were taken for {unit}, by their median")


def first_fault(faults: list[tuple[pl.Series, str]], rows: int) -> pl.Series:
    """Return for each row the name of the first fault whose mask holds, or null."""
    found = pl.Series("fault", [None] * rows, dtype=pl.String)
    for mask, name in faults:
        if mask.any():
            found = pl.select(
                pl.when(found.is_null() & mask).then(pl.lit(name)).otherwise(found)
            ).to_series()
    return found


@dataclass(frozen=True, slots=True)
class ReadIds:
    """A column of ids as text, which cells were none, and how many were written as 1.0."""

    text: pl.Series
    unreadable: pl.Series
    from_float: int = 0


def id_column(column: pl.Series) -> ReadIds:
    """Return a column of ids as text; whole numbers are written out, 1.0 as 1."""
    kind, nothing = column.dtype, pl.repeat(False, len(column), dtype=pl.Boolean, eager=True)
    if kind == pl.String or kind.is_integer() or kind in (pl.Categorical, pl.Enum, pl.Null):
        return ReadIds(column.cast(pl.String), nothing)
    if kind.is_float() or kind.is_decimal():
        numbers = column.cast(pl.Float64).fill_nan(None)
        whole = (numbers.floor() == numbers) & (numbers.abs() < 2.0**63)
        text = pl.select(pl.when(whole).then(numbers).cast(pl.Int64).cast(pl.String)).to_series()
        unreadable = numbers.is_not_null() & text.is_null()
        return ReadIds(text, unreadable, len(text) - text.null_count())
    if kind == pl.Object:
        return _object_ids(column)
    raise InvalidInput(
        f"expected ids as text or whole numbers, but column {column.name!r} holds {kind}; "
        f"convert it, or name another column with columns="
    )


def _object_ids(column: pl.Series) -> ReadIds:
    """Return ids of a column of Python objects."""
    texts: list[str | None] = []
    bad: list[bool] = []
    for value in column.to_list():
        try:
            texts.append(to_id(value, "id"))
            bad.append(False)
        except Refused:
            texts.append(None)
            bad.append(True)
    return ReadIds(pl.Series(column.name, texts, dtype=pl.String), pl.Series(bad, dtype=pl.Boolean))


@dataclass(frozen=True, slots=True)
class ReadNumbers:
    """A column of numbers, and which cells held something that is none."""

    numbers: pl.Series
    unreadable: pl.Series


def number_column(column: pl.Series) -> ReadNumbers:
    """Return a column as Float64; text is read, empty text is missing."""
    kind = column.dtype
    if kind in (pl.Categorical, pl.Enum):
        column, kind = column.cast(pl.String), pl.String()
    if kind == pl.String:
        text = column.str.strip_chars()
        numbers = text.cast(pl.Float64, strict=False)
        return ReadNumbers(numbers, text.is_not_null() & (text != "") & numbers.is_null())
    if kind.is_numeric() or kind in (pl.Boolean, pl.Null):
        numbers = column.cast(pl.Float64)
        return ReadNumbers(numbers, pl.repeat(False, len(column), dtype=pl.Boolean, eager=True))
    raise InvalidInput(
        f"expected numbers, but column {column.name!r} holds {kind}; convert it, or name another "
        f"column with columns="
    )


def text_column(column: pl.Series) -> pl.Series:
    """Return a column as text; empty text is missing."""
    if column.dtype.is_nested() or column.dtype in (pl.Binary, pl.Object):
        raise InvalidInput(
            f"expected text, but column {column.name!r} holds {column.dtype}; convert it, or name "
            f"another column with columns="
        )
    text = column.cast(pl.String)
    return pl.select(pl.when(text != "").then(text)).to_series()


_NAMES = tuple(field.name for field in fields(Event))


def _from_objects(objects: tuple[Any, ...], given: Mapping[str, str] | None) -> Draft:
    """Return dicts and events, converted a cell at a time; what cannot be read is a fault."""
    shapes: dict[tuple[Any, ...], Columns] = {}
    table: dict[str, list[Any]] = {name: [] for name in DRAFT}
    numbers = []
    for place, row in enumerate(objects):
        shape = _NAMES if isinstance(row, Event) else tuple(row)
        columns = shapes.get(shape)
        if columns is None:
            told = None if isinstance(row, Event) else given
            columns = shapes[shape] = match([str(key) for key in shape], "events", told)
        cells, raw_time = _cells(row, columns)
        for name, values in table.items():
            values.append(cells.get(name))
        if raw_time is not None:
            numbers.append((place, raw_time))
    counts: dict[str, int] = {}
    notes: list[str] = []
    _count_times(table["timestamp"], table["fault"], numbers, counts, notes)
    frame = pl.DataFrame(table, schema=dict(DRAFT))

    def rows(places: pl.Series) -> pl.Series:
        return pl.Series([row_as_json(objects[i]) for i in places.to_list()], dtype=pl.String)

    return Draft(frame, merge(shapes.values(), "events"), rows, True, counts, tuple(notes))


def _cells(row: Any, columns: Columns) -> tuple[dict[str, Any], float | None]:
    """Return the draft cells of one row, and its time where it is a plain number."""
    get = _getter(row, columns)
    cells: dict[str, Any] = {}
    raw_time = None
    try:
        # In the order in which a single call is checked, so that both name the same rule.
        cells["user_id"] = to_id(get("user_id"), "user_id")
        cells["item_id"] = to_id(get("item_id"), "item_id")
        cells["text"] = to_text(get("text"), "text")
        said = get("event")
        cells["event"] = to_kind(implied_event(columns.source) if said is None else said)
        when = get("timestamp")
        if isinstance(when, int | float) and not isinstance(when, bool) and math.isfinite(when):
            raw_time = float(when)
        else:
            time = to_time(when)
            cells["timestamp"] = None if time is None else round(time * MICROS)
        cells["value"] = to_number(get("value"))
        cells["event_id"] = to_id(get("event_id"), "event_id")
        cells["slate_id"] = to_id(get("slate_id"), "slate_id")
        cells["context"] = to_context(_context(row, get, columns))
    except Refused as refused:
        cells["fault"] = refused.rule
    return cells, raw_time


def _getter(row: Any, columns: Columns) -> Callable[[str], Any]:
    """Return how to look a canonical column up in a row."""
    if isinstance(row, Event):
        return lambda name: getattr(row, name)
    source = columns.source
    return lambda name: row.get(source[name]) if name in source else None


def _context(row: Any, get: Callable[[str], Any], columns: Columns) -> Any:
    """Return the context of a row with the keys that nobody named."""
    context = get("context")
    if isinstance(row, Event) or not columns.extras:
        return context
    extras = {columns.renamed[c]: row[c] for c in columns.extras if row.get(c) is not None}
    if not extras:
        return context
    if context is None or isinstance(context, Mapping):
        return {**(context or {}), **extras}
    return {**extras, "context": context}


def _count_times(
    times: list[Any],
    faults: list[Any],
    numbers: list[tuple[int, float]],
    counts: dict[str, int],
    notes: list[str],
) -> None:
    """Fill in the times that are plain numbers, in the unit that their median suggests."""
    if not numbers:
        return
    column = read_times(pl.Series([n for _, n in numbers], dtype=pl.Float64))
    alone = len(numbers) == 1 and abs(numbers[0][1]) > YEAR_2100
    for (place, _), micros in zip(numbers, column.micros.to_list(), strict=True):
        times[place] = None if alone else micros
        if times[place] is None and faults[place] is None:
            faults[place] = "timestamp_unreadable"
    if not alone:
        _note_unit(column.unit, len(numbers), counts, notes)


def row_as_json(row: Any) -> str:
    """Return a dict or one of our nouns as JSON, whatever is in it, to be kept in quarantine."""
    if isinstance(row, Mapping):
        members = {str(k): v for k, v in row.items()}
    else:
        members = {f.name: getattr(row, f.name) for f in fields(row)}
    members = {k: v for k, v in members.items() if v is not None and v != {} and v != ()}
    try:
        return json.dumps(members, default=repr)
    except (TypeError, ValueError, RecursionError):
        return json.dumps({k: repr(v)[:10_000] for k, v in members.items()})
