"""Tags and category paths in the forms that catalogues have them."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from penchant.ingest.wording import cut, one_category, one_text, split_tags


@pytest.mark.parametrize(
    ("cells", "tags", "separator"),
    [
        (["a|b, c", "d"], [["a", "b, c"], ["d"]], "|"),
        (["a;b, c"], [["a", "b, c"]], ";"),
        (["a, b ,a,", None], [["a", "b"], []], ","),
        (["one tag"], [["one tag"]], None),
        (['["a|x", "b"]', "c|d"], [["a|x", "b"], ["c", "d"]], "|"),
        (["[no list]"], [["[no list]"]], None),
        ([["a", " a ", ""], None], [["a"], []], None),
        ([[1, 2]], [["1", "2"]], None),
    ],
)
def test_tags(cells: list[Any], tags: list[list[str]], separator: str | None) -> None:
    found, used = split_tags(pl.Series("tags", cells))
    assert found.to_list() == tags
    assert used == separator


def test_a_typed_sequence_is_split_at_spaces() -> None:
    found, used = split_tags(pl.Series(["Action Sci-Fi"]), spaced=True)
    assert found.to_list() == [["Action", "Sci-Fi"]]
    assert used == " "


@pytest.mark.parametrize(
    ("cells", "wanted"),
    [
        (["Books", "", " ", None], ["Books", None, None, None]),
        ([["Books", "Space"], []], ["Books > Space", None]),
        ([["A > B", "C > D"]], ["A > B"]),
        ([[["A", "B"], ["C"]]], ["A > B"]),
    ],
)
def test_categories(cells: list[Any], wanted: list[str | None]) -> None:
    assert one_category(pl.Series("category", cells)).to_list() == wanted


def test_paragraphs_are_joined() -> None:
    assert one_text(pl.Series([["a", None, "b"], []])).to_list() == ["a\nb", None]


def test_a_text_is_never_cut_inside_a_character() -> None:
    texts, many = cut(pl.Series(["😀😀", "abc", None]), 5)
    assert texts.to_list() == ["😀", "abc", None]
    assert many == 1
