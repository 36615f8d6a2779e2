"""Columns of circumstances: the person's own past in such, everybody's, and nothing made up."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from numbered import NOW, N, columns, numbers, query, state, vectors
from penchant.interests.context.crowd import Crowd
from penchant.interests.context.field import Field
from penchant.interests.context.schema import Schema
from penchant.interests.state import State
from penchant.rank.circumstances import Circumstances, is_of_circumstances
from penchant.store.vectors import Vectors
from penchant.types import Candidates

SCHEMA = Schema(
    [
        Field("weather", "category", ("sunny", "rainy"), gain=0.3),
        Field("we ather", "category", ("x", "y"), gain=0.1),
        Field("we:ather", "category", ("x", "y"), gain=0.1),
    ]
)
SUN, RAIN = json.dumps({"weather": "sunny"}), json.dumps({"weather": "rainy"})


def stage(text: bool = True) -> Circumstances:
    """West items are wanted in the sun, by all."""
    catalogue = columns()
    items = np.repeat(np.arange(N, dtype=np.int32), 20)
    rows = np.zeros((len(items), SCHEMA.slots), dtype=np.int32)
    rows[:, 0] = np.where(items < N // 2, 1, 2)
    crowd = Crowd.count(SCHEMA, rows, items, catalogue)
    return Circumstances(crowd, catalogue, Vectors(vectors()) if text else Vectors())


def pool(items: np.ndarray | None = None) -> Candidates:
    items = np.arange(N, dtype=np.int32) if items is None else items
    return Candidates(
        items=items,
        scores=np.zeros(len(items), dtype=np.float32),
        features=np.ones((len(items), 1), dtype=np.float32),
        names=("one",),
        origin=np.zeros(len(items), dtype=np.uint32),
        sources=("one",),
    )


def somebody() -> State:
    """w1 twice in the sun, s1 in the rain."""
    return replace(state(["w1", "w1", "s1"]), contexts=(SUN, SUN, RAIN))


def column(found: Candidates, name: str) -> np.ndarray:
    return found.features[:, found.names.index(name)]


def told(context: dict[str, Any], person: State, text: bool = True) -> Candidates:
    return stage(text)(query(context=context), person, pool())


def test_what_was_had_in_such_weather_stands_out() -> None:
    found = told({"weather": "sunny"}, somebody())
    w1, s1 = numbers(["w1", "s1"])
    assert column(found, "own_nearest")[[w1, s1]].tolist() == [1.0, 0.0]
    assert column(found, "own_same")[w1] == pytest.approx(np.log1p(2))
    assert column(found, "own_in_weather")[w1] > 0 > column(found, "own_in_weather")[s1]
    assert column(found, "own_near")[w1] == pytest.approx(np.log1p(2.0))


def test_kinds_and_texts_follow() -> None:
    found = told({"weather": "sunny"}, somebody())
    w2, s2 = numbers(["w2", "s2"])
    assert column(found, "kind_in_weather")[w2] > column(found, "kind_in_weather")[s2]
    assert column(found, "own_text")[w2] > column(found, "own_text")[s2]


def test_everybody_counts_for_whoever_did_nothing() -> None:
    found = told({"weather": "rainy"}, state([]))
    crowd = column(found, "crowd_in_weather")
    assert crowd[-1] > 0 > crowd[0]
    assert np.allclose(column(found, "crowd_together"), crowd)
    assert np.isnan(column(found, "own_near")).all()


@pytest.mark.parametrize("context", [{}, {"weather": "hail"}, {"weather": 3}, {"other": "x"}])
def test_a_request_that_says_nothing_has_nothing(context: dict[str, Any]) -> None:
    found = told(context, somebody())
    assert np.isnan(found.features[:, 1:]).all()


def test_events_without_contexts_are_in_no_circumstances() -> None:
    found = told({"weather": "sunny"}, state(["w1", "s1"]))
    assert column(found, "own_nearest")[numbers(["w1"])[0]] == 0.0


def test_rejections_are_no_wishes() -> None:
    person = replace(state(["w1", "s1"], strengths=[-1.0, 1.0]), contexts=(SUN, RAIN))
    assert np.isnan(column(told({"weather": "sunny"}, person), "own_in_weather"))[
        numbers(["w1"])[0]
    ]


def test_the_order_of_the_pool_does_not_matter() -> None:
    back = np.arange(N, dtype=np.int32)[::-1].copy()
    one = told({"weather": "sunny"}, somebody())
    other = stage()(query(context={"weather": "sunny"}), somebody(), pool(back))
    assert np.allclose(one.features, other.features[::-1], equal_nan=True)


def test_without_text_all_else_is_told() -> None:
    found = told({"weather": "sunny"}, somebody(), text=False)
    assert np.isnan(column(found, "own_text")).all()
    assert np.isfinite(column(found, "own_in_weather")).any()


def test_names_are_unlike_and_lightgbm_takes_them() -> None:
    names = stage().names
    assert len(set(names)) == len(names)
    assert all(is_of_circumstances(name) and name.isidentifier() for name in names)


def test_nobody_among_no_candidates() -> None:
    none = pool(np.zeros(0, dtype=np.int32))
    assert len(stage()(query(now=NOW, context={"weather": "sunny"}), somebody(), none)) == 0
