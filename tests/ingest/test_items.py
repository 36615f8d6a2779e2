"""Items keep their words, and what cannot be believed of them stays readable in the attributes."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penchant.ingest.cleaning import CHANGES, REFUSALS, CleaningConfig
from penchant.ingest.intake import Intake
from penchant.ingest.items import read_items
from penchant.store.frames import ITEMS
from penchant.types import InvalidInput, Item


def read(source: Any, **config: Any) -> Intake:
    intake = read_items(source, cleaning=CleaningConfig(**config))
    counts = intake.counts
    assert intake.frame.schema == pl.Schema(ITEMS)
    assert counts["rows"] == counts["accepted"] + counts["quarantined"] + counts["duplicates"]
    assert counts["accepted"] == intake.frame.height == intake.frame["item_id"].n_unique()
    assert counts["quarantined"] == intake.quarantined.height
    assert set(counts) - {"rows", "accepted", "quarantined", "duplicates"} <= (
        REFUSALS.keys() | CHANGES.keys()
    )
    for text in (*intake.frame["attributes"], *intake.quarantined["row"]):
        assert isinstance(json.loads(text), dict)
    return intake


def row(source: Any, **config: Any) -> dict[str, Any]:
    found = read(source, **config).frame.row(0, named=True)
    return {**found, "attributes": json.loads(found["attributes"])}


def test_an_item_keeps_all_it_says() -> None:
    item = Item(
        "i",
        "Title",
        "Words",
        "Books > Space",
        ("a", "b"),
        9.5,
        datetime(2020, 1, 1),
        (1e9, datetime(2030, 1, 1, tzinfo=UTC)),
        {"year": 1990, "cast": ["x", "y"]},
    )
    found = row(item)
    assert found == {
        "item_id": "i",
        "title": "Title",
        "description": "Words",
        "category": "Books > Space",
        "tags": ["a", "b"],
        "price": 9.5,
        "released": 1_577_836_800_000_000,
        "stock_from": 10**15,
        "stock_until": 1_893_456_000_000_000,
        "attributes": {"year": 1990, "cast": ["x", "y"]},
    }
    frame = pl.DataFrame(
        {
            "item_id": ["i"],
            "title": ["Title"],
            "description": ["Words"],
            "category": ["Books > Space"],
            "tags": [["a", "b"]],
            "price": [9.5],
            "released": [datetime(2020, 1, 1)],
            "stock_from": [1e9],
            "stock_until": ["2030-01-01"],
            "year": [1990],
            "cast": [["x", "y"]],
        }
    )
    assert row(frame) == found


def test_movielens_and_news_are_understood(tmp_path: Path) -> None:
    path = tmp_path / "movies.csv"
    path.write_text('movieId,title,genres\n007,"Amélie, 2001 😀",Comedy|Romance|Comedy\n8,,\n')
    intake = read(path)
    assert intake.frame["item_id"].to_list() == ["007", "8"]
    assert intake.frame["tags"].to_list() == [["Comedy", "Romance"], []]
    assert intake.counts["title_missing"] == 1
    assert intake.counts["description_missing"] == 2
    assert "tags were split at '|'" in intake.notes
    news = row({"news_id": "N1", "headline": "H", "abstract": "A", "section": "sports"})
    assert (news["title"], news["description"], news["category"]) == ("H", "A", "sports")


@pytest.mark.parametrize(
    ("given", "price", "raw"),
    [
        (9.5, 9.5, None),
        ("9.50", 9.5, None),
        ("$1,299.50", 1299.5, None),
        ("12 €", 12.0, None),
        ("EUR 12", 12.0, None),
        ("12usd", 12.0, None),
        ("Free", 0.0, None),
        (np.float32(2), 2.0, None),
        (float("nan"), None, "NaN"),
        (float("inf"), None, "inf"),
        (-3.0, None, "-3.0"),
        ("cheap", None, "cheap"),
        ("1.299,50", None, "1.299,50"),
        (None, None, None),
        ("", None, None),
    ],
)
def test_prices_are_believed_or_missing_and_flagged(
    given: Any, price: float | None, raw: Any
) -> None:
    for source in ({"item_id": "i", "price": given}, [{"item_id": "i", "price": given}]):
        intake = read(source)
        found = intake.frame.row(0, named=True)
        assert found["price"] == price
        assert json.loads(found["attributes"]).get("raw_price") == raw
        flagged = {"price_unreadable", "price_not_believed"} & intake.counts.keys()
        assert bool(flagged) == (raw is not None)


def test_a_frame_says_the_same_of_prices() -> None:
    intake = read(pl.DataFrame({"item_id": ["a", "b", "c"], "price": [1.0, float("nan"), -1.0]}))
    assert intake.frame["price"].to_list() == [1.0, None, None]
    assert intake.counts["price_not_believed"] == 2


def test_years_and_texts_are_times_of_release() -> None:
    years = read(pl.DataFrame({"item_id": ["a", "b"], "release_date": [1995, 2001]}))
    assert years.frame["released"][0] == 788_918_400 * 1_000_000
    assert any("years" in note for note in years.notes)
    kept = read(pl.DataFrame({"item_id": ["a", "b"], "created": ["2001-01-01", "long ago"]}))
    assert kept.frame["released"].to_list() == [978_307_200_000_000, None]
    assert kept.counts["time_not_read"] == 1
    assert json.loads(kept.frame["attributes"][1]) == {"raw_released": "long ago"}
    assert row({"item_id": "a", "year": 1995})["attributes"] == {"year": 1995}
    assert row({"item_id": "a", "year": 1995})["released"] is None


def test_a_reversed_stock_window_is_dropped_and_flagged() -> None:
    intake = read([Item("a", stock=(5.0, 3.0)), Item("b", stock=(None, 3.0))])
    assert intake.frame["stock_from"].to_list() == [None, None]
    assert intake.frame["stock_until"].to_list() == [None, 3_000_000]
    assert intake.counts["stock_window_reversed"] == 1
    assert json.loads(intake.frame["attributes"][0])["raw_stock_from"] == "5000000"


def test_ten_megabytes_of_description_are_taken_and_cut_at_the_limit() -> None:
    intake = read([Item("a", description="é" * 5_000_000), Item("b", title="t" * 20_000)])
    assert intake.frame["description"][0] == "é" * 500_000
    assert intake.frame["title"][1] == "t" * 10_000
    assert intake.counts["text_truncated"] == 2
    whole = read([Item("a", description="é" * 700_000)], off=("text_truncated",))
    assert len(whole.frame["description"][0]) == 700_000


def test_the_last_of_several_rows_with_one_id_wins() -> None:
    intake = read([Item("a", "old"), Item("b"), Item("a", "new")])
    assert dict(zip(intake.frame["item_id"], intake.frame["title"], strict=True)) == {
        "a": "new",
        "b": "",
    }
    assert intake.counts["duplicate_id"] == intake.counts["duplicates"] == 1


def test_bad_ids_are_kept_aside_by_name() -> None:
    rows = [
        {"item_id": ""},
        {"item_id": None},
        {"item_id": "x" * 513},
        {"item_id": 1.5},
        {"title": "?"},
    ]
    intake = read([*rows, Item("sound")])
    assert intake.quarantined["reason"].to_list() == [
        "item_id_empty",
        "item_id_missing",
        "item_id_too_long",
        "item_id_unreadable",
        "item_id_missing",
    ]
    frame = read(pl.DataFrame({"item_id": ["", None, "x" * 513, "sound"]}))
    assert frame.counts["quarantined"] == 3


def test_attributes_are_joined_and_what_json_cannot_hold_becomes_text() -> None:
    intake = read(
        [
            {"item_id": "a", "attributes": {"x": 1}, "y": 2},
            {"item_id": "b", "attributes": '{"x": 1}', "y": None},
            {"item_id": "c", "attributes": {"x": {1, 2}, "z": object}},
            {"item_id": "d", "attributes": 5},
            {"item_id": "e", "attributes": {"x": "y" * 1_000_001}},
        ]
    )
    kept = [json.loads(a) for a in intake.frame["attributes"]]
    assert kept[:2] == [{"x": 1, "y": 2}, {"x": 1}]
    assert kept[2] == {"x": [1, 2], "z": "<class 'object'>"}
    assert intake.counts["attributes_as_text"] == 1
    assert intake.quarantined["reason"].to_list() == [
        "attributes_unreadable",
        "attributes_too_large",
    ]


def test_a_broken_character_is_replaced_and_counted() -> None:
    intake = read([Item("a", "x\ud800y")])
    assert intake.frame["title"][0] == "x?y"
    assert intake.counts["text_repaired"] == 1


def test_a_frame_without_an_id_column_is_an_error() -> None:
    with pytest.raises(InvalidInput, match="'item_id'"):
        read(pl.DataFrame({"title": ["x"]}))
    assert read([]).counts["rows"] == 0


CELL = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.lists(st.text(max_size=3) | st.integers(), max_size=3),
    st.datetimes(),
)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.fixed_dictionaries(
            {"item_id": CELL},
            optional={name: CELL for name in (*ITEMS, "colour") if name != "item_id"},
        ),
        max_size=6,
    )
)
def test_whatever_is_said_nothing_is_lost(rows: list[dict[str, Any]]) -> None:
    assert read(rows).counts["rows"] == len(rows)


def blank(text: str) -> bool:
    """Whether Unicode calls every character white space; Python adds four control characters."""
    return all(c.isspace() and c not in "\x1c\x1d\x1e\x1f" for c in text)


@settings(deadline=None)
@given(st.text(min_size=1, max_size=60), st.text(max_size=60), st.text(max_size=60))
def test_any_text_survives(item_id: str, title: str, description: str) -> None:
    found = row(Item(item_id, title, description))
    assert found["item_id"] == item_id
    assert found["title"] == ("" if blank(title) else title)
    assert found["description"] == ("" if blank(description) else description)
