"""What items are about, by name: as the catalogue says it now, and as a training found it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from numbered import columns, rows
from penchant.interests.concepts import Concepts, Learned, folded, parts
from penchant.store.artefacts import Artefacts
from penchant.store.columns import ItemColumns


def shelf(*items: tuple[str | None, list[str]]) -> ItemColumns:
    frame = pl.DataFrame(
        {
            "item_id": [f"i{n}" for n in range(len(items))],
            "title": [f"Title {n}" for n in range(len(items))],
            "description": [""] * len(items),
            "category": pl.Series([category for category, _ in items], dtype=pl.String),
        }
    )
    out = ItemColumns()
    tags = pl.Series([tags for _, tags in items], dtype=pl.List(pl.String))
    out.apply(rows(frame).with_columns(tags=tags))
    return out


def learned() -> Learned:
    """Return items 0 and 1 in a cluster of westerns, 2 in one of space; 0 bears a category too."""
    return Learned(
        ("western", "dusty", "starry"),
        ("category", "cluster", "cluster"),
        np.array([0, 2, 3, 4]),
        np.array([0, 1, 1, 2], dtype=np.int32),
        np.array([[np.nan, np.nan], [1.0, 0.0], [0.0, 1.0]], dtype=np.float32),
    )


def test_before_any_training_the_catalogue_speaks_for_itself() -> None:
    concepts = Concepts(shelf(("western", ["slow", "Western", " "]), (None, []), ("space", [])))
    assert concepts.named(0) == ("western", "slow")
    assert concepts.named(1) == ()
    assert concepts.kinds == ["category", "tag"]
    # Names that nobody asked about yet are found too, however they are written.
    assert concepts.number("  SPACE ") == concepts.of(2).tolist()[0]
    assert concepts.number("opera") is None
    assert concepts.bearing(concepts.number("western")).tolist() == [0]
    assert concepts.telling(concepts.of(0)).tolist() == [1.0, 1.0]


def test_names_that_differ_by_a_sign_are_two() -> None:
    concepts = Concepts(shelf(("C", []), ("C++", []), ("C#", []), ("c", [])))
    assert len({concepts.named(item) for item in range(3)}) == 3
    assert concepts.named(3) == ("C",)
    assert folded("Ｃafé  Noir") == "café noir"


def test_what_was_learned_is_kept_beside_what_is_said() -> None:
    columns = shelf(("western", []), ("western", []), ("space", []))
    concepts = Concepts(columns, learned())
    assert concepts.named(0) == ("western", "dusty")
    assert concepts.bearing(1).tolist() == [0, 1]
    # Of the three items two bear it: log(1 + 3 / 2).
    assert concepts.telling(np.array([1], dtype=np.int32))[0] == pytest.approx(np.log(2.5))
    places, borne = concepts.borne([2, 0])
    assert places.tolist() == [0, 1, 1]
    assert [concepts.names[one] for one in borne] == ["starry", "western", "dusty"]
    assert concepts.broad().tolist() == [True, True, True]


def test_an_item_that_changed_says_what_it_says_now() -> None:
    columns = shelf(("western", []), ("western", []), ("space", []))
    concepts = Concepts(columns, learned())
    concepts.follow(np.array([0], dtype=np.int32))
    columns._apply(0, dict(rows_of("i0", "noir", ["slow"])))
    columns.version += 1
    assert concepts.named(0) == ("noir", "slow", "dusty")
    assert concepts.bearing(concepts.number("noir")).tolist() == [0]


def rows_of(item_id: str, category: str, tags: list[str]) -> dict[str, object]:
    nothing = dict.fromkeys(("price", "released", "stock_from", "stock_until", "attributes"))
    return {
        "item_id": item_id,
        "title": "T",
        "category": category,
        "tags": tags,
        "removed": False,
        **nothing,
    }


def test_a_new_item_joins_the_cluster_it_reads_like() -> None:
    columns = shelf(("western", []), ("western", []), ("space", []), (None, []), ("western", []))
    concepts = Concepts(columns, learned())
    vectors = np.array([[0.1, 0.9], [np.nan, np.nan]], dtype=np.float32)
    concepts.learn_items(np.array([3, 4], dtype=np.int32), vectors)
    assert concepts.named(3) == ("starry",)
    assert concepts.named(4) == ("western",)
    assert concepts.bearing(2).tolist() == [2, 3]
    # Rows of another space, of an encoder that came since, place nothing.
    concepts.learn_items(np.array([4], dtype=np.int32), np.ones((1, 3), dtype=np.float32))
    assert concepts.named(4) == ("western",)


def test_it_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    folder = Artefacts(tmp_path)
    assert Learned.load(folder) is None
    learned().save(folder)
    back = Learned.load(folder)
    assert back is not None
    assert (back.names, back.kinds, back.separator) == (learned().names, learned().kinds, "")
    np.testing.assert_array_equal(back.members, learned().members)
    np.testing.assert_array_equal(back.centres, learned().centres)


def test_parts_of_a_category() -> None:
    assert parts("Action, Comedy", ", ") == ["Action", "Comedy"]
    assert parts("Home, Garden", "") == ["Home, Garden"]


def test_nothing_is_borne_by_nobody() -> None:
    places, borne = Concepts(columns()).borne([])
    assert len(places) == len(borne) == 0
