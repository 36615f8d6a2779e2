"""Which fields a log has: kinds, values, and what is no circumstance."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from penchant.interests.context import clock
from penchant.learn.context.fields import LEAST, Found, find

N = 2_000


def found(contexts: list[dict[str, Any] | None], **rest: Any) -> Found:
    texts = [None if one is None else json.dumps(one) for one in contexts]
    different = list(dict.fromkeys(text for text in texts if text is not None))
    at = {text: place for place, text in enumerate(different)}
    places = np.array([-1 if text is None else at[text] for text in texts], dtype=np.int32)
    n = len(contexts)
    items = rest.pop("items", np.random.default_rng(1).integers(0, 50, n).astype(np.int32))
    moments = rest.pop("moments", np.arange(n))
    return find(places, different, items, moments, rest.pop("days", 1000.0), **rest)


def given(found: Found) -> dict[str, str]:
    return {field.name: field.kind for field in found.fields if field.kind != "clock"}


def test_kinds_are_told_from_the_values() -> None:
    rng = np.random.default_rng(0)
    contexts = [
        {
            "weather": str(rng.choice(["sunny", "rainy"])),
            "degrees": float(rng.normal(20, 5)),
            "party": int(rng.integers(1, 5)),
            "with": [str(one) for one in rng.choice(["dog", "child", "friend"], 2, replace=False)],
            "leaving": f"2026-07-{rng.integers(1, 28):02}T{rng.integers(0, 24):02}:00:00",
            "latitude": float(rng.choice([48.1, 52.5]) + rng.normal(0, 0.01)),
            "longitude": float(11.0 + rng.normal(0, 0.01)),
        }
        for _ in range(N)
    ]
    fields = found(contexts)
    assert given(fields) == {
        "weather": "category",
        "degrees": "number",
        "party": "number",
        "with": "list",
        "leaving": "time",
        "place": "place",
    }
    by_name = {field.name: field for field in fields.fields}
    assert by_name["party"].edges == (1.5, 2.5, 3.5)
    assert len(by_name["degrees"].edges) == 7
    assert set(by_name["with"].values) == {"dog", "child", "friend"}
    assert {field.name for field in fields.fields if field.kind == "clock"} == set(clock.VALUES)


def test_rare_values_are_nothing() -> None:
    contexts: list[dict[str, Any] | None] = [
        {"city": "rome" if i % 2 else "oslo"} for i in range(N)
    ]
    contexts[: LEAST - 1] = [{"city": "atlantis"}] * (LEAST - 1)
    (city,) = (field for field in found(contexts).fields if field.name == "city")
    assert set(city.values) == {"rome", "oslo"}


def test_what_is_no_circumstance_is_left_out_with_the_reason() -> None:
    rng = np.random.default_rng(0)
    items = rng.integers(0, 50, N).astype(np.int32)
    moments = np.arange(N) // 4  # baskets of four
    contexts = [
        {
            "order": f"A{i // 4}",
            "line_price": float(rng.normal()),
            "paid": "paid" if items[i] < 25 else "free",
            "country": ["es", "fr"][i // 4 % 2],
            "shop": "one",
            "seldom": "x" if i < 30 else None,
        }
        for i in range(N)
    ]
    fields = found(contexts, items=items, moments=moments)
    assert given(fields) == {"country": "category"}
    assert set(fields.left_out) == {"order", "line_price", "paid", "shop", "seldom"}
    assert "differs within" in fields.left_out["line_price"]
    # It differs within baskets as well: either reason is true.
    assert "item" in fields.left_out["paid"]
    assert "value of its own" in fields.left_out["order"]
    assert fields.left_out["shop"] == "it never changes"
    assert fields.left_out["seldom"] == "only 30 events say it"


def test_what_follows_from_the_item_is_none_without_baskets_too() -> None:
    items = np.random.default_rng(0).integers(0, 50, N).astype(np.int32)
    contexts: list[dict[str, Any] | None] = [{"paid": bool(item < 10)} for item in items.tolist()]
    assert found(contexts, items=items).left_out == {"paid": "it follows from the item"}


def test_the_caller_is_believed_before_the_clock() -> None:
    contexts: list[dict[str, Any] | None] = [
        {"weekday": ["monday", "sunday"][i % 2]} for i in range(N)
    ]
    fields = {field.name: field.kind for field in found(contexts).fields}
    assert fields["weekday"] == "category"
    assert fields["hour"] == "clock"
    ignoring = found(contexts, ignore=("weekday", "hour"))
    assert {field.name for field in ignoring.fields} == set(clock.VALUES) - {"weekday", "hour"}


def test_the_clock_is_read_where_the_log_is_long_enough() -> None:
    nothing: list[dict[str, Any] | None] = [None] * 100
    week = found(nothing, days=10.0)
    assert {field.name for field in week.fields} == {"hour", "daypart"}
    assert week.left_out["weekday"] == "it takes 28 days to tell, the log has 10"
    year = found(nothing, days=400.0)
    assert {field.name for field in year.fields} == set(clock.VALUES) - {"season"}


def test_no_context_at_all_leaves_the_clock() -> None:
    assert given(found([None] * 100)) == {}


def test_odd_contexts_are_read() -> None:
    odd = [None, {}, {"a": {"b": [1, {}]}}, {"a": None}, {"": 3}, {"timezone": "Asia/Tokyo"}]
    fields = found((odd * 400)[:N])
    assert set(given(fields)) <= {"a", ""}
