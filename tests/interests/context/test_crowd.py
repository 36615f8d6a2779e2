"""Counts in circumstances: what a lift is, and of whom little is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from numbered import columns
from penchant.interests.context.crowd import OF_ALL, OF_KIND, Crowd
from penchant.interests.context.field import Field
from penchant.interests.context.schema import Schema
from penchant.store.artefacts import Artefacts
from penchant.store.columns import ItemColumns
from penchant.types import Floats

SCHEMA = Schema(
    [Field("weather", "category", ("sunny", "rainy")), Field("n", "number", edges=(3.0,))]
)
SUNNY, RAINY = 1, 2


def catalogue() -> ItemColumns:
    return columns(
        pl.DataFrame(
            {
                "item_id": ["beach", "museum", "lake", "rock"],
                "title": [""] * 4,
                "description": [""] * 4,
                "category": ["water", "art", "water", None],
            }
        )
    )


def crowd() -> Crowd:
    """Of the beach 40 events in the sun, of the museum 30 in the rain, 10 in the sun."""
    items = np.repeat([0, 1, 1], [40, 30, 10]).astype(np.int32)
    codes = np.zeros((80, 2), dtype=np.int32)
    codes[:, 0] = np.repeat([SUNNY, RAINY, SUNNY], [40, 30, 10])
    return Crowd.count(SCHEMA, codes, items, catalogue())


def lift(counts: Crowd, code: int) -> Floats:
    return counts.lift(np.array([code, 0], dtype=np.int32), np.arange(4, dtype=np.int32))


def test_the_lift_is_what_the_formula_says() -> None:
    share = (50 + 0.5) / (80 + 1)
    of_kind = (40 + OF_ALL * share) / (40 + OF_ALL)
    own = (40 + OF_KIND * of_kind) / (40 + OF_KIND)
    assert lift(crowd(), SUNNY)[0, 0] == pytest.approx(np.log(own / share), abs=1e-5)


def test_items_stand_where_they_are_wanted() -> None:
    sun, rain = lift(crowd(), SUNNY)[0], lift(crowd(), RAINY)[0]
    assert sun[0] > 0 > sun[1]
    assert rain[1] > 0 > rain[0]


def test_what_nobody_had_moves_as_its_kind_does_and_without_a_kind_not_at_all() -> None:
    sun = lift(crowd(), SUNNY)[0]
    assert 0 < sun[2] < sun[0]
    assert sun[3] == pytest.approx(0.0, abs=1e-6)


def test_a_field_that_says_nothing_adds_nothing() -> None:
    found = crowd().lift(np.zeros(2, dtype=np.int32), np.arange(4, dtype=np.int32))
    assert np.isnan(found).all()
    assert np.isnan(lift(crowd(), SUNNY)[1]).all()


def test_values_of_a_list_add_up() -> None:
    schema = Schema([Field("with", "list", ("dog", "child"))])
    codes = np.array([[1, 2, 0], [1, 0, 0], [2, 0, 0], [1, 2, 0]], dtype=np.int32)
    counts = Crowd.count(schema, codes, np.array([0, 0, 1, 2], dtype=np.int32), catalogue())
    items = np.arange(4, dtype=np.int32)
    one, other, both = (
        counts.lift(np.array(here, dtype=np.int32), items)[0]
        for here in ([1, 0, 0], [2, 0, 0], [1, 2, 0])
    )
    assert both == pytest.approx(one + other, abs=1e-6)


def test_items_and_categories_that_came_later_are_answered() -> None:
    counts = crowd()
    found = counts.lift(np.array([SUNNY, 0], dtype=np.int32), np.array([99, 0], dtype=np.int32)[1:])
    assert np.isfinite(found[0]).all()


def test_counts_are_kept_whatever_numbers_categories_have(tmp_path: Path) -> None:
    counts, folder = crowd(), Artefacts(tmp_path)
    counts.save(folder)
    elsewhere = catalogue()
    elsewhere.categories = []
    elsewhere._category_of = {}
    elsewhere.code("art")  # another process saw this one first
    elsewhere.category[:4] = [elsewhere.code("water"), 0, elsewhere.code("water"), -1]
    again = Crowd.load(folder, SCHEMA, elsewhere)
    assert lift(again, SUNNY)[0] == pytest.approx(lift(counts, SUNNY)[0])
