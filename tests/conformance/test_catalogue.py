"""What every implementation of `store.catalogue.Catalogue` promises."""

from __future__ import annotations

import threading

import numpy as np
import polars as pl
import pytest

from conformance.conftest import Place
from conformance.test_log import STRANGE
from penchant.store.frames import ITEMS
from penchant.store.items import STORED
from penchant.store.open import Store
from penchant.types import InvalidInput
from store.frames import events, items

FULL = {
    "item_id": "i1",
    "title": "Ran 乱",
    "description": "An old lord divides his land. \x00",
    "category": "film",
    "tags": ["war", "", "日本", 'quo"te'],
    "price": 12.5,
    "released": 486_518_400_000_000,
    "stock_from": -1,
    "stock_until": 2**53,
    "attributes": '{"director":"Kurosawa"}',
}


def test_an_item_is_read_back_as_it_was(store: Store) -> None:
    assert store.catalogue.upsert(items(FULL)) == {"new": 1, "changed": 0, "same": 0}
    row = store.catalogue.get([0])
    assert row.schema == STORED
    assert row.to_dicts() == [{"number": 0, **FULL, "described": True, "removed": False}]


def test_what_is_missing_has_a_plain_default(store: Store) -> None:
    store.catalogue.upsert(pl.DataFrame({"item_id": ["i"], "price": [float("nan")]}))
    (row,) = store.catalogue.get([0]).to_dicts()
    assert row == {
        "number": 0, "item_id": "i", "title": "", "description": "", "category": None, "tags": [],
        "price": None, "released": None, "stock_from": None, "stock_until": None,
        "attributes": "{}", "described": True, "removed": False,
    }  # fmt: skip


def test_an_empty_catalogue_answers_with_nothing(store: Store) -> None:
    assert store.catalogue.upsert(items()) == {"new": 0, "changed": 0, "same": 0}
    assert store.catalogue.remove([]) == 0
    assert store.catalogue.remove(["never"]) == 0
    assert store.catalogue.numbers([]).tolist() == []
    assert store.catalogue.numbers([]).dtype == np.int32
    assert store.catalogue.get([]).schema == STORED
    frame, last = store.catalogue.changed(0)
    assert (len(frame), frame.schema, last) == (0, STORED, 0)
    assert len(store.catalogue) == 0


def test_upsert_says_what_was_new_changed_and_same(store: Store) -> None:
    a, b = {"item_id": "a", "title": "A"}, {"item_id": "b", "title": "B"}
    assert store.catalogue.upsert(items(a, b)) == {"new": 2, "changed": 0, "same": 0}
    assert store.catalogue.upsert(items(a, b)) == {"new": 0, "changed": 0, "same": 2}
    _, last = store.catalogue.changed(0)
    changed = items(a, b | {"tags": ["x"]}, "c")
    assert store.catalogue.upsert(changed) == {"new": 1, "changed": 1, "same": 1}
    frame, _ = store.catalogue.changed(last)
    assert sorted(frame["item_id"]) == ["b", "c"]


@pytest.mark.parametrize(
    "column", [name for name in ITEMS if name not in ("item_id",)]
)  # every column counts as a change
def test_a_change_of_any_column_is_noticed(store: Store, column: str) -> None:
    store.catalogue.upsert(items(FULL))
    other = {
        "title": "x", "description": "x", "category": None, "tags": ["war"], "price": None,
        "released": 1, "stock_from": None, "stock_until": 0, "attributes": "{}",
    }  # fmt: skip
    changed = FULL | {column: other[column]}
    assert store.catalogue.upsert(items(changed))["changed"] == 1
    assert store.catalogue.get([0]).select(list(ITEMS)).to_dicts() == [changed]


def test_of_several_rows_of_one_item_the_last_wins(store: Store) -> None:
    rows = [{"item_id": "i", "title": title} for title in ("first", "second", "last")]
    assert store.catalogue.upsert(items(*rows)) == {"new": 1, "changed": 0, "same": 0}
    assert store.catalogue.get([0])["title"].to_list() == ["last"]


def test_a_number_is_for_ever(store: Store, place: Place) -> None:
    store.catalogue.upsert(items("a", "b", "c"))
    store.catalogue.remove(["b"])
    store.catalogue.upsert(items("d", "a"))
    other = place.open()
    assert other.catalogue.numbers(["a", "b", "c", "d", "e"]).tolist() == [0, 1, 2, 3, -1]
    assert len(store.catalogue) == 4


def test_removed_items_are_marked_told_once_and_can_come_back(store: Store) -> None:
    store.catalogue.upsert(items("a", "b"))
    _, last = store.catalogue.changed(0)
    assert store.catalogue.remove(["b", "b", "never"]) == 1
    assert store.catalogue.remove(["b"]) == 0
    frame, last = store.catalogue.changed(last)
    assert frame.select("item_id", "removed").rows() == [("b", True)]
    assert store.catalogue.upsert(items("b"))["changed"] == 1
    frame, _ = store.catalogue.changed(last)
    assert frame.select("item_id", "removed").rows() == [("b", False)]


def test_an_event_names_an_item_before_the_catalogue_does(store: Store) -> None:
    store.log.append(events(("u", "early", 1)))
    frame, last = store.catalogue.changed(0)
    assert frame.select("item_id", "described", "title").rows() == [("early", False, "")]
    assert store.catalogue.upsert(items("early", "late"))["new"] == 2
    frame, _ = store.catalogue.changed(last)
    assert frame.select("number", "item_id", "described").sort("number").rows() == [
        (0, "early", True),
        (1, "late", True),
    ]


def test_changes_come_in_order_and_each_item_once(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penchant.store.items.CHUNK", 3)
    store.catalogue.upsert(items(*[f"i{k}" for k in range(8)]))
    store.catalogue.upsert(items({"item_id": "i2", "title": "again"}))
    frame, last = store.catalogue.changed(0)
    assert frame["item_id"].to_list() == [f"i{k}" for k in (0, 1, 3, 4, 5, 6, 7, 2)]
    assert store.catalogue.changed(last)[0].is_empty()
    assert store.catalogue.changed(last)[1] == last
    assert store.catalogue.changed(10**9)[1] == 10**9


def test_get_keeps_the_order_asked_for_and_refuses_unknown_numbers(store: Store) -> None:
    store.catalogue.upsert(items(*[f"i{k}" for k in range(5)]))
    assert store.catalogue.get([3, 0, 3])["item_id"].to_list() == ["i3", "i0", "i3"]
    assert store.catalogue.get(np.array([4], dtype=np.int32))["item_id"].to_list() == ["i4"]
    for number in (5, -1):
        with pytest.raises(InvalidInput, match="which no item has"):
            store.catalogue.get([0, number])


def test_any_characters_in_any_column(store: Store) -> None:
    rows = [
        {"item_id": name, "title": name, "description": name, "category": name, "tags": [name]}
        for name in STRANGE
    ]
    store.catalogue.upsert(items(*rows))
    assert store.catalogue.numbers(STRANGE).tolist() == list(range(len(STRANGE)))
    got = store.catalogue.get(range(len(STRANGE)))
    assert got.select("item_id", "title", "description", "category", "tags").to_dicts() == rows
    assert store.catalogue.upsert(items(*rows))["same"] == len(STRANGE)


def test_a_description_of_ten_megabytes(store: Store) -> None:
    text = "書く " * 2_500_000
    store.catalogue.upsert(items({"item_id": "long", "description": text}, "short"))
    assert store.catalogue.get([0])["description"].to_list() == [text]
    assert store.catalogue.upsert(items({"item_id": "long", "description": text}))["same"] == 1


def test_bad_frames_are_refused(store: Store) -> None:
    for frame, complaint in (
        (pl.DataFrame({"title": ["x"]}), r"missing \['item_id'\]"),
        (pl.DataFrame({"item_id": ["x"], "colour": ["red"]}), r"not known \['colour'\]"),
        (pl.DataFrame({"item_id": [""]}), "ids of 0"),
        (pl.DataFrame({"item_id": ["é" * 257]}), "ids of 514"),
        (pl.DataFrame({"item_id": [None]}, schema={"item_id": pl.String}), "1 missing"),
        (pl.DataFrame({"item_id": ["x"], "price": ["cheap"]}), "type"),
    ):
        with pytest.raises(InvalidInput, match=complaint):
            store.catalogue.upsert(frame)
    assert len(store.catalogue) == 0


def test_prices_that_are_no_numbers_or_huge(store: Store) -> None:
    prices = [float("inf"), -1.0, 1e300, 0.0]
    rows = [{"item_id": str(k), "price": price} for k, price in enumerate(prices)]
    store.catalogue.upsert(items(*rows))
    assert store.catalogue.get(range(4))["price"].to_list() == prices


def test_threads_that_name_the_same_items_agree(store: Store, place: Place) -> None:
    other = place.open()  # another writer thread, as another process has

    def work(one: Store, name: str) -> None:
        for k in range(12):
            one.catalogue.upsert(items(f"i{k}", f"{name}{k}"))
            one.log.append(events((name, f"i{k + 1}", k, "click", f"{name}{k}")))

    threads = [
        threading.Thread(target=work, args=(one, name))
        for one, name in ((store, "a"), (other, "b"), (store, "c"), (other, "d"))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    frame, last = store.catalogue.changed(0)
    assert sorted(frame["number"]) == list(range(13 + 4 * 12))
    assert frame["item_id"].n_unique() == len(frame)
    assert last >= len(frame)
    assert store.catalogue.numbers(frame["item_id"].to_list()).tolist() == frame["number"].to_list()
