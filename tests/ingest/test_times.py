"""Times of every kind become microseconds UTC, or are told apart from what is no time."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penchant.ingest.times import read_times, seconds
from penchant.types import InvalidInput

NOON = 1_704_110_400  # 2024-01-01T12:00:00Z


@pytest.mark.parametrize(
    "text",
    [
        "2024-01-01T12:00:00Z",
        "2024-01-01 12:00:00",
        "2024-01-01 12:00",
        "2024/01/01 12:00:00",
        "2024-01-01T12:00:00.000000",
        "2024-01-01T14:00:00+02:00",
        "2024-01-01T14:00:00+0200",
        "2024-01-01 12:00:00 UTC",
        "1704110400",
        " 1704110400.0 ",
    ],
)
def test_texts_of_one_moment_agree_alone_and_in_a_column(text: str) -> None:
    read = read_times(pl.Series("t", [text, None, "soon"]))
    assert read.micros.to_list() == [NOON * 1_000_000, None, None]
    assert read.unreadable.to_list() == [False, False, True]
    assert seconds(text) == NOON


@pytest.mark.parametrize(
    ("factor", "unit"),
    [(1, "seconds"), (10**3, "milliseconds"), (10**6, "microseconds"), (10**9, "nanoseconds")],
)
def test_the_unit_of_a_whole_column_is_recognised_by_its_median(factor: int, unit: str) -> None:
    read = read_times(pl.Series("t", [NOON * factor, (NOON + 1) * factor, None]))
    assert read.unit == unit
    assert read.micros.to_list() == [NOON * 1_000_000, (NOON + 1) * 1_000_000, None]


def test_a_single_time_in_milliseconds_is_an_error_that_says_so() -> None:
    with pytest.raises(InvalidInput, match="milliseconds"):
        seconds(NOON * 1000)


def test_datetimes_are_utc_unless_they_say_otherwise() -> None:
    east = timezone(timedelta(hours=2))
    naive = datetime(2024, 1, 1, 12)
    assert seconds(naive) == seconds(naive.replace(tzinfo=UTC)) == NOON
    assert seconds(datetime(2024, 1, 1, 14, tzinfo=east)) == NOON
    assert seconds(np.datetime64("2024-01-01T12:00")) == NOON
    assert seconds(date(2024, 1, 1)) == NOON - 43_200
    column = pl.Series([naive]).dt.replace_time_zone("America/New_York")
    assert read_times(column).micros[0] == (NOON + 5 * 3600) * 1_000_000
    assert read_times(pl.Series([date(2024, 1, 1)])).micros[0] == (NOON - 43_200) * 1_000_000
    assert read_times(pl.Series([naive]).cast(pl.Datetime("ns"))).micros[0] == NOON * 1_000_000


def test_dates_without_separators_are_dates_not_numbers() -> None:
    assert read_times(pl.Series(["20240101"])).micros[0] == (NOON - 43_200) * 1_000_000
    assert seconds("20240101") == NOON - 43_200


def test_day_first_and_month_first_are_not_guessed() -> None:
    read = read_times(pl.Series(["12/1/2010 8:26"]))
    assert read.unreadable.to_list() == [True]
    with pytest.raises(InvalidInput, match="expected a time such as"):
        seconds("12/1/2010 8:26")


def test_years_are_read_where_they_are_allowed() -> None:
    read = read_times(pl.Series([1995, 2001, None]), years=True)
    assert read.unit == "years"
    assert read.micros.to_list()[0] == 788_918_400 * 1_000_000
    assert read_times(pl.Series([1995])).micros[0] == 1995 * 1_000_000


def test_numbers_that_are_no_times_are_marked_not_lost() -> None:
    read = read_times(pl.Series([float("nan"), float("inf"), 1e300, -5.0, 5.0, None]))
    assert read.micros.to_list() == [None, None, None, -5_000_000, 5_000_000, None]
    assert read.unreadable.to_list() == [True, True, True, False, False, False]


@pytest.mark.parametrize("column", [pl.Series([True]), pl.Series([[1]]), pl.Series([timedelta(1)])])
def test_a_column_that_holds_no_moment_is_an_error(column: pl.Series) -> None:
    with pytest.raises(InvalidInput, match="expected times"):
        read_times(column)


@pytest.mark.parametrize("value", [None, True, float("nan"), float("inf"), "soon", [], b"1"])
def test_a_single_value_that_is_no_time_is_an_error(value: object) -> None:
    with pytest.raises(InvalidInput):
        seconds(value)


@given(st.datetimes(min_value=datetime(1971, 1, 1), max_value=datetime(2099, 1, 1)))
def test_any_datetime_reads_the_same_as_value_text_and_column(moment: datetime) -> None:
    micros = round(moment.replace(tzinfo=UTC).timestamp() * 1e6)
    assert abs(seconds(moment) * 1e6 - micros) < 1
    assert abs(seconds(moment.isoformat()) * 1e6 - micros) < 1
    for column in (pl.Series([moment]), pl.Series([moment.isoformat()])):
        assert abs(read_times(column).micros[0] - micros) <= 1
