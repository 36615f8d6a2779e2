"""A whole column as ids, numbers or text, and which cells are none."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from penchant.ingest.cells import Refused, to_id
from penchant.types import InvalidInput


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
