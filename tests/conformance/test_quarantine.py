"""Nothing that was handed in is silently lost."""

from __future__ import annotations

import json

import polars as pl
from sqlalchemy import text

from conformance.conftest import Place
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


def test_what_is_read_again_is_not_kept_twice(store: Store, place: Place) -> None:
    rows = [{"user_id": "u", "v": 1}, {"user_id": "u", "v": 1}, {"user_id": "w", "v": None}]
    assert store.quarantine.add("bad", rows) == 3
    assert store.quarantine.add("bad", rows) == 0
    assert place.open().quarantine.add("bad", pl.DataFrame(rows)) == 0
    assert store.quarantine.counts() == {"bad": 3}
    # Another reason, one more of the same, or another row are something else.
    assert store.quarantine.add("worse", rows[:1]) == 1
    assert store.quarantine.add("bad", [*rows, rows[0], {"user_id": "u", "v": 2}]) == 2
    assert store.quarantine.counts() == {"bad": 5, "worse": 1}


def test_a_forgotten_row_may_come_again(store: Store) -> None:
    store.log.append(events(("u", "i", 1)))
    store.quarantine.add("bad", [{"user_id": "u"}])
    store.log.retract(user=0)
    assert store.quarantine.counts() == {}
    assert store.quarantine.add("bad", [{"user_id": "u"}]) == 1


def test_rows_an_older_version_kept_are_known_too(store: Store, place: Place) -> None:
    rows = [{"user_id": f"u{k % 3}"} for k in range(6)]
    store.quarantine.add("bad", rows)
    before = store.quarantine.list()
    with store.databases[0].alone() as connection:
        # As the first version left it.
        connection.execute(text("DROP INDEX quarantine_by_digest"))
        connection.execute(text("DROP INDEX events_said"))
        connection.execute(text("DROP TABLE expansions"))
        connection.execute(text("ALTER TABLE quarantine DROP COLUMN digest"))
        connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    store.close()
    upgraded = place.open()
    assert upgraded.quarantine.list().equals(before)
    assert upgraded.quarantine.add("bad", rows) == 0
    assert upgraded.quarantine.add("bad", [{"user_id": "u9"}]) == 1
    assert upgraded.quarantine.list()["number"].max() > before["number"].max()
    upgraded.log.append(events(("u0", "i", 1)))
    upgraded.log.retract(user=0)
    assert upgraded.quarantine.counts() == {"bad": 5}


def test_many_rows(store: Store) -> None:
    frame = pl.DataFrame({"user_id": [f"u{k}" for k in range(12_000)]})
    assert store.quarantine.add("many", frame) == 12_000
    assert store.quarantine.add("many", frame) == 0
    assert store.quarantine.counts() == {"many": 12_000}


def test_rows_of_a_forgotten_person_go_too(store: Store) -> None:
    store.log.append(events(("u", "i", 1)))
    store.quarantine.add("bad", [{"user_id": "u", "v": 1}, {"user_id": "w", "v": 2}])
    store.log.retract(user=0)
    assert [json.loads(row)["user_id"] for row in store.quarantine.list()["row"]] == ["w"]
