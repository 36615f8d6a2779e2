"""The catalogue in memory equals the rows it was told of, in whatever pieces they came."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penchant.store.columns import ItemColumns
from penchant.store.frames import ITEMS

DAY = 86_400.0


def row(number: int, **rest: object) -> dict[str, object]:
    blank = {
        "item_id": f"i{number}",
        "title": f"Title {number}",
        "description": "",
        "category": None,
        "tags": [],
        "price": None,
        "released": None,
        "stock_from": None,
        "stock_until": None,
        "attributes": "{}",
        "removed": False,
        "number": number,
    }
    return {**blank, **rest}


def frame(*rows: dict[str, object]) -> pl.DataFrame:
    schema = {**ITEMS, "number": pl.Int64, "removed": pl.Boolean}
    return pl.DataFrame(list(rows), schema=schema)


def test_a_row_is_read_into_columns() -> None:
    columns = ItemColumns()
    numbers = columns.apply(
        frame(
            row(0, category="film", tags=["slow", "film", "slow"], price=2.5),
            row(1, title="", released=int(3 * DAY * 1e6), removed=True),
        )
    )
    assert numbers.tolist() == [0, 1]
    assert columns.n == 2
    assert columns.ids == ["i0", "i1"]
    assert columns.titles == ["Title 0", ""]
    assert columns.price[0] == 2.5
    assert np.isnan(columns.price[1])
    assert columns.categories[columns.category[0]] == "film"
    assert columns.category[1] == -1
    assert columns.released[:2].tolist() == [np.inf, 3 * DAY]
    assert columns.retired[:2].tolist() == [False, True]
    assert columns.tags_of(0) == ("slow", "film", "slow")
    assert columns.tags_of(1) == ()


def test_ids_become_numbers() -> None:
    columns = ItemColumns()
    columns.apply(frame(row(0), row(1)))
    assert columns.numbers(["i1", "elsewhere", "i0"]).tolist() == [1, -1, 0]
    assert columns.numbers([]).dtype == np.int32
    assert columns.number_of["i1"] == 1


def test_what_may_be_shown_is_neither_retired_nor_out_of_stock() -> None:
    columns = ItemColumns()
    columns.apply(
        frame(
            row(0),
            row(1, removed=True),
            row(2, stock_from=int(10e6)),
            row(3, stock_until=int(10e6)),
            row(4, stock_from=int(5e6), stock_until=int(20e6)),
        )
    )
    assert columns.servable(1.0).tolist() == [True, False, False, True, False]
    assert columns.servable(10.0).tolist() == [True, False, True, True, True]
    assert columns.servable(21.0).tolist() == [True, False, True, False, False]
    mask = columns.servable(1.0)
    mask[:] = False
    assert columns.servable(1.0).any()


def test_a_row_that_was_not_told_of_yet_is_not_shown() -> None:
    columns = ItemColumns()
    columns.apply(frame(row(0), row(3)))
    assert columns.n == 4
    assert columns.servable(0.0).tolist() == [True, False, False, True]
    columns.apply(frame(row(1), row(2, removed=True)))
    assert columns.servable(0.0).tolist() == [True, True, False, True]


def test_a_changed_row_replaces_all_that_was_known() -> None:
    columns = ItemColumns()
    columns.apply(frame(row(0, category="film", tags=["slow"], price=2.0, removed=True)))
    before = columns.version
    columns.apply(frame(row(0, title="New", category="book")))
    assert columns.version > before
    assert columns.titles == ["New"]
    assert columns.tags_of(0) == ()
    assert np.isnan(columns.price[0])
    assert not columns.retired[0]
    assert columns.apply(frame()).tolist() == []
    assert columns.n == 1


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 40), st.sampled_from(["a", "b", None]), st.floats(0, 9), st.booleans()
        ),
        max_size=30,
    ),
    st.integers(1, 7),
)
def test_pieces_add_up_to_the_whole(changes, size) -> None:
    """Numbers may come with gaps while others are on their way; the last word counts."""
    rows = [
        row(number, category=category, price=price, removed=removed)
        for number, category, price, removed in changes
    ]
    pieces = ItemColumns()
    for begin in range(0, len(rows), size):
        pieces.apply(frame(*rows[begin : begin + size]))
    last = {r["number"]: r for r in rows}
    whole = ItemColumns()
    whole.apply(frame(*last.values()))
    assert pieces.n == whole.n == max(last, default=-1) + 1
    n = whole.n
    assert pieces.ids == whole.ids
    np.testing.assert_array_equal(pieces.price[:n], whole.price[:n])
    np.testing.assert_array_equal(pieces.retired[:n], whole.retired[:n])
    assert [pieces.tags_of(i) for i in range(n)] == [whole.tags_of(i) for i in range(n)]
    assert pieces.servable(0.0).tolist() == whole.servable(0.0).tolist()


def test_thousands_of_rows_one_at_a_time() -> None:
    columns = ItemColumns()
    for number in range(3000):
        columns.apply(frame(row(number, price=float(number))))
    assert columns.n == 3000
    assert columns.price[:3000].tolist() == list(range(3000))
    assert len(columns.price) >= 3000


@pytest.mark.parametrize("text", ["emoji 🎬", "中文", "ספר"])
def test_any_script_is_kept(text: str) -> None:
    columns = ItemColumns()
    columns.apply(frame(row(0, item_id=text, title=text, category=text, tags=[text])))
    assert columns.ids == columns.titles == [text]
    assert columns.tags_of(0) == (text,)
    assert columns.numbers([text]).tolist() == [0]
