"""Columns nobody named: folded row by row into one JSON object, and spread back into columns."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

import numpy as np
import polars as pl


def fold(frame: pl.DataFrame, columns: Mapping[str, str], into: str | None = None) -> pl.Series:
    """Return a String column with one JSON object a row, of the `columns` (source -> key).

    Missing and NaN cells have no key; a row without any is null. `into` names a column that already
    holds objects (JSON text or structs), which the others are added to; text there that is no JSON
    object is kept under the column's own name.
    """
    parts = [_members(frame[source].alias(key)) for source, key in columns.items()]
    if into is not None:
        parts.insert(0, _inside(frame[into]))
    if not parts:
        return pl.Series("json", [None] * frame.height, dtype=pl.String)
    joined = pl.DataFrame([p.alias(str(i)) for i, p in enumerate(parts)]).select(
        pl.concat_str(pl.all(), separator=",", ignore_nulls=True).alias("json")
    )
    return joined.select(
        pl.when(pl.col("json") != "").then("{" + pl.col("json") + "}").alias("json")
    ).to_series()


def _members(column: pl.Series) -> pl.Series:
    """Return `"name":value` for each cell, null where there is no value."""
    plain = _jsonable(column)
    return (
        plain.to_frame()
        .select(
            pl.when(pl.first().is_not_null()).then(
                pl.struct(pl.all()).struct.json_encode().str.slice(1).str.head(-1)
            )
        )
        .to_series()
    )


def _jsonable(column: pl.Series) -> pl.Series:
    """Return the column in a type that JSON has."""
    kind = column.dtype
    if kind.is_float():
        return column.fill_nan(None)
    if kind.is_temporal():
        return column.cast(pl.String)
    if kind.is_decimal():
        return column.cast(pl.Float64)
    if kind in (pl.Categorical, pl.Enum):
        return column.cast(pl.String)
    if kind == pl.Binary:
        return column.bin.encode("base64")
    if kind == pl.Object:
        return pl.Series(
            column.name,
            [None if v is None else str(v) for v in column.to_list()],
            dtype=pl.String,
        )
    return column


def _inside(column: pl.Series) -> pl.Series:
    """Return the members of the objects in a column, without their braces, null where empty."""
    if isinstance(column.dtype, pl.Struct):
        fields = column.struct.unnest()
        folded = fold(fields, {c: c for c in fields.columns})
        return folded.str.slice(1).str.head(-1)
    texts = _jsonable(column).cast(pl.String)
    known = {t: _object(t, column.name) for t in texts.drop_nulls().unique().to_list()}
    return texts.replace_strict(known, default=None, return_dtype=pl.String)


def _object(text: str, name: str) -> str | None:
    """Return the members of one JSON object in text."""
    try:
        value = json.loads(text)
    except ValueError:
        value = None
        if not text.strip():
            return None
    if not isinstance(value, dict):
        value = {name: text}
    return dumps(value)[1:-1] or None


def dumps(value: Mapping[str, Any]) -> str:
    """Return a mapping as compact JSON. Missing and non-finite numbers become null.

    Datetimes become ISO text and numpy scalars numbers; anything else that JSON has no word for
    raises TypeError.
    """
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError):
        return json.dumps(_plain(value), ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _plain(value: Any) -> Any:
    """Return the value in the types that JSON has."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset | np.ndarray):
        return [_plain(v) for v in value]
    raise TypeError(f"{type(value).__name__} {value!r} has no form in JSON")


def rows_as_json(frame: pl.DataFrame) -> pl.Series:
    """Return each row as a JSON object in text, to be kept in quarantine."""
    return fold(frame, {c: c for c in frame.columns}).fill_null("{}")


def spread(objects: Sequence[str]) -> pl.DataFrame:
    """Return JSON objects as columns, one a key, null where an object lacks it.

    A key whose values are of different types becomes text. It is what lets `where` compare the
    attributes of items by name.
    """
    parsed = [json.loads(text) if text and text != "{}" else {} for text in objects]
    names: dict[str, None] = {}
    for row in parsed:
        names.update(dict.fromkeys(row))
    names.pop("", None)  # nobody can name it
    return pl.DataFrame([_column(name, [row.get(name) for row in parsed]) for name in names])


def _column(name: str, values: list[Any]) -> pl.Series:
    """Return one column of parsed values."""
    kinds = {type(v) for v in values if v is not None}
    if kinds == {int} and all(v is None or -(2**63) <= v < 2**63 for v in values):
        return pl.Series(name, values, dtype=pl.Int64)
    if kinds <= {int, float}:
        return pl.Series(name, [v if v is None else _float(v) for v in values], dtype=pl.Float64)
    if kinds in ({bool}, {str}):
        return pl.Series(name, values)
    if kinds == {list} and all(isinstance(e, str) for v in values if v for e in v):
        return pl.Series(name, values, dtype=pl.List(pl.String))
    texts = [v if v is None or isinstance(v, str) else json.dumps(v) for v in values]
    return pl.Series(name, texts, dtype=pl.String)


def _float(number: int | float) -> float:
    try:
        return float(number)
    except OverflowError:
        return math.copysign(math.inf, number)
