"""What the clock says, wherever it hangs."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penchant.interests.context import clock
from penchant.interests.context.config import ContextConfig, zone


def said(moment: datetime, **rest: object) -> dict[str, str]:
    found = clock.read(np.array([moment.timestamp()]), **rest)  # type: ignore[arg-type]
    return {name: clock.VALUES[name][int(value[0])] for name, value in found.items()}


def test_an_evening_in_july() -> None:
    assert said(datetime(2026, 7, 4, 21, 30, tzinfo=UTC)) == {
        "hour": "20-22",
        "daypart": "evening",
        "weekday": "saturday",
        "weekend": "yes",
        "season": "summer",
    }


def test_in_the_south_july_is_winter() -> None:
    assert said(datetime(2026, 7, 4, tzinfo=UTC), south=True)["season"] == "winter"
    assert said(datetime(2026, 1, 4, tzinfo=UTC), south=True)["season"] == "summer"


def test_where_the_clock_hangs_it_is_tomorrow_already() -> None:
    tokyo = zone("Asia/Tokyo")
    found = said(datetime(2026, 7, 3, 16, 0, tzinfo=UTC), zone=tokyo)
    assert (found["weekday"], found["daypart"]) == ("saturday", "night")


def test_summer_time_moves_the_hour() -> None:
    madrid = zone("Europe/Madrid")
    winter = said(datetime(2026, 1, 7, 11, 0, tzinfo=UTC), zone=madrid)
    summer = said(datetime(2026, 7, 7, 11, 0, tzinfo=UTC), zone=madrid)
    assert (winter["hour"], summer["hour"]) == ("12-14", "12-14")
    assert said(datetime(2026, 7, 7, 10, 30, tzinfo=UTC), zone=madrid)["hour"] == "12-14"
    assert said(datetime(2026, 1, 7, 10, 30, tzinfo=UTC), zone=madrid)["hour"] == "10-12"


@given(st.datetimes(datetime(1971, 1, 1), datetime(2200, 1, 1)))
def test_it_agrees_with_the_calendar(moment: datetime) -> None:
    moment = moment.replace(tzinfo=UTC)
    found = said(moment)
    assert found["hour"] == f"{moment.hour // 2 * 2}-{moment.hour // 2 * 2 + 2}"
    assert found["weekday"] == moment.strftime("%A").lower()
    assert clock.VALUES["season"].index(found["season"]) == moment.month % 12 // 3


@pytest.mark.parametrize("time", [np.inf, -np.inf, 1e300, -1e300, 0.0])
def test_times_without_a_calendar_still_say_something(time: float) -> None:
    found = clock.read(np.array([time]), zone("Asia/Tokyo"))
    for name, value in found.items():
        assert 0 <= int(value[0]) < len(clock.VALUES[name])


def test_a_time_zone_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a time zone"):
        ContextConfig(timezone="Mars/Base")
    assert zone("../../etc/passwd") is None
    assert zone(["UTC"]) is None
