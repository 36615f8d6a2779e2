"""Derived categories: the same for training and serving, and never over a given one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from penchant.language.categories import Categories, Derived
from penchant.store.artefacts import Artefacts
from penchant.store.columns import ItemColumns
from penchant.store.items import STORED

MODEL = Categories(
    ("tea", "hats"),
    np.array([[9.0, 0.0], [0.0, 9.0]], dtype=np.float32),
    np.zeros(2, dtype=np.float32),
    0.9,
    counts=True,
)
TEA, HATS, BOTH = [1.0, 0.0], [0.0, 1.0], [0.7, 0.7]
NAN = [float("nan"), float("nan")]


def columns(*categories: str | None) -> ItemColumns:
    made = ItemColumns()
    rows = [
        {"number": n, "item_id": f"i{n}", "category": category, "tags": [], "removed": False}
        for n, category in enumerate(categories)
    ]
    made.apply(pl.DataFrame(rows, schema_overrides=STORED, schema=STORED))
    return made


def test_what_is_uncertain_or_has_no_text_has_no_category() -> None:
    raw = np.array([TEA, HATS, BOTH, NAN, [0.0, 0.0]], dtype=np.float32)
    place, p = MODEL(raw)
    assert place.tolist() == [0, 1, -1, -1, -1]
    assert (p[:2] > 0.99).all()
    assert p[2] == pytest.approx(0.5, abs=1e-3)
    assert p[3:].tolist() == [0, 0]
    assert place.tolist() == [int(MODEL(row[None])[0][0]) for row in raw]


def test_it_is_what_it_was_after_saving(tmp_path: Path) -> None:
    folder = Artefacts(tmp_path)
    assert Categories.load(folder) is None
    MODEL.save(folder)
    again = Categories.load(folder)
    assert again is not None
    assert (again.names, again.least, again.counts) == (MODEL.names, MODEL.least, True)
    np.testing.assert_array_equal(again.matrix, MODEL.matrix)


def test_a_given_category_comes_first_and_is_not_overwritten() -> None:
    catalogue = columns("hats", None, None)
    derived = Derived(catalogue, MODEL, np.array([0, 0, -1], dtype=np.int32))
    items = np.arange(3, dtype=np.int32)
    tea, hats = catalogue.code("tea"), catalogue.code("hats")
    assert derived.counted(items).tolist() == [hats, tea, -1]
    assert [derived.named(n) for n in range(3)] == [None, "tea", None]
    assert catalogue.category[:3].tolist() == [hats, -1, -1]
    derived.learn(np.array([2, 5]), np.array([HATS, TEA], dtype=np.float32))
    assert derived.counted(items).tolist() == [hats, tea, hats]
    derived.learn(np.array([2]), np.array([NAN], dtype=np.float32))
    assert derived.counted(items).tolist() == [hats, tea, -1]
    # Somebody says what it is.
    catalogue.apply(
        pl.DataFrame(
            [{"number": 1, "item_id": "i1", "category": "shoes", "tags": [], "removed": False}],
            schema=STORED,
        )
    )
    assert derived.counted(items).tolist() == [hats, catalogue.code("shoes"), -1]
    assert derived.named(1) is None


def test_what_does_not_pay_does_not_count() -> None:
    catalogue = columns("hats", None)
    quiet = Categories(MODEL.names, MODEL.matrix, MODEL.bias, MODEL.least)
    for derived in (Derived(catalogue), Derived(catalogue, quiet, np.array([-1, 0]))):
        assert derived.counted(np.array([0, 1])).tolist() == [catalogue.code("hats"), -1]
        assert derived.named(1) is None
