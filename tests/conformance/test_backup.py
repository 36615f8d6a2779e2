"""A backup is a store of its own, whole and openable, and a store can be made from it."""

from __future__ import annotations

import stat
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from conformance.conftest import Place
from conformance.test_impressions import assert_same, shown
from penchant.store.backup import backup, restore
from penchant.store.faults import StoreDamaged, StoreError
from penchant.store.open import Store, open_store
from penchant.store.place import KEY_FILE, SCALES_FILE
from penchant.store.settings import FILE
from penchant.store.tail import Position
from store.frames import events, items


def fill(store: Store) -> None:
    store.catalogue.upsert(items({"item_id": "a", "title": "Ä 乱", "tags": ["x"]}, "b", "c"))
    store.catalogue.remove(["c"])
    store.log.append(
        events(
            ("u", "a", 1), ("v", "b", 2), ("u", "new", 3, "buy", "undone"),
            {"user_id": "u", "text": "t \x00", "context": "{}", "event_id": "t", "value": 2.0},
        )
    )  # fmt: skip
    store.people.upsert(pl.DataFrame({"user_id": ["w"], "attributes": ['{"a":1}']}))
    store.people.add_links(pl.DataFrame({"head": ["a"], "relation": ["r"], "tail": ["b"]}))
    store.log.retract(event_id="undone")
    store.log.retract(user=1)
    store.quarantine.add("odd", [{"user_id": "u"}])
    store.impressions.add(shown("slate"))
    (store.directory / FILE).write_text("[encoder]\nbatch = 3\n")
    for value in (1, 2):
        folder = store.snapshots.begin()
        np.save(folder / "x.npy", np.full(3, value))
        store.snapshots.publish(folder, {})


def assert_equal_stores(a: Store, b: Store) -> None:
    left, right = a.tail(Position()), b.tail(Position())
    assert left.position == right.position
    assert left.items.equals(right.items)
    for name in ("offsets", "users", "items", "times", "kinds", "values", "shared"):
        np.testing.assert_array_equal(getattr(left.events, name), getattr(right.events, name))
    for name in ("texts", "contexts", "kind_names", "slates"):
        assert getattr(left.events, name) == getattr(right.events, name)
    assert a.people.get(range(len(a.people))).equals(b.people.get(range(len(b.people))))
    assert a.people.links().equals(b.people.links())
    assert a.quarantine.list().equals(b.quarantine.list())
    assert a.snapshots.list() == b.snapshots.list()
    mine, theirs = a.snapshots.current(), b.snapshots.current()
    assert mine is not None
    assert theirs is not None
    assert mine.id == theirs.id
    assert theirs.array("x").tolist() == [2, 2, 2]
    assert b.settings.table("encoder") == {"batch": 3}
    original = a.impressions.get("slate")
    assert original is not None
    assert_same(b.impressions.get("slate"), original)


def assert_lives_on(store: Store) -> None:
    """Numbers go on where they ended, and what was undone stays undone."""
    last = store.log.last()
    done = store.log.append(events(("u", "a", 9, "click", "9"), ("x", "y", 9, "buy", "undone")))
    assert (done.new, done.known) == (1, 1)
    assert done.last > last
    assert store.people.add_links(
        pl.DataFrame({"head": ["p"], "relation": ["q"], "tail": ["r"]})
    ) == {"new": 1, "changed": 0, "same": 0}
    store.quarantine.add("more", [{}])


def test_a_backup_is_a_store_and_a_store_can_be_made_from_it(
    store: Store, place: Place, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    fill(store)
    target = backup(store, tmp_path / "copy")
    assert target == tmp_path / "copy"
    with open_store(restore(target, tmp_path / "again")) as again:
        assert_equal_stores(store, again)
        assert_lives_on(again)
    url = request.getfixturevalue("fresh_database")()
    with open_store(restore(target, tmp_path / "server", url), url) as server:
        assert_equal_stores(store, server)
        assert_lives_on(server)
    assert sorted(p.name for p in (tmp_path / "server").iterdir()) == ["penchant.toml", "snapshots"]
    with open_store(target, read_only=True) as opened:
        assert_equal_stores(store, opened)


def test_scales_and_the_key_of_pseudonyms_are_in_it_unless_it_is_left_out(
    store: Store, tmp_path: Path
) -> None:
    fill(store)
    (store.directory / SCALES_FILE).write_text('{"rating": [1, 10]}')
    key = store.directory / KEY_FILE
    key.write_bytes(b"k" * 32)
    key.chmod(0o644)
    whole = backup(store, tmp_path / "whole")
    again = restore(whole, tmp_path / "again")
    for copy in (whole, again):
        assert (copy / SCALES_FILE).read_text() == '{"rating": [1, 10]}'
        assert (copy / KEY_FILE).read_bytes() == b"k" * 32
        assert stat.S_IMODE((copy / KEY_FILE).stat().st_mode) == 0o600
    apart = backup(store, tmp_path / "apart", key=False)
    assert not (restore(apart, tmp_path / "keyless") / KEY_FILE).exists()
    assert not (apart / KEY_FILE).exists()
    assert (apart / SCALES_FILE).exists()


def test_a_backup_is_taken_while_others_write(store: Store, tmp_path: Path) -> None:
    fill(store)
    stop = threading.Event()
    acknowledged = [0]

    def write() -> None:
        while not stop.is_set():
            k = acknowledged[0]
            store.log.append(events((f"w{k}", f"new {k}", k, "click", f"w{k}")))
            acknowledged[0] = k + 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for round_ in range(3):
            before = acknowledged[0]
            with open_store(backup(store, tmp_path / f"copy{round_}")) as copy:
                tail = copy.tail(Position())
                names = copy.people.get(tail.events.users.tolist())["user_id"]
                found = [name for name in names if name != "u"]
                # A prefix of what was written, at least as long as what was acknowledged before.
                assert found == [f"w{k}" for k in range(len(found))]
                assert len(found) >= before
                assert tail.events.items.max() < len(copy.catalogue)
    finally:
        stop.set()
        writer.join()


def test_an_empty_store_is_backed_up_too(store: Store, tmp_path: Path) -> None:
    with open_store(restore(backup(store, tmp_path / "a"), tmp_path / "b")) as again:
        assert again.tail(Position()).position == Position()
        assert again.snapshots.current() is None


def test_nothing_is_overwritten(store: Store, place: Place, tmp_path: Path) -> None:
    fill(store)
    target = backup(store, tmp_path / "copy")
    with pytest.raises(StoreError, match="not an empty directory"):
        backup(store, target)
    with pytest.raises(StoreError, match="not an empty directory"):
        restore(target, place.directory)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(StoreError, match="not an empty directory"):
        backup(store, tmp_path / "file")
    (tmp_path / "empty").mkdir()
    backup(store, tmp_path / "empty")
    if place.url is not None:
        with pytest.raises(StoreError, match="holds a store already"):
            restore(target, tmp_path / "other", place.url)
        assert not (tmp_path / "other").exists()
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_what_is_no_backup_or_damaged_is_refused(store: Store, tmp_path: Path) -> None:
    fill(store)
    with pytest.raises(StoreError, match=r"is not a backup: penchant.db, impressions.db missing"):
        restore(tmp_path / "nothing", tmp_path / "new")
    target = backup(store, tmp_path / "copy")
    content = bytearray((target / "penchant.db").read_bytes())
    content[4096:40_960] = b"\x5a" * 36_864
    (target / "penchant.db").write_bytes(content)
    with pytest.raises(StoreDamaged, match="damaged"):
        restore(target, tmp_path / "new")
    (target / "penchant.db").write_text("not a database at all, but a text")
    with pytest.raises(StoreDamaged):
        restore(target, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_backup_of_a_store_that_can_only_be_read(
    store: Store, place: Place, tmp_path: Path, fresh_database: Callable[[], str]
) -> None:
    fill(store)
    store.impressions.flush()
    reader = place.open(read_only=True)
    with open_store(backup(reader, tmp_path / "copy")) as copy:
        assert_equal_stores(store, copy)
