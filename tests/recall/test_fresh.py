"""Cold items are found by their text or by being new, and by nothing else."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

import world
from numbered import COLD, DAY, NOW, NUMBER, arrays, columns, names, query, rows, state, vectors
from penchant.recall.fresh import Fresh
from penchant.recall.popularity import Popularity
from penchant.recall.text import Text
from penchant.store.columns import ItemColumns
from penchant.store.vectors import Vectors


def popularity() -> Popularity:
    _, items, times = arrays()
    return Popularity(items, times)


def dated(released: dict[str, float]) -> ItemColumns:
    """The tiny world with release dates in seconds."""
    when = [released.get(i) for i in world.ITEMS]
    out = ItemColumns()
    micros = pl.Series([None if t is None else int(t * 1e6) for t in when], dtype=pl.Int64)
    out.apply(rows(world.items()).with_columns(released=micros))
    return out


def test_a_cold_item_is_found_by_its_text() -> None:
    fresh = Fresh("fresh", popularity(), Text("text", Vectors(vectors())), columns(), few=0.5)
    scores = fresh.score(query(), state(["w1", "w2"]))
    assert names(scores.items) == ["cold"]
    assert fresh.score(query(), state([])) is None  # without anything to compare it with


def test_items_with_few_events_compete_by_newness() -> None:
    """s6 was wanted once; what was wanted five times is not cold."""
    fresh = Fresh("fresh", popularity(), None, columns(), few=2.0)
    scores = fresh.score(query(), state(["w1"]))
    assert names(scores.items) == ["s6"]
    first = float(popularity().first_seen(NOW, 13)[NUMBER["s6"]])
    assert scores.values == pytest.approx(0.5 ** ((NOW - first) / (14 * DAY)), rel=1e-5)


def test_newness_halves_from_the_release_or_the_first_wish_whichever_was_first() -> None:
    fresh = Fresh("fresh", popularity(), None, dated({"cold": NOW - 7 * DAY}), few=0.5)
    scores = fresh.score(query(), state([]))
    assert names(scores.items) == ["cold"]
    assert scores.values == pytest.approx(0.5**0.5, rel=1e-5)
    soon = Fresh("fresh", popularity(), None, dated({"cold": NOW + DAY}), few=0.5)
    assert soon.score(query(), state([])).values == pytest.approx(1.0)


def test_an_item_without_a_date_is_not_new() -> None:
    fresh = Fresh("fresh", popularity(), None, columns(), few=0.5)
    assert fresh.score(query(), state(["w1"])) is None


def test_what_is_neither_new_nor_near_has_no_claim() -> None:
    old = dated({i: NOW - 3650 * DAY for i in world.ITEMS})
    fresh = Fresh("fresh", popularity(), None, old, few=100.0)
    assert fresh.score(query(), state(["w1"])) is None


def test_nearness_counts_beside_newness() -> None:
    text = Text("text", Vectors(vectors()))
    plain = Fresh("fresh", popularity(), text, columns(), few=0.5)
    new = Fresh("fresh", popularity(), text, dated({"cold": NOW}), few=0.5)
    person = state(["w1"])
    cold = np.array([COLD], dtype=np.int32)
    near = text.score(query(), person).at(cold)
    assert plain.score(query(), person).at(cold) == pytest.approx(near)
    assert new.score(query(), person).at(cold) == pytest.approx(near + 0.5)


def test_where_everything_is_known_nothing_is_fresh() -> None:
    fresh = Fresh("fresh", popularity(), None, columns(), few=-1.0)
    assert fresh.score(query(), state(["w1"])) is None
