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
from penchant.ingest.casting import first_fault, id_column, number_column, text_column
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
from penchant.types import Event

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
            out[name] = ids.text if name in ("user_id", "item_id") else text_column(ids.text)
            counts["id_from_float"] = counts.get("id_from_float", 0) + ids.from_float
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
        if said is None and not isinstance(row, Event):
            said = implied_event(columns.source)
        cells["event"] = to_kind(said)
        when = get("timestamp")
        if isinstance(when, int | float) and not isinstance(when, bool) and math.isfinite(when):
            raw_time = float(when)
        else:
            time = to_time(when)
            cells["timestamp"] = None if time is None else round(time * MICROS)
        cells["value"] = to_number(get("value"))
        cells["event_id"] = to_id(get("event_id"), "event_id") or None
        cells["slate_id"] = to_id(get("slate_id"), "slate_id") or None
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
    empty = (Mapping, tuple)
    members = {
        k: v for k, v in members.items() if v is not None and not (isinstance(v, empty) and not v)
    }
    try:
        return json.dumps(members, default=repr)
    except (TypeError, ValueError, RecursionError):
        return json.dumps({k: repr(v)[:10_000] for k, v in members.items()})
