"""What somebody wrote in a context: of every kind, and of none."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penchant.interests.context import values


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("rainy", "category"),
        (True, "category"),
        (3, "number"),
        (2.5, "number"),
        ("2026-05-01T18:30:00", "time"),
        ("2026-05-01", "time"),
        ({"latitude": 48.1, "longitude": 11.6}, "place"),
        ([48.1, 11.6], "place"),
        (["alone", "work"], "list"),
        (math.nan, None),
        ("", None),
        ("Unknown", None),
        ("x" * 65, None),
        ({"a": 1}, None),
        (None, None),
        ([], None),
        ([None, {}], None),
    ],
)
def test_kinds(value: Any, kind: str | None) -> None:
    assert values.kind_of(value) == kind


def test_categories_are_written_out() -> None:
    assert [values.category(v) for v in (True, 3, 3.0, 2.5, " a ", math.inf, 10**400)] == [
        "true", "3", "3", "2.5", "a", None, None,
    ]  # fmt: skip


def test_numbers_that_are_written_out_count() -> None:
    assert values.number("12.5") == 12.5
    assert math.isnan(values.number("twelve"))
    assert math.isnan(values.number("1e999"))
    assert math.isnan(values.number(10**400))
    assert math.isnan(values.number(True))


def test_places() -> None:
    assert values.place({"lat": "48.1", "lng": 11.6}) == (48.1, 11.6)
    assert values.place([91.0, 0.0]) is None
    assert values.place([math.nan, 0.0]) is None
    assert values.place({"latitude": 48.1}) is None
    assert values.place(["48", "11"]) is None
    assert values.where({"lat": 1.0, "lon": 2.0, "place": [3.0, 4.0]}) == (1.0, 2.0)
    assert values.where({"place": [3.0, 4.0]}) == (3.0, 4.0)
    assert values.where({"place": "home"}) is None


def test_lists() -> None:
    assert values.listed(["a", "a", None, 3, ""]) == ("a", "3")
    assert values.listed("a") == ("a",)
    assert len(values.listed([str(i) for i in range(1000)])) == values.LONGEST


def test_moments() -> None:
    assert values.moment("2026-05-01T18:30:00") == datetime(2026, 5, 1, 18, 30)
    assert values.moment("2026-13-01") is None
    assert values.moment("may") is None


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=80),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
)


@given(_JSON)
def test_nothing_that_can_be_written_raises(value: Any) -> None:
    kind = values.kind_of(value)
    assert kind in (None, "category", "number", "time", "place", "list")
    values.category(value), values.number(value), values.listed(value), values.place(value)
    if isinstance(value, dict):
        values.where(value)
