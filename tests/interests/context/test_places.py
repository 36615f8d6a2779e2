"""Where items are, and how far away."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest

from numbered import columns, rows
from penchant.interests.context.places import Places, kilometres

PARIS, LONDON, SYDNEY = (48.857, 2.352), (51.507, -0.128), (-33.869, 151.209)


def test_distances_are_those_of_a_globe() -> None:
    found = kilometres(PARIS, np.array([PARIS, LONDON, SYDNEY, (np.nan, np.nan)]))
    assert found[0] == pytest.approx(0.0, abs=1e-6)
    assert found[1] == pytest.approx(343.5, abs=2.0)
    assert found[2] == pytest.approx(16_960, abs=30)
    assert np.isnan(found[3])
    opposite = kilometres((0.0, 0.0), np.array([(0.0, 180.0)]))
    assert opposite[0] == pytest.approx(np.pi * 6371.0)


def test_items_are_where_their_attributes_say() -> None:
    told = [
        {"latitude": 48.857, "longitude": 2.352},
        {"place": [51.507, -0.128]},
        {"lat": "x", "lon": 3},
        {"city": "Paris"},
    ]
    ids = [f"i{n}" for n in range(4)]
    frame = pl.DataFrame(
        {"item_id": ids, "title": ids, "description": ids, "category": [None] * 4},
        schema_overrides={"category": pl.String},
    )
    catalogue = columns(frame)
    changed = rows(frame).with_columns(attributes=pl.Series([json.dumps(one) for one in told]))
    catalogue.apply(changed)
    places, items = Places(catalogue), np.arange(4, dtype=np.int32)
    found = places.of(items)
    assert found[:2].tolist() == [list(PARIS), list(LONDON)]
    assert np.isnan(found[2:]).all()
    moved = changed.with_columns(attributes=pl.lit(json.dumps({"place": SYDNEY})))
    catalogue.apply(moved)
    assert places.of(items).tolist() == [list(SYDNEY)] * 4
