"""What search by words reads: names in any language, texts of attributes, and no addresses."""

from __future__ import annotations

import json
import time

import polars as pl
import pytest

from penchant.evaluate.simulate.shelf import films, items
from penchant.language.searchable import Searchable
from penchant.language.template import Template, TextConfig

SAMURAI = {
    "title": "Seven Samurai",
    "category": "drama",
    "tags": ["drama", "war"],
    "description": "Farmers hire seven swordsmen.",
    "attributes": {
        "title_zh": "七武士",
        "sentence_zh": "穷村庄请来几名浪人。",
        "director": "Akira Kurosawa",
        "tags": ["drama", "war"],
        "year": 1954,
        "url": "https://example.org/seven-samurai",
        "aliases": ["Shichinin no samurai", "七人の侍", ""],
    },
}


def item(**attributes: object) -> dict[str, object]:
    return {"title": "Lamp", "description": "It shines.", "attributes": attributes}


def test_texts_of_all_languages_are_read_and_names_twice() -> None:
    read = Searchable().words(SAMURAI)
    assert read.names == ("Seven Samurai", "七武士", "Shichinin no samurai", "七人の侍")
    for said in ("Farmers hire", "穷村庄请来几名浪人", "Akira Kurosawa"):
        assert read.text.count(said) == 1, said
    for named in read.names:
        assert read.text.count(named) == 2, named
    assert "example.org" not in read.text
    assert read.text.count("war") == 1  # what the parts said is not said again


def test_an_encoder_still_reads_the_parts_only() -> None:
    assert "武士" not in Template().text(SAMURAI)


def test_json_text_and_frames_are_read_as_well() -> None:
    frame = pl.DataFrame(
        [{**SAMURAI, "attributes": json.dumps(SAMURAI["attributes"])}, {"title": None}],
        schema_overrides={"tags": pl.List(pl.String)},
    )
    whole, empty = Searchable()(frame)
    assert whole == Searchable().words(SAMURAI)
    assert (empty.names, empty.text.strip()) == (("",), "")


@pytest.mark.parametrize(
    "key",
    [
        "title_zh", "Title_ZH", "title-zh", "title_zh_hans", "name_pt_br", "zh_title", "titles_en",
        "original_title", "chinese_title", "original_name", "english_name", "aliases", "aka",
        "also_known_as",
    ],
)  # fmt: skip
def test_attributes_that_are_names(key: str) -> None:
    assert Searchable().words(item(**{key: "灯"})).names == ("Lamp", "灯")


@pytest.mark.parametrize(
    "key",
    [
        "brand_name", "author_name", "subtitle", "seo_title", "job_title", "name", "nickname",
        "title_length", "language", "color", "store_names",
    ],
)  # fmt: skip
def test_attributes_that_are_not(key: str) -> None:
    read = Searchable().words(item(**{key: "灯"}))
    assert read.names == ("Lamp",)
    assert read.text.count("灯") == 1


@pytest.mark.parametrize(
    "value",
    [
        "https://example.org/x", "www.example.org", "mailto:ann@example.org", "ann@example.org",
        "/images/lamp.png", "data:image/png;base64,AAAA", "2024-05-01", "12.5", "", "  ", "🚀",
        12, 1.5, True, None, {"a": "b"}, [0.1, 0.2], [], [["nested"]],
    ],
)  # fmt: skip
def test_what_is_no_text_is_not_read(value: object) -> None:
    assert Searchable().words(item(thing=value)).text == Searchable().words(item()).text


def test_what_is_read_and_what_are_names_can_be_said() -> None:
    config = TextConfig(search=("{title}", "{attributes.director}"), names=("director",))
    read = Searchable(config).words(SAMURAI)
    assert read.names == ("Seven Samurai", "Akira Kurosawa")
    assert "Farmers" not in read.text
    assert "武士" not in read.text
    # What is searched takes nothing from what an encoder reads.
    assert Template(config).text(SAMURAI) == Template().text(SAMURAI)


@pytest.mark.parametrize("attributes", ["not json", "[1]", "null", None, 7, ["x"]])
def test_attributes_that_are_damaged_are_none(attributes: object) -> None:
    read = Searchable().words({"title": "Lamp", "attributes": attributes})
    assert read.names == ("Lamp",)


def test_a_megabyte_of_attributes_is_cut() -> None:
    began = time.perf_counter()
    read = Searchable().words(item(text="灯 lamp " * 200_000, many=["word"] * 100_000))
    assert len(read.text) < 60_000
    assert time.perf_counter() - began < 1.0


def test_the_demo_shelf_is_found_by_both_names() -> None:
    shelf = items(pl.Series([0] * len(films())).cast(pl.Datetime("us")))
    for row, read in zip(films().iter_rows(named=True), Searchable()(shelf), strict=True):
        assert read.names == (row["title"], row["title_zh"])
        assert row["sentence_zh"] in read.text
        assert row["director"] in read.text
