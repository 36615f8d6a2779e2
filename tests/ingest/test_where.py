"""A where is parsed, never evaluated: what is no comparison is refused with its position."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penchant.ingest.where import InvalidWhere, compile_where
from penchant.types import InvalidInput

COLUMNS: dict[str, Any] = {
    "price": np.array([1.0, 5.0, np.nan, 20.0]),
    "title": ["red", "blue", None, "red wine"],
    "tags": [["a", "b"], [], None, ["b"]],
    "ok": np.array([True, False, True, False]),
    "none": [None] * 4,
    "year": [1990, 2000, None, 1999],
}


def rows(text: str, columns: Any = COLUMNS) -> list[int]:
    mask = compile_where(text).mask(columns)
    assert mask.dtype == np.bool_
    return np.flatnonzero(mask).tolist()


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("price < 10", [0, 1]),
        ("price <= 5 and title == 'red'", [0]),
        ("price > 4 or title == 'red'", [0, 1, 3]),
        ("1 <= price < 20", [0, 1]),
        ("price == 5", [1]),
        ("price != 5", [0, 3]),
        ("-1 < price", [0, 1, 3]),
        ("price < year", [0, 1, 3]),
        ("ok == True", [0, 2]),
        ("not (ok == True)", [1, 3]),
        ("title in ['red', 'blue']", [0, 1]),
        ("title not in ('red', 'blue')", [3]),
        ("price in [1, 20.0]", [0, 3]),
        ("price in []", []),
        ("'a' in tags", [0]),
        ("'a' not in tags", [1, 3]),
        ("'red' in title", [0, 3]),
        ("title\n == 'red'\tor\r\nyear == 2000", [0, 1]),
        ("  (((price < 2)))  ", [0]),
    ],
)
def test_conditions(text: str, wanted: list[int]) -> None:
    assert rows(text) == wanted
    frame = pl.DataFrame({n: pl.Series(n, c) for n, c in COLUMNS.items()})
    assert rows(text, frame) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("price == None", [2]),
        ("price != None", [0, 1, 3]),
        ("None == title", [2]),
        ("not price < 10", [3]),
        ("not (price == None)", [0, 1, 3]),
        ("title in ['red', None]", [0, 2]),
        ("title not in ['red', None]", [1, 3]),
        ("tags == None", [2]),
        ("none == 1", []),
        ("none != 1", []),
        ("none in [1, None]", [0, 1, 2, 3]),
        ("'a' in none", []),
        ("not none in [1]", []),
        ("price > 4 or price == None", [1, 2, 3]),
    ],
)
def test_a_missing_value_matches_nothing_but_none(text: str, wanted: list[int]) -> None:
    assert rows(text) == wanted


@pytest.mark.parametrize(
    ("text", "position", "said"),
    [
        ("price < 5 and rm('x') == 1", 15, "a call"),
        ("title.upper == 'A'", 1, "an attribute"),
        ("tags[0] == 'a'", 1, "an index"),
        ("(lambda: 1) == price", 2, "a lambda"),
        ("f'{price}' == title", 1, "an f-string"),
        ("price + 1 > 2", 1, "arithmetic"),
        ("price == (x := 5)", 11, "an assignment"),
        ("[p for p in tags] == price", 1, "ListComp"),
        ("price", 1, "write price == True"),
        ("True", 1, "a bare literal"),
        ("1 == 1", 1, "no column"),
        ("price is None", 10, "== None"),
        ("price == [1]", 10, "a list follows only"),
        ("price == b'x'", 10, "bare literal"),
        ("price == 1j", 10, "bare literal"),
        ("price in [year]", 11, "Name"),
        ("price < None", 9, "no order"),
        ("title == 'é' and é(1)", 18, "a call"),
        ("price <", None, "no comparison"),
        ("(price < 1", None, "no comparison"),
        ("import os", None, "no comparison"),
        ("not " * 40 + "price == 1", None, "deep"),
        ("(" * 300 + "price" + ")" * 300, None, "no comparison"),
        ("price in [" + "1," * 1001 + "]", None, "literals"),
        ("\x00", None, "no comparison"),
    ],
)
def test_anything_else_is_refused_with_its_position(
    text: str, position: int | None, said: str
) -> None:
    with pytest.raises(InvalidWhere, match=said) as caught:
        compile_where(text)
    assert position is None or caught.value.position == position


@pytest.mark.parametrize("text", ["", "   ", "p < 1 or " * 500 + "p < 1", None, 5])
def test_nothing_and_too_much_are_refused(text: Any) -> None:
    with pytest.raises(InvalidInput, match="expected where"):
        compile_where(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("colour == 'red'", "no column 'colour'; known are none, ok, price, tags, title, year"),
        ("price < 'a'", r"column 'price' \(number\) cannot be compared with 'a'"),
        ("title == 5", "cannot be compared with 5"),
        ("ok < True", "knows only == and !="),
        ("ok == 1", "cannot be compared"),
        ("tags == tags", "knows only"),
        ("5 in title", "'in' wants a list"),
        ("tags in ['a']", "cannot be"),
        ("price in tags", "cannot be compared so"),
        ("price == " + "9" * 100, "cannot be compared so"),
    ],
)
def test_what_the_columns_cannot_answer_is_an_error(text: str, said: str) -> None:
    with pytest.raises(InvalidWhere, match=said):
        compile_where(text).mask(COLUMNS)


def test_names_are_the_columns_compared() -> None:
    assert compile_where("price < 5 and 'a' in tags").names == {"price", "tags"}


def test_no_items_have_an_empty_mask() -> None:
    assert len(compile_where("price < 5").mask({"price": np.zeros(0)})) == 0


PRICE = st.none() | st.floats(-5, 5) | st.just(math.nan)


@settings(deadline=None)
@given(
    st.lists(PRICE, min_size=1, max_size=10),
    st.sampled_from(["<", "<=", ">", ">=", "==", "!="]),
    st.floats(-5, 5),
)
def test_a_comparison_and_its_negation_part_the_known_values(
    prices: list[float | None], op: str, bound: float
) -> None:
    columns = {"p": np.array([np.nan if p is None else p for p in prices])}
    yes = compile_where(f"p {op} {bound!r}").mask(columns)
    no = compile_where(f"not p {op} {bound!r}").mask(columns)
    expected = [
        p is not None and not math.isnan(p) and bool(eval(f"{p!r} {op} {bound!r}")) for p in prices
    ]
    assert yes.tolist() == expected
    assert (yes | no).tolist() == [p is not None and not math.isnan(p) for p in prices]
    assert not (yes & no).any()


@settings(deadline=None, max_examples=300)
@given(st.text(max_size=30))
def test_any_text_is_a_condition_or_an_error_of_ours(text: str) -> None:
    try:
        compile_where(text).mask(COLUMNS)
    except InvalidInput:
        return
    assert text.strip()


def test_a_mask_over_two_hundred_thousand_items_is_a_matter_of_milliseconds() -> None:
    n = 200_000
    rng = np.random.default_rng(0)
    frame = pl.DataFrame({"price": rng.random(n), "tags": [["a", "b"]] * n})
    condition = compile_where("price < 0.5 and 'a' in tags")
    spent = []
    for _ in range(5):
        start = time.perf_counter()
        assert condition.mask(frame).sum() == (frame["price"] < 0.5).sum()
        spent.append(time.perf_counter() - start)
    assert min(spent) < 0.05
