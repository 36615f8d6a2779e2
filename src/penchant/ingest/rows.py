"""Dicts and our own nouns (items, users, links) as one frame in canonical columns."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date
from typing import Any

import numpy as np
import polars as pl

from penchant.ingest.attributes import dumps
from penchant.ingest.cells import Refused, to_id
from penchant.ingest.columns import ALIASES, Columns, match, merge
from penchant.ingest.times import seconds
from penchant.types import InvalidInput, Item

IDS = ("item_id", "user_id", "head", "relation", "tail")
_TIMES = ("released", "stock_from", "stock_until")


@dataclass(frozen=True, slots=True)
class Rows:
    """Objects as a frame: canonical columns, `fault` where an id or the attributes are none.

    `as_text` counts attributes that JSON has no form for, `repaired` texts with broken characters.
    """

    frame: pl.DataFrame
    columns: Columns
    as_text: int
    repaired: int


def frame_of(objects: Sequence[Any], table: str, given: Mapping[str, str] | None) -> Rows:
    """Return dicts and nouns of `table` as a frame."""
    names = list(ALIASES[table])
    cells: dict[str, list[Any]] = {name: [] for name in (*names, "fault")}
    shapes: dict[tuple[Any, ...], Columns] = {}
    as_text = 0
    for row in objects:
        members = row if isinstance(row, Mapping) else _members(row)
        shape = tuple(members)
        if shape not in shapes:
            told = given if isinstance(row, Mapping) else None
            shapes[shape] = match([str(key) for key in shape], table, told)
        columns = shapes[shape]
        fault = None
        for name in names:
            value = members.get(columns.source.get(name, name))
            try:
                if name in IDS:
                    value = to_id(value, name)
                elif name in _TIMES:
                    value = _moment(value)
                elif name == "attributes":
                    extras = {columns.renamed[c]: members[c] for c in columns.extras}
                    value, lossy = _attributes(value, extras)
                    as_text += lossy
            except Refused as refused:
                value, fault = None, fault or refused.rule
            cells[name].append(value)
        cells["fault"].append(fault)
    repaired = 0
    out = []
    for name, values in cells.items():
        column, broken = _column(name, values)
        repaired += broken
        out.append(column)
    return Rows(pl.DataFrame(out), merge(shapes.values(), table), as_text, repaired)


def _members(noun: Any) -> dict[str, Any]:
    """Return a noun's fields under their canonical names."""
    members = {f.name: getattr(noun, f.name) for f in fields(noun)}
    if isinstance(noun, Item):
        window = members.pop("stock")
        if window is not None and not (isinstance(window, tuple | list) and len(window) == 2):
            # No window: kept, like whatever else cannot be believed, where people can read it.
            members["stock"], window = window, None
        members["stock_from"], members["stock_until"] = window or (None, None)
    return members


def _moment(value: Any) -> Any:
    """Return datetimes as seconds; numbers and text stay, to be read with their column."""
    if isinstance(value, date | np.datetime64):
        try:
            return seconds(value) if value == value else None
        except (InvalidInput, OverflowError, OSError):
            return str(value)
    return value


def _attributes(value: Any, extras: Mapping[str, Any]) -> tuple[str | None, bool]:
    """Return attributes and unnamed keys as one JSON object, and whether some became text."""
    if isinstance(value, str) and value.strip():
        try:
            said = json.loads(value)
        except ValueError:
            said = None
        value = said if isinstance(said, dict) else {"attributes": value}
    elif isinstance(value, str):
        value = None
    if isinstance(value, str | list | tuple | int | float) and not value:
        value = None
    if value is not None and not isinstance(value, Mapping):
        raise Refused("attributes_unreadable", f"expected a mapping, got {type(value).__name__}")
    members = {k: v for k, v in {**(value or {}), **extras}.items() if not _missing(v)}
    if not members:
        return None, False
    try:
        text = dumps(members)
        text.encode()
        return text, False
    except (TypeError, ValueError, RecursionError):
        plain = {str(k): _as_text(v) for k, v in members.items()}
        return dumps({_repair(k): v for k, v in plain.items()}), True


def _missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _as_text(value: Any) -> Any:
    """Return a value as it is if JSON has a form for it, else as text."""
    try:
        text = dumps({"v": value})
        text.encode()
        return value
    except (TypeError, ValueError, RecursionError):
        return _repair(value if isinstance(value, str) else repr(value))


def _repair(text: str) -> str:
    """Return a text with what is no character replaced by a question mark."""
    return text.encode("utf-8", "replace").decode()


def _column(name: str, values: list[Any]) -> tuple[pl.Series, int]:
    """Return values as a column of the one type that holds them, and how many were repaired."""
    told = name in ("price", "weight")  # there NaN is something to be counted
    plain = [None if v is None or (not told and _missing(v)) else _native(v) for v in values]
    kinds = {type(v) for v in plain if v is not None}
    if kinds and kinds <= {int, float, bool}:
        return pl.Series(name, [v if v is None else _float(v) for v in plain], pl.Float64), 0
    lists: list[Any] = [list(v) if _is_list(v) else v for v in plain]  # type: ignore[arg-type]
    if kinds and all(_is_list(v) for v in lists if v is not None) and name in ("tags", "category"):
        flat = [v if v is None else [_cell(e) for e in v] for v in lists]
        return pl.Series(name, flat, dtype=pl.List(pl.String)), 0
    texts = [v if v is None else _cell(v) for v in lists]
    broken = sum(1 for t, v in zip(texts, lists, strict=True) if isinstance(v, str) and t != v)
    return pl.Series(name, texts, dtype=pl.String), broken


def _native(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _float(number: Any) -> float:
    try:
        return float(number)
    except OverflowError:
        return math.inf


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple | set | frozenset | np.ndarray)


def _cell(value: Any) -> str:
    """Return one value as text; a list as JSON, which the reader of tags understands."""
    if isinstance(value, str):
        return value if value.isascii() else _repair(value)
    if isinstance(value, list):
        return dumps({"v": [_cell(e) for e in value]})[5:-1]
    return _repair(str(value))
