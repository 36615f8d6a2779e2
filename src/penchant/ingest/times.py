"""Times as they come (numbers, datetimes, ISO text) to microseconds since the epoch in UTC.

A naive datetime means UTC. Numbers are seconds; a whole column of milli-, micro- or nanoseconds
is recognised by its median, converted and said so. Day-first and month-first dates are not told
apart, so neither is read.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import polars as pl

from penchant.types import InvalidInput

Moment = float | datetime | None
"""What a moment may be told as; None is now, by the clock."""

MICROS = 1_000_000
YEAR_2100 = 4_102_444_800.0
"""No number of seconds that people record today is above it; the same moment in ms is."""

_UNITS = (("milliseconds", 1e3), ("microseconds", 1e6), ("nanoseconds", 1e9))
_NAIVE = (
    "%Y-%m-%dT%H:%M:%S%.f",
    "%Y-%m-%dT%H:%M",
    "%Y-%m-%d",
    "%Y/%m/%dT%H:%M:%S%.f",
    "%Y/%m/%dT%H:%M",
    "%Y/%m/%d",
    "%Y%m%d",
)
# Beyond this many microseconds (about the year 11000) a number is no time, and Int64 is in danger.
_LARGEST = 2.8e17


@dataclass(frozen=True, slots=True)
class ReadTimes:
    """A column of times: `micros` Int64 with null where missing or unreadable, and what was done.

    `unreadable` marks rows that held something that is no time; `unit` is what the numbers were
    taken for ("seconds", "milliseconds", ..., "years"), or "text" or "datetime".
    """

    micros: pl.Series
    unreadable: pl.Series
    unit: str


def read_times(column: pl.Series, *, years: bool = False) -> ReadTimes:
    """Return a column of any type as microseconds UTC. With `years`, 1995 is read as its first day.

    A column type that holds no moment (time of day, duration, list, boolean) raises InvalidInput.
    """
    kind = column.dtype
    empty = pl.Series("unreadable", [False] * len(column), dtype=pl.Boolean)
    if kind == pl.Null:
        return ReadTimes(column.cast(pl.Int64), empty, "seconds")
    if isinstance(kind, pl.Datetime):
        zoned = (
            column.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
            if (kind.time_zone)
            else column
        )
        return ReadTimes(zoned.cast(pl.Datetime("us")).to_physical(), empty, "datetime")
    if kind == pl.Date:
        return ReadTimes(column.cast(pl.Datetime("us")).to_physical(), empty, "datetime")
    if kind in (pl.Categorical, pl.Enum):
        column, kind = column.cast(pl.String), pl.String()
    if kind == pl.String:
        return _text_times(column, years)
    if kind.is_numeric():
        return _number_times(column, years)
    raise InvalidInput(
        f"expected times as numbers of seconds, datetimes or ISO text, but column "
        f"{column.name!r} holds {kind}; convert it, or leave it out and name another column"
    )


def _number_times(column: pl.Series, years: bool) -> ReadTimes:
    """Return numbers as times, in the unit that their median suggests."""
    numbers = column.cast(pl.Float64)
    finite = numbers.filter(numbers.is_finite())
    unit, factor = "seconds", float(MICROS)
    middle = finite.abs().median() if len(finite) else None
    if isinstance(middle, float):
        if years and 1000 <= middle < 3000:
            return _years(numbers)
        if middle > YEAR_2100:
            for name, per_second in _UNITS:
                if middle / per_second <= YEAR_2100 or name == "nanoseconds":
                    unit, factor = name, MICROS / per_second
                    break
    scaled = numbers * factor
    sound = scaled.is_finite() & (scaled.abs() < _LARGEST)
    micros = pl.select(
        pl.when(sound).then(scaled).otherwise(None).round().cast(pl.Int64)
    ).to_series()
    return ReadTimes(micros, numbers.is_not_null() & micros.is_null(), unit)


def _years(numbers: pl.Series) -> ReadTimes:
    """Return the first moment of each year."""
    frame = numbers.to_frame("y").select(
        micros=pl.when(pl.col("y").is_between(1, 9999))
        .then(pl.datetime(pl.col("y").fill_nan(None).cast(pl.Int32, strict=False), 1, 1))
        .cast(pl.Datetime("us"))
        .to_physical()
    )
    micros = frame["micros"]
    return ReadTimes(micros, numbers.is_not_null() & micros.is_null(), "years")


def _text_times(column: pl.Series, years: bool) -> ReadTimes:
    """Return text as times, row by row: numbers where a text is one, else ISO 8601 and its kin."""
    text = column.str.strip_chars()
    text = pl.select(pl.when(text != "").then(text)).to_series()
    # Eight digits are a date (20240131) far more often than a number of seconds in 1970.
    compact = text.str.contains(r"^[12]\d{7}$")
    numbers = pl.select(pl.when(~compact).then(text.cast(pl.Float64, strict=False))).to_series()
    unit, micros = "text", pl.Series("t", [None] * len(text), dtype=pl.Int64)
    if numbers.null_count() < len(numbers):
        read = _number_times(numbers, years)
        unit, micros = read.unit, read.micros
    left = text.is_not_null() & numbers.is_null()
    if left.any():
        micros = micros.scatter(left.arg_true(), _iso_times(text.filter(left)))
    return ReadTimes(micros, text.is_not_null() & micros.is_null(), unit)


def _iso_times(text: pl.Series) -> pl.Series:
    """Return dates and times in text as microseconds UTC, null where they are none."""
    plain = text.str.replace(r"^(\S+) ", "${1}T").str.replace(r"(?: ?UTC| ?GMT|[zZ])$", "+0000")
    zoned = plain.str.contains(r"[+-]\d\d:?\d\d$") & plain.str.contains("T")
    micros = pl.Series("t", [None] * len(text), dtype=pl.Datetime("us"))
    if zoned.any():
        aware = plain.filter(zoned).str.to_datetime(
            "%Y-%m-%dT%H:%M:%S%.f%z", strict=False, time_unit="us"
        )
        micros = micros.scatter(zoned.arg_true(), aware.dt.replace_time_zone(None))
    if not zoned.all():
        micros = micros.scatter((~zoned).arg_true(), _first_reading(plain.filter(~zoned)))
    micros = micros.to_physical()
    left = micros.is_null()
    if left.any():
        odd = text.filter(left)
        known = {t: _iso(t) for t in odd.unique().to_list()}
        found = odd.replace_strict(known, default=None, return_dtype=pl.Int64)
        micros = micros.scatter(left.arg_true(), found)
    return micros


def _first_reading(text: pl.Series) -> pl.Series:
    """Return the reading of the first of the naive formats that fits, row by row."""
    found = pl.Series("t", [None] * len(text), dtype=pl.Datetime("us"))
    for form in _NAIVE:
        open_rows = found.is_null() & text.is_not_null()
        if not open_rows.any():
            break
        read = text.filter(open_rows).str.to_datetime(form, strict=False, time_unit="us")
        if read.null_count() < len(read):
            found = found.scatter(open_rows.arg_true(), read)
    return found


def _iso(text: str) -> int | None:
    """Return one ISO 8601 text as microseconds UTC, or None."""
    try:
        return round(seconds(datetime.fromisoformat(text)) * MICROS)
    except (ValueError, OverflowError):
        return None


def moment(now: Moment) -> float:
    """Return a moment as float seconds UTC, the clock's where None was told."""
    return time.time() if now is None else seconds(now)


def seconds(value: Any) -> float:
    """Return one time (number of seconds, datetime, date, ISO text) as float seconds UTC.

    Loud: milliseconds, NaN, text that is no ISO time and other types raise InvalidInput.
    """
    if isinstance(value, bool):
        raise InvalidInput(f"expected a time, got {value!r}; give seconds since the epoch")
    if isinstance(value, int | float | np.integer | np.floating):
        return _checked(float(value))
    if isinstance(value, datetime):
        aware = value if value.tzinfo is not None else value.replace(tzinfo=UTC)
        return _checked(aware.timestamp())
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC).timestamp()
    if isinstance(value, np.datetime64):
        return _checked(float(value.astype("datetime64[us]").astype(np.int64)) / MICROS)
    if isinstance(value, str):
        return _from_text(value)
    raise InvalidInput(
        f"expected a time as seconds since the epoch, datetime or ISO text, got "
        f"{type(value).__name__} {value!r}"
    )


def _from_text(text: str) -> float:
    """Return one text as seconds UTC."""
    stripped = text.strip()
    try:
        return _checked(float(stripped)) if not _is_compact(stripped) else _compact(stripped)
    except InvalidInput:
        raise
    except ValueError:
        pass
    try:
        plain = stripped.replace("/", "-").removesuffix(" UTC").removesuffix(" GMT")
        return seconds(datetime.fromisoformat(plain))
    except ValueError:
        raise InvalidInput(
            f"expected a time such as 2024-05-01T12:30:00Z or seconds since the epoch, got {text!r}"
        ) from None


def _is_compact(text: str) -> bool:
    return len(text) == 8 and text.isdigit() and text[0] in "12"


def _compact(text: str) -> float:
    return datetime.strptime(text, "%Y%m%d").replace(tzinfo=UTC).timestamp()


def _checked(number: float) -> float:
    """Return the number if it can be a count of seconds."""
    if not math.isfinite(number):
        raise InvalidInput(f"expected a time, got {number}; leave it out to mean now")
    if abs(number) > YEAR_2100:
        raise InvalidInput(
            f"expected a time in seconds since the epoch, got {number:.0f}, which lies after the "
            f"year 2100: it looks like {_unit_of(number)}; divide it"
        )
    return number


def _unit_of(number: float) -> str:
    for name, per_second in _UNITS:
        if abs(number) / per_second <= YEAR_2100:
            return name
    return "nanoseconds"
