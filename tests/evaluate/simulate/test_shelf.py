from __future__ import annotations

import json
import re
from collections import Counter

import numpy as np
import polars as pl
import pytest

from penchant.evaluate.simulate import genres
from penchant.evaluate.simulate.shelf import FILMS, decade, facets, films, items, links

ENGLISH = {"United States", "United Kingdom", "Ireland", "Canada", "Australia", "New Zealand"}


@pytest.fixture(scope="module")
def shelf() -> pl.DataFrame:
    return films()


def test_every_field_of_every_film_is_filled(shelf: pl.DataFrame) -> None:
    assert dict(shelf.schema) == dict(FILMS)
    assert 600 <= len(shelf) <= 800
    assert shelf.null_count().sum_horizontal().item() == 0
    for name in ("item_id", "title", "country", "director", "description"):
        assert (shelf[name].str.len_chars() > 0).all(), name
        assert (shelf[name] == shelf[name].str.strip_chars()).all(), name
    assert shelf["year"].is_between(1895, 2025).all()
    assert shelf["year"].is_sorted()


def test_ids_are_slugs_of_title_and_year_and_occur_once(shelf: pl.DataFrame) -> None:
    assert shelf["item_id"].is_unique().all()
    for item_id, year in shelf.select("item_id", "year").iter_rows():
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", item_id), item_id
        assert item_id.endswith(f"-{year}")
    assert "alien-1979" in shelf["item_id"]
    assert "true-grit-1969" in shelf["item_id"]
    assert "true-grit-2010" in shelf["item_id"]


def test_genres_and_themes_are_small_vocabularies_that_are_used(shelf: pl.DataFrame) -> None:
    by_genre = Counter(shelf["genres"].explode().to_list())
    by_theme = Counter(shelf["themes"].explode().to_list())
    assert 18 <= len(by_genre) <= 24
    assert 55 <= len(by_theme) <= 80
    assert min(by_theme.values()) >= 4
    assert min(by_genre.values()) >= 12
    assert by_genre["western"] >= 25
    assert by_genre["space opera"] >= 25
    assert by_genre["science fiction"] >= 50
    assert by_genre["horror"] >= 40
    assert by_genre["animation"] >= 40
    for name in (*by_genre, *by_theme):
        assert re.fullmatch(r"[a-z][a-z' ]+[a-z]", name), name
    assert not set(by_genre) & set(by_theme)


def test_a_film_has_one_to_three_genres_and_two_to_four_themes_without_repeats(
    shelf: pl.DataFrame,
) -> None:
    for column, low, high in (("genres", 1, 3), ("themes", 2, 4)):
        lengths = shelf[column].list.len()
        assert lengths.is_between(low, high).all()
        assert (shelf[column].list.n_unique() == lengths).all()


def test_the_shelf_is_of_the_whole_world_and_of_a_century(shelf: pl.DataFrame) -> None:
    assert (~shelf["country"].is_in(list(ENGLISH))).mean() >= 0.3  # type: ignore[operator]
    assert shelf["country"].n_unique() >= 40
    by_decade = Counter(map(decade, shelf["year"]))
    assert min(by_decade[f"{d}s"] for d in range(1920, 2030, 10)) >= 10
    directors = Counter(shelf["director"])
    assert sum(n >= 4 for n in directors.values()) >= 25


def test_descriptions_are_single_sentences_of_their_own(shelf: pl.DataFrame) -> None:
    text = shelf["description"]
    assert text.is_unique().all()
    assert text.str.len_chars().is_between(50, 160).all()
    assert text.str.ends_with(".").all()
    assert text.str.contains(r"^\p{Lu}").all()
    assert not text.str.contains(r"[.!?] \p{Lu}[a-z]+ [a-z]").any()
    # A template would show as an opening that many films share.
    openings = Counter(" ".join(t.split()[:4]).lower() for t in text)
    assert max(openings.values()) <= 4
    # Nor do descriptions just repeat their tags or their title.
    named = [
        t.lower() in d.lower() for t, d in zip(shelf["title"], text, strict=True) if len(t) > 6
    ]
    assert np.mean(named) < 0.03


def test_no_two_descriptions_share_a_run_of_words(shelf: pl.DataFrame) -> None:
    runs: Counter[str] = Counter()
    for text in shelf["description"]:
        words = re.findall(r"\w+", text.lower())
        runs.update({" ".join(words[i : i + 7]) for i in range(len(words) - 6)})
    assert max(runs.values()) == 1


def test_remakes_apart_a_title_occurs_once(shelf: pl.DataFrame) -> None:
    twice = [title for title, n in Counter(shelf["title"]).items() if n > 1]
    assert sorted(twice) == ["Dune", "True Grit"]


def test_chinese_titles_and_sentences_are_chinese(shelf: pl.DataFrame) -> None:
    titles, sentences = shelf["title_zh"], shelf["sentence_zh"]
    assert sentences.is_unique().all()
    assert sentences.str.len_chars().is_between(15, 40).all()
    assert sentences.str.ends_with("。").all()
    assert (sentences.str.count_matches("。") == 1).all()
    twice = [title for title, n in Counter(titles).items() if n > 1]
    assert sorted(twice) == ["大地惊雷", "女巫"]
    # Names of one letter, and one that everybody knows by its letters.
    assert [t for t in titles if re.search("[A-Za-z]", t)] == ["M就是凶手", "高大的T", "E.T.外星人"]
    for text in (*titles, *sentences):
        assert re.fullmatch(r"[\u4e00-\u9fff〇0-9A-Z，：；、？！。·.]+", text), text
        assert text == text.strip()
        # Simplified characters: each is in the standard set of 1980, or was added to it since.
        assert [c for c in text if not gb2312(c)] == [], text


def gb2312(character: str) -> bool:
    try:
        return bool(character.encode("gb2312"))
    except UnicodeEncodeError:
        return character in "·〇蹚"


def test_chinese_sentences_are_their_own(shelf: pl.DataFrame) -> None:
    def plain(text: str) -> str:
        return re.sub(r"\W", "", text)

    runs: Counter[str] = Counter()
    for title, sentence in shelf.select("title_zh", "sentence_zh").iter_rows():
        said = plain(sentence)
        runs.update({said[i : i + 8] for i in range(len(said) - 7)})
        assert len(title) == 1 or plain(title) not in said, title
    assert max(runs.values()) == 1
    openings = Counter(sentence[:4] for sentence in shelf["sentence_zh"])
    assert max(openings.values()) <= 4


@pytest.mark.parametrize(
    ("item_id", "title"),
    [
        ("seven-samurai-1954", "七武士"),
        ("gone-with-the-wind-1939", "乱世佳人"),
        ("the-shawshank-redemption-1994", "肖申克的救赎"),
        ("farewell-my-concubine-1993", "霸王别姬"),
        ("up-2009", "飞屋环游记"),
        ("capernaum-2018", "何以为家"),
        ("her-2013", "她"),
    ],
)
def test_chinese_titles_are_those_of_the_mainland(
    shelf: pl.DataFrame, item_id: str, title: str
) -> None:
    assert shelf.row(by_predicate=pl.col("item_id") == item_id, named=True)["title_zh"] == title


@pytest.mark.parametrize(
    ("item_id", "director", "country"),
    [
        ("stagecoach-1939", "John Ford", "United States"),
        ("seven-samurai-1954", "Akira Kurosawa", "Japan"),
        ("pather-panchali-1955", "Satyajit Ray", "India"),
        ("black-girl-1966", "Ousmane Sembène", "Senegal"),
        ("solaris-1972", "Andrei Tarkovsky", "Soviet Union"),
        ("star-wars-1977", "George Lucas", "United States"),
        ("a-separation-2011", "Asghar Farhadi", "Iran"),
        ("parasite-2019", "Bong Joon-ho", "South Korea"),
    ],
)
def test_facts(shelf: pl.DataFrame, item_id: str, director: str, country: str) -> None:
    row = shelf.row(by_predicate=pl.col("item_id") == item_id, named=True)
    assert (row["director"], row["country"]) == (director, country)


def test_facets_say_what_each_film_can_be_liked_for(shelf: pl.DataFrame) -> None:
    known = facets()
    assert known.holds.shape == (len(shelf), len(known.names))
    assert len(known.of_kind("genre")) == len(genres()) == shelf["genres"].explode().n_unique()
    film = shelf["item_id"].to_list().index("the-good-the-bad-and-the-ugly-1966")
    held = {known.names[j] for j in np.flatnonzero(known.holds[film])}
    assert {
        ("genre", "western"),
        ("theme", "treasure"),
        ("director", "Sergio Leone"),
        ("decade", "1960s"),
        ("country", "Italy"),
    } <= held
    assert (known.holds.sum(axis=0) >= 1).all()
    assert [known.column[name] for name in known.names] == list(range(len(known.names)))
    with pytest.raises(ValueError, match="read-only"):
        known.holds[0, 0] = 1.0


def test_films_become_items_and_links(shelf: pl.DataFrame) -> None:
    released = pl.Series("released", [0] * len(shelf)).cast(pl.Datetime("us"))
    frame = items(released)
    row = frame.row(by_predicate=pl.col("item_id") == "alien-1979", named=True)
    assert row["title"] == "Alien"
    assert row["category"] == "science fiction"
    assert row["tags"][:2] == ["science fiction", "horror"]
    attributes = json.loads(row["attributes"])
    assert attributes["director"] == "Ridley Scott"
    assert attributes["title_zh"] == "异形"
    assert attributes["sentence_zh"].endswith("。")
    graph = links()
    assert graph.columns == ["head", "relation", "tail", "weight"]
    assert set(graph["head"]) == set(shelf["item_id"])
    alien = graph.filter(pl.col("head") == "alien-1979")
    assert ("has_director", "director:Ridley Scott") in set(alien.select("relation", "tail").rows())
