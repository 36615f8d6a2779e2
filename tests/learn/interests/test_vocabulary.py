"""Vocabularies: what a catalogue is about, from what it says, and from who wants what."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import polars as pl
import pytest

import numbered
from penchant.interests.concepts import Concepts, Learned
from penchant.learn.interests.clusters import clusters
from penchant.learn.interests.factors import factors, wishes
from penchant.learn.interests.phrases import phrases
from penchant.learn.interests.values import chunks, collect, parting, readable
from penchant.learn.interests.vocabulary import clusters_of, vocabulary
from penchant.learn.view import View
from penchant.store.columns import ItemColumns

DAY = 86_400.0


def catalogue(
    titles: list[str],
    categories: list[str | None] | None = None,
    attributes: list[dict] | None = None,
) -> ItemColumns:
    n = len(titles)
    frame = pl.DataFrame(
        {
            "item_id": [f"i{i}" for i in range(n)],
            "title": titles,
            "description": [""] * n,
            "category": pl.Series(categories or [None] * n, dtype=pl.String),
        }
    )
    out = ItemColumns()
    told = pl.Series([json.dumps(one) for one in attributes or [{}] * n], dtype=pl.String)
    out.apply(numbered.rows(frame).with_columns(attributes=told))
    return out


def crowds(columns: ItemColumns, groups: list[range], people: int = 30, seed: int = 0) -> View:
    """Return a view in which each group of people wants items of its own group of items."""
    rng = np.random.default_rng(seed)
    users, items = [], []
    for group, own in enumerate(groups):
        for person in range(people):
            for item in rng.choice(list(own), size=min(5, len(own)), replace=False):
                users.append(group * people + person)
                items.append(int(item))
    times = np.sort(rng.uniform(0, 100 * DAY, len(users)))
    return numbered.make_view(
        np.array(users, dtype=np.int32), np.array(items, dtype=np.int32), times, columns
    )


def spoken(view: View, **more: Any) -> Learned:
    wanted = wishes(view)
    return vocabulary(view, wanted, factors(wanted), **more)


# What is said


def test_what_most_items_bear_tells_nothing() -> None:
    found = collect(catalogue(["a"] * 10, ["book"] * 8 + ["film"] * 2))
    assert found.hidden == {"book"}
    assert found.names == {"film": "film"}


def test_a_category_of_several_is_parted_where_its_parts_come_back() -> None:
    assert parting(["Action, Comedy", "Comedy, Drama", "Action, Drama", "Drama"]) == ", "
    assert parting(["Home, Garden", "Books", "Toys", "Films"]) == ""
    assert parting(["a|b", "b|c", "a|c"]) == "|"
    assert parting([]) == ""
    found = collect(catalogue(["t"] * 4, ["Action, Comedy", "Comedy, Drama", "Action, War", "War"]))
    assert found.separator == ", "
    assert found.items["comedy"] == [0, 1]


def test_attributes_that_items_share_are_named_and_texts_are_not() -> None:
    told = [
        {"director": "Agnes Ray" if i < 4 else "Bo Lind", "sku": f"x-{i}", "year": 1990 + i}
        for i in range(8)
    ]
    found = collect(catalogue(["t"] * 8, None, told))
    assert sorted(found.names.values()) == ["Agnes Ray", "Bo Lind"]
    assert set(found.kinds.values()) == {"attribute"}


def test_links_name_what_is_tied_to_items_whichever_way_they_point() -> None:
    links = [(f"i{i}", "by", "director:Agnes Ray", 1.0) for i in range(3)]
    links += [("Bo Lind", "made", f"i{i}", 1.0) for i in range(3, 6)]
    links += [(f"i{i}", "is", "m.04ctbw8", 1.0) for i in range(6)]
    links += [("i1", "like", "i2", 1.0), ("nobody", "knows", "nothing", 1.0)]
    found = collect(catalogue(["t"] * 8), chunks(links, 4))
    assert sorted(found.names.values()) == ["Agnes Ray", "Bo Lind"]


@pytest.mark.parametrize("name", ["western", "1960s", "r&b", "film noir", "西部片", "C++ books"])
def test_words_are_readable(name: str) -> None:
    assert readable(name)


@pytest.mark.parametrize("key", ["m.04ctbw8", "12345", "0x3fa9", "a1", "-", "", "17-2"])
def test_keys_are_not(key: str) -> None:
    assert not readable(key)


# What is wanted together


def test_people_place_items_by_who_wants_them() -> None:
    columns = catalogue([f"t{i}" for i in range(20)])
    placed = factors(wishes(crowds(columns, [range(10), range(10, 18)])))
    near = placed[:18] @ placed[:18].T
    assert near[:10, :10].mean() > near[:10, 10:].max() + 0.2
    assert np.isnan(placed[18:]).all()  # nobody wanted these


def test_clusters_are_what_the_same_people_want() -> None:
    titles = [f"Dusty saloon {i}" for i in range(20)] + [f"Starry comet {i}" for i in range(20)]
    columns = catalogue(titles)
    view = crowds(columns, [range(20), range(20, 40)])
    learned = spoken(view)
    of_items = [set(Concepts(columns, learned).named(item)) for item in range(40)]
    first, second = set.union(*of_items[:20]), set.union(*of_items[20:])
    assert not first & second
    assert any("saloon" in name or "dusty" in name for name in first)
    assert any("comet" in name or "starry" in name for name in second)
    assert len(set(learned.names)) == len(learned.names)


def test_a_cluster_keeps_its_name_while_its_items_stay() -> None:
    columns = catalogue([f"Thing {i}" for i in range(40)])
    view = crowds(columns, [range(20), range(20, 40)])
    first = spoken(view)
    name, items = max(clusters_of(first).items(), key=lambda one: len(one[1]))
    again = spoken(view, before={"What Ann calls it": items})
    assert "What Ann calls it" in again.names
    assert name not in again.names or clusters_of(again)[name] != items


def test_too_few_items_make_no_clusters() -> None:
    nothing = np.full((40, 4), np.nan, dtype=np.float32)
    assert clusters(nothing, None) is None
    columns = catalogue(["A", "B"], ["x", "y"])
    learned = spoken(crowds(columns, [range(2)]))
    assert learned.names == ("x", "y")
    assert clusters_of(learned) == clusters_of(None) == {}


def test_where_nobody_wanted_anything_texts_make_clusters() -> None:
    nothing = np.full((40, 4), np.nan, dtype=np.float32)
    texts = np.zeros((40, 2), dtype=np.float32)
    texts[:20, 0] = texts[20:, 1] = 1.0
    found = clusters(nothing, texts)
    assert found is not None
    assert not set(found.of[:20].tolist()) & set(found.of[20:].tolist())


# Phrases


def test_phrases_are_what_the_same_people_want_not_what_is_written_often() -> None:
    rng = np.random.default_rng(0)
    things = ["lunch bag", "wall clock", "tea towel", "garden lamp", "night light"]
    things += ["picture frame", "jam jar", "door mat"]
    colours = ["red", "blue", "green", "old"]
    titles = [
        f"{rng.choice(colours)} {things[i // 10]} number {rng.choice(['one', 'two'])}"
        for i in range(80)
    ]
    groups = [range(10 * g, 10 * g + 10) for g in range(8)]
    columns = catalogue(titles)
    placed = factors(wishes(crowds(columns, groups)))
    found = phrases(titles, placed, set())
    assert set(things) <= set(found)
    assert not {"red", "blue", "green", "old", "number"} & set(found)
    assert found["lunch bag"] == list(range(10))
    # What is a concept already is not looked for again; names of artists are no texts.
    assert "lunch bag" not in phrases(titles, placed, {"lunch bag"})
    assert phrases([f"Name {i}" for i in range(80)], placed, set()) == {}


def test_a_catalogue_of_nothing() -> None:
    learned = spoken(
        numbered.make_view(*([np.zeros(0, dtype=np.int32)] * 2), np.zeros(0), catalogue([]))
    )
    assert learned.names == ()
    assert len(learned.starts) == 1
