"""A batch loses nothing: each row is believed, kept aside with a reason, or a duplicate."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penchant.ingest.cleaning import CHANGES, REFUSALS, CleaningConfig
from penchant.ingest.events import read_events
from penchant.ingest.intake import Intake
from penchant.ingest.kinds import Kinds
from penchant.store.frames import EVENTS
from penchant.types import Event, InvalidInput

NOW = 1_704_110_400.0
TOTALS = ("rows", "accepted", "quarantined", "duplicates")


def read(source: Any, *, now: float = NOW, columns: Any = None, **config: Any) -> Intake:
    intake = read_events(
        source, now=now, kinds=Kinds(), cleaning=CleaningConfig(**config), columns=columns
    )
    counts = intake.counts
    assert intake.frame.schema == pl.Schema(EVENTS)
    assert counts["rows"] == counts["accepted"] + counts["quarantined"] + counts["duplicates"]
    assert counts["accepted"] == intake.frame.height
    assert counts["quarantined"] == intake.quarantined.height
    assert set(counts) - set(TOTALS) <= REFUSALS.keys() | CHANGES.keys()
    assert sum(counts.get(r, 0) for r in REFUSALS) == counts["quarantined"]
    assert set(intake.quarantined["reason"]) <= REFUSALS.keys()
    assert intake.frame["key"].n_unique() == intake.frame.height
    for row in intake.quarantined["row"]:
        assert isinstance(json.loads(row), dict)
    return intake


def table(**columns: list[Any]) -> pl.DataFrame:
    rows = max(len(c) for c in columns.values())
    plain: dict[str, list[Any]] = {
        "user_id": [f"u{i}" for i in range(rows)],
        "item_id": ["i"] * rows,
        "timestamp": [NOW - 1000.0 * i for i in range(rows)],
    }
    return pl.DataFrame(plain | columns, strict=False)


def test_a_file_is_read_with_the_mapping_that_was_assumed(tmp_path: Path) -> None:
    path = tmp_path / "ratings.csv"
    path.write_text(
        "userId,movieId,rating,timestamp,device\n007,2,4.5,1700000001,tv\n1,,3,1700000000,\n"
    )
    intake = read(path)
    row = intake.frame.row(0, named=True)
    assert (row["user_id"], row["item_id"], row["event"], row["value"]) == (
        "007",
        "2",
        "rating",
        4.5,
    )
    assert row["context"] == '{"device":"tv"}'
    assert intake.quarantined.rows() == [
        ("item_id_missing", "1", '{"userId":"1","rating":"3","timestamp":"1700000000"}')
    ]
    for part in ("<- userId", "<- movieId", "context      <- device", "1 quarantined"):
        assert part in str(intake)


def test_rows_come_in_the_order_of_time() -> None:
    intake = read(table(item_id=list("abcd")))
    assert intake.frame["item_id"].to_list() == list("dcba")


def test_reading_a_file_again_gives_the_same_keys_and_calls_do_not() -> None:
    frame = table(value=[1.0, 2.0, None])
    assert read(frame).frame["key"].to_list() == read(frame).frame["key"].to_list()
    assert read(frame).frame["key"].to_list() == read(frame.to_pandas()).frame["key"].to_list()
    events = [Event("u", "i", timestamp=5.0)]
    assert read(events).frame["key"].to_list() != read(events).frame["key"].to_list()


def test_an_event_id_makes_the_same_event_of_any_two_rows() -> None:
    frame = table(event_id=["a", "b", "a", None])
    intake = read(frame)
    assert intake.counts["duplicates"] == 1
    assert set(read([Event("u", "i", event_id="a")]).frame["key"]) <= set(intake.frame["key"])


def test_exact_duplicates_are_kept_once_unless_switched_off() -> None:
    frame = pl.concat([table(event=["purchase"] * 3)] * 2)
    assert read(frame).counts["duplicates"] == 3
    both = read(frame, off=("exact_duplicate",))
    assert both.counts["duplicates"] == 0
    assert both.counts["accepted"] == 6
    same_id = frame.with_columns(event_id=pl.lit("e"))
    assert read(same_id, off=("exact_duplicate",)).counts["duplicates"] == 5


def test_double_clicks_are_kept_aside_and_purchases_are_not() -> None:
    at = [100.0, 101.0, 102.5, 200.0]
    frame = pl.DataFrame({"user_id": ["u"] * 4, "item_id": ["i"] * 4, "timestamp": at})
    intake = read(frame)
    assert intake.frame["timestamp"].to_list() == [100_000_000, 200_000_000]
    assert intake.counts["near_duplicate"] == 2
    assert read(frame, off=("near_duplicate",)).counts["accepted"] == 4
    assert read(frame, near_duplicate_within=0.5).counts["accepted"] == 4
    bought = frame.with_columns(event=pl.lit("purchase"))
    assert read(bought).counts["accepted"] == 4
    others = frame.with_columns(item_id=pl.Series(["a", "b", "a", "a"]))
    assert read(others).counts["accepted"] == 4
    slates = frame.with_columns(slate_id=pl.Series(["1", "2", "3", "4"]))
    assert read(slates).counts["accepted"] == 4


def test_a_burst_of_moments_teaches_nobody_else_and_a_basket_is_no_burst() -> None:
    n = 200
    bot = pl.DataFrame(
        {
            "user_id": ["bot"] * n,
            "item_id": [f"i{i}" for i in range(n)],
            "timestamp": [NOW - 1000 + i for i in range(n)],
        }
    )
    basket = bot.with_columns(user_id=pl.lit("shopper"), timestamp=pl.lit(NOW - 1000.0))
    person = bot.with_columns(
        user_id=pl.lit("person"), timestamp=NOW - 90_000 + 60.0 * pl.int_range(n)
    )
    late = bot.head(1).with_columns(timestamp=pl.lit(NOW - 1.0))
    intake = read(pl.concat([bot, late, basket, person], how="vertical_relaxed"))
    shared = intake.frame.group_by("user_id").agg(pl.col("shared").sum(), pl.len())
    weights = {user: (weight, rows) for user, weight, rows in shared.iter_rows()}
    assert weights == {"bot": (1.0, n + 1), "shopper": (n, n), "person": (n, n)}
    assert intake.counts["burst"] == n
    assert intake.counts["quarantined"] == 0
    assert read(bot, off=("burst",)).frame["shared"].sum() == n


def test_milliseconds_of_a_whole_column_are_converted_and_reported() -> None:
    frame = table(item_id=["a", "b", "c"]).with_columns(pl.col("timestamp") * 1000)
    intake = read(frame)
    assert intake.counts["timestamp_in_other_unit"] == 3
    assert any("milliseconds" in note for note in intake.notes)
    assert intake.frame["timestamp"].to_list()[-1] == NOW * 1_000_000
    calls = [Event("u", f"i{i}", timestamp=(NOW - i) * 1000) for i in range(3)]
    assert read(calls).counts["timestamp_in_other_unit"] == 3


def test_impossible_times_are_kept_aside() -> None:
    times = [NOW, NOW - 1, NOW - 2, 0.0, -5.0, NOW + 90_000, None, float("nan")]
    frame = table(timestamp=times).with_columns(item_id=pl.Series(list("abcdefgh")))
    intake = read(frame)
    assert intake.counts["accepted"] == 3
    assert intake.quarantined["reason"].to_list() == [
        "timestamp_impossible",
        "timestamp_impossible",
        "timestamp_in_future",
        "timestamp_missing",
        "timestamp_unreadable",
    ]
    assert read(frame, future_file=100_000).counts["accepted"] == 4
    assert read(frame, off=("timestamp_in_future",)).counts["accepted"] == 4


def test_a_zero_time_is_believed_where_times_are_small() -> None:
    assert read(table(timestamp=[0.0, 1.0, 2.0])).counts["accepted"] == 3


def test_an_undated_file_keeps_the_order_of_each_person() -> None:
    frame = pl.DataFrame({"user_id": list("aabab"), "item_id": list("xyzxx")})
    intake = read(frame)
    assert intake.counts["undated"] == 5
    assert any("no row has a time" in note for note in intake.notes)
    a = intake.frame.filter(pl.col("user_id") == "a")
    assert a["item_id"].to_list() == ["x", "y", "x"]
    assert a["timestamp"].to_list() == [(NOW - 3600 * k) * 1_000_000 for k in (2, 1, 0)]
    assert intake.frame.filter(pl.col("user_id") == "b")["timestamp"].max() == NOW * 1_000_000


def test_repetitions_in_an_undated_file_are_events_and_read_again_add_nothing() -> None:
    frame = pl.DataFrame({"user_id": ["a"] * 3, "item_id": ["x"] * 3})
    first, later = read(frame), read(frame, now=NOW + 86_400)
    assert first.counts["accepted"] == 3
    assert set(first.frame["key"]) == set(later.frame["key"])
    longer = read(pl.concat([frame, frame]), now=NOW + 86_400)
    assert set(first.frame["key"]) < set(longer.frame["key"])


def test_an_undated_file_may_keep_the_order_of_rows_or_be_refused() -> None:
    frame = pl.DataFrame({"user_id": list("ab"), "item_id": list("xy"), "timestamp": [None, None]})
    rows = read(frame, undated="by_row", undated_gap=1.0)
    assert rows.frame["timestamp"].to_list() == [(NOW - 1) * 1_000_000, NOW * 1_000_000]
    with pytest.raises(InvalidInput, match="expected a time"):
        read(frame, undated="refuse")
    many = pl.DataFrame({"user_id": ["a"] * 50_000, "item_id": ["x"] * 50_000})
    assert read(many, undated_gap=1e6).frame["timestamp"].min() > 0


def test_calls_without_a_time_are_now_not_undated() -> None:
    intake = read([Event("u", "a"), {"user_id": "u", "item_id": "b"}])
    assert intake.frame["timestamp"].unique().to_list() == [NOW * 1_000_000]
    assert "undated" not in intake.counts


def test_values_that_are_no_numbers_are_kept_aside() -> None:
    frame = table(value=["1", "", None, "much", "nan", "inf", "1e13"])
    intake = read(frame)
    assert intake.frame["value"].drop_nulls().to_list() == [1.0]
    assert intake.counts["accepted"] == 3
    assert intake.counts["value_unreadable"] == 1
    assert intake.counts["value_not_finite"] == 2
    assert intake.counts["value_too_large"] == 1


def test_outliers_are_clipped_by_kind_and_keep_what_they_were() -> None:
    n = 500
    rng = np.random.default_rng(0)
    value = rng.integers(1, 20, n).astype(float)
    value[7] = 80_995.0
    frame = table(value=list(value), event=["purchase"] * n).with_columns(device=pl.lit("tv"))
    intake = read(frame)
    hit = intake.frame.filter(pl.col("context").str.contains("raw_value"))
    assert hit.height == intake.counts["value_clipped"] == 1
    assert json.loads(hit["context"][0]) == {"device": "tv", "raw_value": 80_995.0}
    assert 20 < hit["value"][0] < 2000
    assert any("were clipped" in note for note in intake.notes)
    assert read(frame, off=("value_clipped",)).frame["value"].max() == 80_995.0
    assert "value_clipped" not in read(frame.head(50)).counts


def test_zeros_and_ones_are_never_outliers() -> None:
    frame = table(value=[0.0] * 995 + [1.0] * 5, event=["impression"] * 1000)
    assert "value_clipped" not in read(frame).counts


def test_the_rating_scale_is_detected_and_ratings_beyond_it_are_clipped() -> None:
    stars = [1.0, 2.0, 3.0, 4.0, 5.0] * 400
    intake = read(table(value=[*stars, 999.0], event=["rating"] * 2001))
    assert intake.scales == {"rating": (1.0, 5.0)}
    assert intake.frame["value"].max() == 5.0
    assert read(table(value=[8.0] * 10, event=["rating"] * 10)).frame["value"].max() == 8.0


def test_a_purchase_of_less_than_nothing_is_a_return() -> None:
    frame = table(value=[2.0, -2.0], event=["purchase"] * 2)
    intake = read(frame)
    assert sorted(intake.frame["event"]) == ["purchase", "return"]
    assert intake.counts["negative_purchase"] == 1
    assert "return" not in read(frame, off=("negative_purchase",)).frame["event"].to_list()


def test_texts_beyond_the_limit_are_cut_between_characters() -> None:
    intake = read(table(text=["é" * 100, "short"]), text_limit=11)
    assert sorted(t or "" for t in intake.frame["text"]) == ["short", "é" * 5]
    assert intake.counts["text_truncated"] == 1


def test_empty_event_ids_are_no_ids() -> None:
    intake = read(table(item_id=["a", "b"], event_id=["", ""], slate_id=["", "s"]))
    assert intake.counts["accepted"] == 2
    assert sorted(s or "" for s in intake.frame["slate_id"]) == ["", "s"]
    assert (
        read([Event("u", "a", event_id=""), Event("u", "b", event_id="")]).counts["accepted"] == 2
    )


def test_kinds_are_named_where_nobody_knows_them() -> None:
    intake = read(table(event=["click", "Add to Cart", "pondered"]))
    assert intake.counts["kind_unknown"] == 1
    assert any("'pondered'" in note for note in intake.notes)


def test_a_column_of_kinds_that_is_none_is_an_error() -> None:
    with pytest.raises(InvalidInput, match="a few kinds"):
        read(table(event=[f"k{i}" for i in range(1001)]))


def test_ids_of_other_types_become_text() -> None:
    floats = pd.DataFrame({"user_id": [1.0, None, 2.5], "item_id": [7, 8, 9], "ts": [1, 2, 3]})
    intake = read(floats)
    assert intake.frame["user_id"].to_list() == ["1"]
    assert intake.frame["item_id"].to_list() == ["7"]
    assert intake.counts["id_from_float"] == 1
    assert sorted(intake.quarantined["reason"]) == ["user_id_missing", "user_id_unreadable"]
    with pytest.raises(InvalidInput, match="'user_id' holds"):
        read(pl.DataFrame({"user_id": [[1]], "item_id": ["i"]}))


def test_context_is_joined_from_objects_text_and_columns() -> None:
    frame = table(context=['{"a": 1}', "{}", "not json", None]).with_columns(
        device=pl.Series(["tv", None, None, None]),
        price=pl.Series([1.5, float("nan"), None, 2.0]),
        when=pl.Series([datetime(2024, 1, 1)] + [None] * 3),
    )
    contexts = {
        row["user_id"]: json.loads(row["context"] or "{}")
        for row in read(frame, columns={"timestamp": "timestamp"}).frame.iter_rows(named=True)
    }
    assert contexts["u0"]["a"] == 1
    assert contexts["u0"]["device"] == "tv"
    assert contexts["u1"] == {}
    assert contexts["u2"] == {"context": "not json"}
    assert contexts["u3"] == {"price": 2.0}


def test_wrong_columns_are_errors_that_name_what_came() -> None:
    with pytest.raises(InvalidInput, match="'item_id' or 'text'"):
        read(pl.DataFrame({"user_id": ["u"], "value": [1]}))
    with pytest.raises(InvalidInput, match="'user_id'"):
        read(pl.DataFrame({"who": ["u"], "item_id": ["i"]}))
    with pytest.raises(InvalidInput, match="claim it"):
        read(pl.DataFrame({"user_id": ["u"], "item_id": ["i"], "date": ["2024"], "ts": [1]}))
    chosen = read(
        pl.DataFrame({"who": ["u"], "item_id": ["i"], "date": ["x"], "ts": [1]}),
        columns={"user_id": "who", "timestamp": "ts"},
    )
    assert chosen.frame["timestamp"].to_list() == [1_000_000]


def test_nothing_is_an_empty_outcome_and_an_empty_frame_an_error() -> None:
    assert read([]).counts["rows"] == 0
    assert read(table(user_id=["u"]).head(0)).counts["rows"] == 0
    with pytest.raises(InvalidInput, match="no columns"):
        read(pl.DataFrame())


def test_objects_of_several_shapes_are_each_understood() -> None:
    rows = [
        {"user_id": "a", "item_id": "x", "rating": 4},
        {"userId": "b", "sku": "y", "quantity": 2},
        Event("c", "z"),
    ]
    kinds = {r["user_id"]: r["event"] for r in read(rows).frame.iter_rows(named=True)}
    assert kinds == {"a": "rating", "b": "purchase", "c": "click"}


def test_now_bounds_what_is_believed() -> None:
    frame = table(item_id=["a", "b"])
    early = read(frame, now=NOW - 500, future_file=0)
    assert early.frame["item_id"].to_list() == ["b"]


CELL = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.datetimes(timezones=st.just(UTC)),
)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.fixed_dictionaries(
            {},
            optional={
                "user_id": CELL,
                "item_id": CELL,
                "event": st.sampled_from(["click", "dwell", "purchase", "rating"]) | CELL,
                "timestamp": st.floats(0, NOW) | CELL,
                "value": CELL,
                "text": CELL,
                "event_id": CELL,
                "context": st.dictionaries(st.text(max_size=3), CELL, max_size=2) | CELL,
                "device": CELL,
            },
        ),
        max_size=8,
    )
)
def test_whatever_is_said_nothing_is_lost(rows: list[dict[str, Any]]) -> None:
    if not any("user_id" in r for r in rows) or not any(
        {"item_id", "text"} & r.keys() for r in rows
    ):
        rows = [*rows, {"user_id": "u", "item_id": "i"}]
    intake = read(rows)
    assert intake.counts["rows"] == len(rows)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.text(max_size=20), st.text(max_size=20)), min_size=1, max_size=20))
def test_any_text_is_an_id(pairs: list[tuple[str, str]]) -> None:
    frame = pl.DataFrame(pairs, schema={"user_id": pl.String, "item_id": pl.String}, orient="row")
    frame = frame.with_columns(timestamp=10.0 * pl.int_range(len(pairs)))
    intake = read(frame)
    kept = list(zip(intake.frame["user_id"], intake.frame["item_id"], strict=True))
    assert kept == [p for p in pairs if p[0] and p[1]]
