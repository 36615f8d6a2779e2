"""Nothing that was handed in is silently lost."""

from __future__ import annotations

import json

import polars as pl

from penchant.store.open import Store
from store.frames import events


def test_rows_are_kept_with_their_reason(store: Store) -> None:
    quarantine = store.quarantine
    assert quarantine.counts() == {}
    assert quarantine.list().is_empty()
    assert quarantine.add("no item", [{"user_id": "u", "item_id": None, "n": 1.5}]) == 1
    assert quarantine.add("time in the future", pl.DataFrame({"user_id": ["a", "b"]})) == 2
    assert quarantine.add("nothing", []) == 0
    assert quarantine.counts() == {"time in the future": 2, "no item": 1}
    assert [json.loads(row) for row in quarantine.list("no item")["row"]] == [
        {"user_id": "u", "item_id": None, "n": 1.5}
    ]
    assert quarantine.list()["reason"].to_list() == ["time in the future"] * 2 + ["no item"]
    assert len(quarantine.list(limit=1)) == 1


def test_rows_of_anything_are_kept_as_json(store: Store) -> None:
    row = {"x": b"\x00\xff", "nan": float("nan"), "who": object, 3: "\x00\ud83d\ude00"}
    store.quarantine.add("odd ☂", [row, {"user_id": 12}])
    rows = store.quarantine.list("odd ☂")["row"].to_list()
    assert "00ff" in rows[1]
    assert json.loads(rows[0]) == {"user_id": 12}


def test_many_rows(store: Store) -> None:
    frame = pl.DataFrame({"user_id": [f"u{k}" for k in range(12_000)]})
    assert store.quarantine.add("many", frame) == 12_000
    assert store.quarantine.counts() == {"many": 12_000}


def test_rows_of_a_forgotten_person_go_too(store: Store) -> None:
    store.log.append(events(("u", "i", 1)))
    store.quarantine.add("bad", [{"user_id": "u", "v": 1}, {"user_id": "w", "v": 2}])
    store.log.retract(user=0)
    assert [json.loads(row)["user_id"] for row in store.quarantine.list()["row"]] == ["w"]
