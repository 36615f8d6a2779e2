"""Contexts as rows of codes: of requests and of events, known and unknown, alike."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penchant.interests.context import clock
from penchant.interests.context.field import Field
from penchant.interests.context.past import compare
from penchant.interests.context.schema import Schema
from penchant.store.artefacts import Artefacts

NOON = 1_783_166_400.0  # 2026-07-04 12:00 UTC, a Saturday
FIELDS = (
    Field("weather", "category", ("sunny", "rainy"), gain=0.2),
    Field("weekend", "clock", clock.VALUES["weekend"], gain=0.1),
    Field("party", "number", edges=(1.5, 4.5), gain=0.05),
    Field("with", "list", ("partner", "child", "dog", "friend"), gain=0.1),
    Field("leaving", "time", gain=0.1),
    Field("place", "place", centres=((48.1, 11.6), (52.5, 13.4)), gain=0.1),
)
EVERYTHING: dict[str, Any] = {
    "weather": "rainy",
    "party": 3,
    "with": ["dog", "child"],
    "leaving": "2026-07-06T18:30:00",
    "lat": 52.4,
    "lon": 13.0,
}


@pytest.fixture
def schema() -> Schema:
    return Schema(FIELDS)


def told(schema: Schema, context: dict[str, Any] | None) -> list[tuple[str, str]]:
    return [schema.says(code) for code in schema.here(context, NOON).tolist() if code]


def test_every_kind_of_field_is_read(schema: Schema) -> None:
    assert told(schema, EVERYTHING) == [
        ("weather", "rainy"),
        ("party", "1.5 to 4.5"),
        ("with", "dog"),
        ("with", "child"),
        ("leaving", "18-20"),
        ("leaving", "monday"),
        ("place", "near 52.50, 13.40"),
        ("weekend", "yes"),
    ]
    assert schema.n_codes == 1 + 2 + 3 + 4 + 19 + 2 + 2


def test_ranges_of_numbers_are_named() -> None:
    party = FIELDS[2]
    assert [party.says(code) for code in (1, 2, 3)] == ["under 1.5", "1.5 to 4.5", "4.5 and more"]
    assert party.codes("7") == (3,)
    assert party.codes("many") == ()


@pytest.mark.parametrize(
    "context",
    [
        {},
        None,
        {
            "weather": "purple",
            "party": math.nan,
            "with": [],
            "leaving": "soon",
            "lat": 99,
            "lon": 0,
        },
        {"weather": ["rainy"], "party": {}, "with": {"a": 1}, "leaving": 7, "place": "home"},
        {f"key{i}": i for i in range(1000)},
        {3: 4, None: 5, "weather": None},
    ],
)
def test_what_is_unknown_says_nothing(schema: Schema, context: Any) -> None:
    assert told(schema, context) == [("weekend", "yes")]


def test_events_read_as_requests_do(schema: Schema) -> None:
    contexts = [json.dumps(EVERYTHING), None, '{"weather": "sunny"}', "[]", json.dumps(EVERYTHING)]
    times = NOON + 86_400.0 * np.arange(5)
    rows = schema.then(contexts, times)
    assert rows.shape == (5, schema.slots)
    for row, context, time in zip(rows, contexts, times, strict=True):
        read = json.loads(context) if context else {}
        asked = schema.here(read if isinstance(read, dict) else {}, float(time))
        assert row.tolist() == asked.tolist()
    assert schema.then((), times).tolist() == schema.then([None] * 5, times).tolist()
    assert schema.then((), times[:0]).shape == (0, schema.slots)


def test_each_event_may_have_a_clock_of_its_own() -> None:
    schema = Schema([Field("hour", "clock", clock.VALUES["hour"])], timezone="Europe/Madrid")
    contexts = ['{"timezone": "Asia/Tokyo"}', None, '{"timezone": "Nowhere"}']
    rows = schema.then(contexts, np.full(3, NOON))
    assert [schema.says(code)[1] for code in rows[:, 0].tolist()] == ["20-22", "14-16", "14-16"]
    assert schema.says(int(schema.here({"timezone": "Asia/Tokyo"}, NOON)[0]))[1] == "20-22"


def test_a_schema_is_kept(schema: Schema, tmp_path: Path) -> None:
    folder = Artefacts(tmp_path)
    assert Schema.load(folder) is None
    schema.save(folder)
    again = Schema.load(folder)
    assert again is not None
    assert again.fields == schema.fields
    assert again.here(EVERYTHING, NOON).tolist() == schema.here(EVERYTHING, NOON).tolist()


@given(st.dictionaries(st.sampled_from(["weather", "party", "with", "leaving", "lat", "lon",
    "place", "timezone"]), st.none() | st.booleans() | st.integers() | st.floats()
    | st.text(max_size=70) | st.lists(st.floats() | st.text(max_size=3), max_size=3)))  # fmt: skip
def test_no_context_raises(context: dict[str, Any]) -> None:
    schema = Schema(FIELDS)
    row = schema.here(context, NOON)
    assert row.shape == (schema.slots,)
    assert ((row >= 0) & (row < schema.n_codes)).all()


def test_past_events_are_compared_field_by_field(schema: Schema) -> None:
    here = schema.here({"weather": "rainy", "with": ["child"]}, NOON)
    then = schema.then(
        [
            '{"weather": "rainy", "with": ["dog", "child"]}',
            '{"weather": "rainy"}',
            '{"weather": "sunny", "with": ["dog"]}',
        ],
        np.array([NOON, NOON + 2 * 86_400, NOON + 2 * 86_400]),
    )
    found = compare(schema, here, then)
    assert found is not None
    assert found.missing.tolist() == [0.0, 2.0, 3.0]
    assert found.near == pytest.approx([1.0, 0.5, 0.0])
    at = [field.name for field in schema.fields].index("weather")
    assert found.same[at].tolist() == [True, True, False]
    assert found.said.sum() == 3
    assert compare(schema, np.zeros_like(here), then) is None
