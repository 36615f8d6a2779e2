"""Features by hand: what each column says of a candidate in a world of five items."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl
import pytest

from numbered import DAY, NOW, query, rows, state
from penchant.interests.state import State
from penchant.rank.features import ITEM, MATCH, PERSON, FeatureBuilder
from penchant.recall.popularity import Popularity
from penchant.store.columns import ItemColumns
from penchant.store.vectors import Vectors
from penchant.types import Candidates

NAN = float("nan")
SOURCES = ("one", "two")
# Item 0 was wanted now and 7 days ago, item 1 a day ago, item 2 thirty days ago, 3 and 4 never.
WANTED = [(0, NOW), (0, NOW - 7 * DAY), (1, NOW - DAY), (2, NOW - 30 * DAY)]
VECTORS = np.array([[1, 0], [0.6, 0.8], [0, 1], [-1, 0], [NAN, NAN]], dtype=np.float32)
SCORES = np.array([[3, NAN], [1, 2], [NAN, NAN], [2, 2], [-1, 5]], dtype=np.float32)


def catalogue() -> ItemColumns:
    out = ItemColumns()
    frame = rows(
        pl.DataFrame(
            {
                "item_id": list("abcde"),
                "title": [""] * 5,
                "description": [""] * 5,
                "category": ["x", "y", "x", None, "z"],
            }
        )
    )
    released = [int((NOW - days * DAY) * 1e6) for days in (10, 1)] + [None] * 3
    out.apply(
        frame.with_columns(
            price=pl.Series([2.0, 8.0, None, 4.0, 0.0]),
            released=pl.Series(released, dtype=pl.Int64),
        )
    )
    return out


@pytest.fixture(scope="module")
def builder() -> FeatureBuilder:
    items = np.array([item for item, _ in WANTED], dtype=np.int32)
    times = np.array([time for _, time in WANTED])
    return FeatureBuilder(SOURCES, Popularity(items, times), catalogue(), Vectors(VECTORS))


def built(builder: FeatureBuilder, person: State, items: list[int] | None = None):
    numbers = np.arange(5, dtype=np.int32) if items is None else np.array(items, dtype=np.int32)
    pool = Candidates(
        items=numbers,
        scores=np.zeros(len(numbers), dtype=np.float32),
        features=SCORES[numbers],
        names=SOURCES,
        origin=np.zeros(len(numbers), dtype=np.uint32),
        sources=SOURCES,
    )
    out = builder(query(n_items=5), person, pool)
    assert out.features.shape == (len(numbers), len(out.names))
    return dict(zip(out.names, out.features.T, strict=True))


PERSON_OF_TWO = state(
    np.array([0, 1], dtype=np.int32), times=[NOW - 2 * DAY, NOW - DAY], strengths=[1, 1]
)
NOBODY = state(np.zeros(0, dtype=np.int32))


def log1p(*values: float) -> list[float]:
    return np.log1p(values).tolist()


KNOWN: Mapping[str, list[float]] = {
    "one": [3, 1, NAN, 2, -1],
    "one_rank": [1, 1 / 3, 0, 1 / 2, 1 / 4],
    "two_rank": [0, 1 / 2, 0, 1 / 3, 1],  # a tie goes to the smaller number
    "popular_1d": log1p(1 + 2**-7, 0.5, 2**-30, 0, 0),
    "popular_7d": log1p(1.5, 2 ** (-1 / 7), 2 ** (-30 / 7), 0, 0),
    "popular_30d": log1p(1 + 2 ** (-7 / 30), 2 ** (-1 / 30), 0.5, 0, 0),
    "popular_7d_rank": np.log2([1, 2, 3, 4, 4]).tolist(),
    "days_since_first": [*log1p(7, 1, 30), NAN, NAN],
    "days_since_last": [*log1p(0, 1, 30), NAN, NAN],
    "days_since_release": [*log1p(10, 1), NAN, NAN, NAN],
    "history": log1p(2) * 5,
    "moments": log1p(2) * 5,
    "gap_days": log1p(24) * 5,
    "same_moment": [0] * 5,
    "moment_size": log1p(1) * 5,
    "session_size": log1p(1) * 5,
    "category_share": [0.5, 0.5, 0.5, NAN, 0],
    "category_share_recent": [*(np.array([0.5**0.5, 1, 0.5**0.5]) / (1 + 0.5**0.5)), NAN, 0],
    "price": [*log1p(2, 8), NAN, *log1p(4, 0)],
    "price_ratio": [*np.log([0.5, 2]), NAN, 0, np.log(0.01 / 4)],
    "text_last": [0.6, 1, 0.8, -0.6, NAN],
    "text_recent": [0.8, 0.8, 0.4, -0.8, NAN],
    "text_best": [1, 1, 0.8, -0.6, NAN],
}


@pytest.mark.parametrize("name", KNOWN)
def test_a_column_by_hand(builder: FeatureBuilder, name: str) -> None:
    got = built(builder, PERSON_OF_TWO)[name]
    np.testing.assert_allclose(got, KNOWN[name], rtol=1e-4, atol=1e-5)


def test_gaps_are_standard_deviations_below_the_best(builder: FeatureBuilder) -> None:
    got = built(builder, PERSON_OF_TWO)["one_gap"]
    known = np.array([3, 1, 2, -1.0])
    want = (known - 3) / known.std()
    np.testing.assert_allclose(got[[0, 1, 3, 4]], want, rtol=1e-4)
    assert np.isnan(got[2])


def test_a_source_without_opinions_says_nothing_of_anybody(builder: FeatureBuilder) -> None:
    columns = built(builder, PERSON_OF_TWO, [2])
    for source in SOURCES:
        assert np.isnan(columns[source]).all()
        assert columns[f"{source}_rank"].tolist() == [0]
        assert np.isnan(columns[f"{source}_gap"]).all()


def test_who_competes_alone_is_first_and_the_best(builder: FeatureBuilder) -> None:
    columns = built(builder, PERSON_OF_TWO, [3])
    for source in SOURCES:
        assert columns[f"{source}_rank"].tolist() == [1]
        assert columns[f"{source}_gap"].tolist() == [0]


def test_slopes_compare_the_last_days_with_the_usual(builder: FeatureBuilder) -> None:
    columns = built(builder, PERSON_OF_TWO)
    day, week, month = (np.expm1(columns[f"popular_{d}d"]) for d in (1, 7, 30))
    np.testing.assert_allclose(
        columns["slope_1d_7d"], np.log((7 * day + 1) / (week + 1)), rtol=1e-4, atol=1e-6
    )
    np.testing.assert_allclose(
        columns["slope_7d_30d"], np.log((4 * week + 1) / (month + 1)), rtol=1e-4, atol=1e-6
    )
    assert columns["slope_1d_7d"][1] > columns["slope_1d_7d"][2]


def test_a_basket_is_told_from_a_return(builder: FeatureBuilder) -> None:
    basket = state(
        np.array([2, 0, 1], dtype=np.int32), times=[NOW - 600, NOW, NOW], strengths=[1, 1, 1]
    )
    columns = built(builder, basket)
    assert columns["same_moment"][0] == 1
    assert columns["moment_size"][0] == pytest.approx(np.log1p(2))
    assert columns["session_size"][0] == pytest.approx(np.log1p(3))
    assert columns["gap_days"][0] == 0
    assert columns["moments"][0] == pytest.approx(np.log1p(2))


def test_of_somebody_new_only_the_items_are_known(builder: FeatureBuilder) -> None:
    columns = built(builder, NOBODY)
    for name in (*PERSON[1:], *(n for n in MATCH if n != "price")):
        assert np.isnan(columns[name]).all(), name
    assert not columns["history"].any()
    for name in ITEM:
        np.testing.assert_array_equal(columns[name], built(builder, PERSON_OF_TWO)[name])


def test_rejections_make_no_history(builder: FeatureBuilder) -> None:
    rejected = state(np.array([0], dtype=np.int32), strengths=[-1])
    for name, column in built(builder, rejected).items():
        np.testing.assert_array_equal(column, built(builder, NOBODY)[name])


def test_a_candidate_has_the_same_columns_in_any_company(builder: FeatureBuilder) -> None:
    """But for ranks and gaps, which are of the pool."""
    alone, crowd = built(builder, PERSON_OF_TWO, [1]), built(builder, PERSON_OF_TWO)
    for name, column in crowd.items():
        if not name.endswith(("_gap",)) and name not in ("one_rank", "two_rank"):
            np.testing.assert_allclose(alone[name], column[[1]], rtol=1e-5)


def test_nothing_after_now_is_read(builder: FeatureBuilder) -> None:
    items = np.array([item for item, _ in [*WANTED, (3, NOW + 1)]], dtype=np.int32)
    times = np.array([time for _, time in [*WANTED, (3, NOW + 1)]])
    later = FeatureBuilder(SOURCES, Popularity(items, times), catalogue(), Vectors(VECTORS))
    for name, column in built(later, PERSON_OF_TWO).items():
        np.testing.assert_array_equal(column, built(builder, PERSON_OF_TWO)[name])


def test_without_text_prices_or_categories_columns_are_unknown() -> None:
    plain = ItemColumns()
    plain.apply(
        rows(
            pl.DataFrame(
                {"item_id": list("abcde"), "title": [""] * 5, "description": [""] * 5}
            ).with_columns(category=pl.lit(None, dtype=pl.String))
        )
    )
    bare = FeatureBuilder(SOURCES, Popularity(), plain, Vectors())
    columns = built(bare, PERSON_OF_TWO)
    for name in MATCH:
        assert np.isnan(columns[name]).all(), name
    assert np.isfinite(columns["popular_ever"]).all()


def test_an_empty_pool_has_no_rows(builder: FeatureBuilder) -> None:
    assert built(builder, PERSON_OF_TWO, [])["price"].shape == (0,)


def test_a_source_more_is_three_columns_more(builder: FeatureBuilder) -> None:
    """Questions in words have one: what is known without them stays what it was."""
    without = built(builder, PERSON_OF_TWO)
    pool = Candidates(
        items=np.arange(5, dtype=np.int32),
        scores=np.zeros(5, dtype=np.float32),
        features=np.column_stack((SCORES, [NAN, 0.2, NAN, 1.4, NAN])).astype(np.float32),
        names=(*SOURCES, "lexical"),
        origin=np.zeros(5, dtype=np.uint32),
        sources=(*SOURCES, "lexical"),
    )
    out = builder(query(n_items=5), PERSON_OF_TWO, pool)
    having = dict(zip(out.names, out.features.T, strict=True))
    assert set(having) - set(without) == {"lexical", "lexical_rank", "lexical_gap"}
    for name, column in without.items():
        np.testing.assert_array_equal(having[name], column)
    np.testing.assert_allclose(having["lexical_rank"], [0, 0.5, 0, 1, 0])
