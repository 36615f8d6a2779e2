"""Columns fold into JSON objects and spread back; nothing missing gets a key."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penchant.ingest.attributes import dumps, fold, rows_as_json, spread


def test_cells_of_every_type_have_a_form() -> None:
    frame = pl.DataFrame(
        {
            "text": ['say "x"\n', None],
            "number": [1.5, float("nan")],
            "whole": [3, None],
            "truth": [True, None],
            "day": [date(2024, 1, 2), None],
            "moment": [datetime(2024, 1, 2, 3), None],
            "list": [["a"], None],
            "struct": [{"x": 1}, None],
            "money": [Decimal("1.50"), None],
            "kind": pl.Series(["k", None], dtype=pl.Categorical),
            "bytes": [b"\xff", None],
            "object": pl.Series([object, None], dtype=pl.Object),
        }
    )
    full, empty = fold(frame, {c: c.upper() for c in frame.columns}).to_list()
    assert empty is None
    found = json.loads(full)
    assert found["TEXT"] == 'say "x"\n'
    assert found["NUMBER"] == found["MONEY"] == 1.5
    assert (found["WHOLE"], found["TRUTH"]) == (3, True)
    assert found["DAY"] == "2024-01-02"
    assert found["MOMENT"].startswith("2024-01-02 03:00:00")
    assert (found["LIST"], found["STRUCT"], found["KIND"]) == (["a"], {"x": 1}, "k")
    assert found["BYTES"] == "/w=="
    assert rows_as_json(pl.DataFrame({"a": [None]})).to_list() == ["{}"]


def test_a_column_of_structs_or_objects_is_joined() -> None:
    frame = pl.DataFrame(
        {"context": [{"a": 1, "b": None}, {"a": None, "b": None}], "c": ["x", None]}
    )
    assert fold(frame, {"c": "c"}, into="context").to_list() == ['{"a":1,"c":"x"}', None]


def test_python_values_are_written_plainly() -> None:
    value = {
        "a": np.float32(0.5),
        "b": [np.int64(1), (2,), {3}],
        "c": float("nan"),
        "d": date(2024, 1, 2),
        "e": {5: np.array([1])},
    }
    assert json.loads(dumps(value)) == {
        "a": 0.5,
        "b": [1, [2], [3]],
        "c": None,
        "d": "2024-01-02",
        "e": {"5": [1]},
    }
    with pytest.raises(TypeError, match="no form in JSON"):
        dumps({"x": timedelta(1)})


def test_objects_spread_into_typed_columns() -> None:
    frame = spread(['{"year": 1990, "hot": true}', "{}", '{"year": 2.5, "cast": ["x"]}', ""])
    assert frame.to_dict(as_series=False) == {
        "year": [1990.0, None, 2.5, None],
        "hot": [True, None, None, None],
        "cast": [None, None, ["x"], None],
    }
    assert spread(['{"a": 1}', '{"a": "x"}'])["a"].to_list() == ["1", "x"]
    assert spread(['{"a": 1}', f'{{"a": {10**30}}}'])["a"].to_list() == [1.0, 1e30]
    assert spread(['{"a": {"b": 1}}'])["a"].to_list() == ['{"b": 1}']
    assert spread([]).height == 0


VALUES = st.none() | st.booleans() | st.integers(-(2**62), 2**62) | st.text(max_size=6)


@settings(deadline=None)
@given(st.lists(st.dictionaries(st.text(max_size=4), VALUES, max_size=3), min_size=1, max_size=5))
def test_what_is_written_is_read_back(rows: list[dict[str, Any]]) -> None:
    texts = [dumps(row) for row in rows]
    assert [json.loads(t) for t in texts] == rows
    frame = spread(texts)
    for name in frame.columns:
        for row, value in zip(rows, frame[name].to_list(), strict=True):
            assert (value is None) == (row.get(name) is None)
