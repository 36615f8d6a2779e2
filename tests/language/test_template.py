from __future__ import annotations

import json
import time

import polars as pl
import pytest
from pydantic import ValidationError

from penchant.language.template import Template, TextConfig
from penchant.types import InvalidInput

ITEMS = pl.DataFrame(
    {
        "item_id": ["i1", "i2", "i3", "i4"],
        "title": ["Solaris", "星际旅行者", "", None],
        "description": ["A planet answers.", "solaris", "", None],
        "category": ["Film", None, "", None],
        "tags": [["space", "memory"], ["回忆", ""], [], None],
        "price": [9.5, None, float("nan"), None],
        "attributes": [
            json.dumps({"director": "A. Tarkovsky", "year": 1972, "cast": ["N. B.", "D. B."]}),
            "{}",
            "not json",
            None,
        ],
    },
    schema_overrides={"tags": pl.List(pl.String)},
)


def test_the_default_text_is_title_category_tags_description() -> None:
    assert Template()(ITEMS) == [
        "Solaris. Film. space, memory. A planet answers",
        "星际旅行者. 回忆. solaris",
        "",
        "",
    ]


def test_a_part_is_left_out_when_all_its_columns_are_empty() -> None:
    parts = (
        "{title}",
        "by {attributes.director} ({attributes.year})",
        "with {attributes.cast}",
        "at {price}",
    )
    texts = Template(TextConfig(parts=parts, separator=" | "))(ITEMS)
    assert texts == [
        "Solaris | by A. Tarkovsky (1972) | with N. B., D. B | at 9.5",
        "星际旅行者",
        "",
        "",
    ]


def test_what_was_said_is_not_said_again() -> None:
    item = {"title": "Blue garden hose", "category": "garden", "description": "BLUE GARDEN HOSE"}
    assert Template().text(item) == "Blue garden hose"


def test_absent_columns_are_empty() -> None:
    assert Template()(ITEMS.select("title")) == ["Solaris", "星际旅行者", "", ""]
    assert Template()(ITEMS.select("item_id")) == [""] * 4
    assert Template()(ITEMS.clear()) == []


def test_text_is_cut_and_huge_columns_are_cheap() -> None:
    item = {"title": "Hose", "description": "long 🌱 " * 2_000_000}
    started = time.perf_counter()
    text = Template(TextConfig(characters=100)).text(item)
    assert time.perf_counter() - started < 0.5
    assert text.startswith("Hose. long 🌱 long")
    assert len(text) <= 100


def test_a_brace_is_written_twice() -> None:
    assert Template(TextConfig(parts=("{{{title}}}",))).text({"title": "x"}) == "{x}"


@pytest.mark.parametrize(
    "part",
    [
        "{titel}",
        "{}",
        "{0}",
        "{title!r}",
        "{title:>9}",
        "{title.__class__}",
        "{attributes}",
        "{attributes.a.b}",
        "{attributes[a]}",
        "{title",
        "title}",
    ],
)
def test_a_template_that_cannot_be_filled_is_refused(part: str) -> None:
    with pytest.raises(InvalidInput, match="the text part"):
        Template(TextConfig(parts=(part,)))


def test_attribute_names_reach_no_python_attribute() -> None:
    config = TextConfig(parts=("{attributes.__class__}",))
    assert Template(config).text({"attributes": "{}"}) == ""


def test_the_configuration_is_frozen_and_knows_its_keys() -> None:
    with pytest.raises(ValidationError):
        TextConfig(part=("x",))  # type: ignore[call-arg]
    with pytest.raises(ValidationError):
        TextConfig(characters=0)
