"""The frames that the store takes and gives: columns, types, and the check at its own door.

Times in frames are integers, microseconds since the epoch in UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from penchant.types import InvalidInput

Schema = Mapping[str, Any]
Row = Mapping[str, Any]

EVENTS: Schema = {
    "user_id": pl.String,
    "item_id": pl.String,
    "event": pl.String,
    "timestamp": pl.Int64,
    "value": pl.Float64,
    "key": pl.Binary,
    "slate_id": pl.String,
    "text": pl.String,
    "context": pl.String,
    "shared": pl.Float32,
}

ITEMS: Schema = {
    "item_id": pl.String,
    "title": pl.String,
    "description": pl.String,
    "category": pl.String,
    "tags": pl.List(pl.String),
    "price": pl.Float64,
    "released": pl.Int64,
    "stock_from": pl.Int64,
    "stock_until": pl.Int64,
    "attributes": pl.String,
}

USERS: Schema = {"user_id": pl.String, "attributes": pl.String}

LINKS: Schema = {
    "head": pl.String,
    "relation": pl.String,
    "tail": pl.String,
    "weight": pl.Float64,
}

# What stands for a type where there is no column.
_PLAIN: Mapping[Any, tuple[type, ...]] = {
    pl.String: (str,),
    pl.Binary: (bytes,),
    pl.Int64: (int,),
    pl.Float64: (float, int),
    pl.Float32: (float, int),
}

ID_BYTES = 512
# Of so few rows, each question to a column takes longer than reading it.
FEW = 8


def conform(
    frame: pl.DataFrame, schema: Schema, required: tuple[str, ...], ids: tuple[str, ...]
) -> pl.DataFrame:
    """Return the frame with exactly the columns of `schema`, absent ones null, types checked.

    `required` columns must be there without nulls; `ids` columns hold 1 to 512 bytes or null.
    """
    unknown = [name for name in frame.columns if name not in schema]
    missing = [name for name in required if name not in frame.columns]
    if unknown or missing:
        raise InvalidInput(
            f"expected the columns {list(schema)}; missing {missing}, not known {unknown}; "
            "rename, drop or add them"
        )
    if frame.columns != list(schema) or frame.dtypes != list(schema.values()):
        try:
            frame = frame.select(
                pl.col(name).cast(kind) if name in frame.columns else pl.lit(None, kind).alias(name)
                for name, kind in schema.items()
            )
        except pl.exceptions.PolarsError as error:
            raise InvalidInput(
                f"a column does not have the type of {dict(schema)}: {error}"
            ) from error
    for name in required:
        if nulls := frame.get_column(name).null_count():
            raise InvalidInput(f"column {name!r} has {nulls} missing values; it needs them all")
    for name in ids:
        lengths = sizes(frame.get_column(name))
        shortest, longest = ends(lengths)
        if len(lengths) > lengths.null_count() and (shortest < 1 or longest > ID_BYTES):
            raise InvalidInput(
                f"column {name!r} holds ids of {shortest} to {longest} bytes; "
                f"an id has 1 to {ID_BYTES}"
            )
    return frame


def conform_row(row: Row, schema: Schema, required: tuple[str, ...], ids: tuple[str, ...]) -> None:
    """Raise InvalidInput where `conform` would for a frame of this one row, with all columns."""
    if row.keys() != schema.keys():
        raise InvalidInput(f"expected the members {list(schema)}, got {list(row)}")
    for name, value in row.items():
        if value is None:
            if name in required:
                raise InvalidInput(f"{name!r} is missing; it is needed")
            continue
        if not isinstance(value, _PLAIN[schema[name]]) or value is True or value is False:
            raise InvalidInput(
                f"{name!r} is {value!r:.80}; expected a value of type {schema[name]}"
            )
        if name in ids and not 1 <= (length := len(str(value).encode())) <= ID_BYTES:
            raise InvalidInput(f"{name!r} holds an id of {length} bytes; an id has 1 to {ID_BYTES}")


def sizes(column: pl.Series) -> pl.Series:
    """Return how many bytes each text or binary value has, null where there is none."""
    binary = column.dtype == pl.Binary
    if len(column) > FEW:
        return column.bin.size() if binary else column.str.len_bytes()
    plain = [None if v is None else len(v if binary else v.encode()) for v in column.to_list()]
    return pl.Series(plain, dtype=pl.UInt32)


def ends(column: pl.Series) -> tuple[int, int]:
    """Return the smallest and the largest of some whole numbers, (0, 0) where there are none."""
    low: Any = column.min()
    high: Any = column.max()
    return int(low or 0), int(high or 0)
