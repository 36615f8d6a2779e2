"""Following a store: what moved, what is new, what was taken back; by any number of readers."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from conformance.conftest import Place
from penchant.store.open import Store
from penchant.store.tail import Position
from store.frames import events, items


def test_a_reader_hears_of_everything_once(store: Store, place: Place) -> None:
    reader = place.open()
    tail = reader.tail(Position())
    assert not reader.moved()
    store.log.append(events(("u", "a", 1), ("u", "b", 2)))
    assert reader.moved()
    assert reader.moved()  # asking does not answer
    tail = reader.tail(tail.position)
    assert tail.events.times.tolist() == [1, 2]
    assert tail.items["item_id"].to_list() == ["a", "b"]
    assert not reader.moved()
    tail = reader.tail(tail.position)
    assert len(tail.events) == 0
    assert tail.items.is_empty()
    assert (tail.retracted, tail.users, tail.links) == (False, False, False)


def test_a_writer_follows_itself(store: Store) -> None:
    position = store.tail(Position()).position
    store.log.append(events(("u", "a", 1)))
    assert store.moved(position)
    assert len(store.tail(position).events) == 1


def test_two_readers_of_one_store_do_not_take_from_each_other(store: Store) -> None:
    first, second = store.tail(Position()).position, store.tail(Position()).position
    store.log.append(events(("u", "a", 1)))
    first = store.tail(first).position
    assert not store.moved(first)
    assert store.moved(second)
    assert len(store.tail(second).events) == 1


def test_every_part_that_changes_is_named(store: Store) -> None:
    position = store.tail(Position()).position
    store.catalogue.upsert(items("a"))
    tail = store.tail(position)
    assert tail.items["item_id"].to_list() == ["a"]
    store.people.upsert(pl.DataFrame({"user_id": ["u"], "attributes": ["{}"]}))
    tail = store.tail(tail.position)
    assert (tail.users, tail.links) == (True, False)
    store.people.add_links(pl.DataFrame({"head": ["u"], "relation": ["r"], "tail": ["t"]}))
    tail = store.tail(tail.position)
    assert (tail.users, tail.links) == (False, True)


def test_a_new_snapshot_moves_the_store(store: Store, place: Place) -> None:
    reader = place.open()
    position = reader.tail(Position()).position
    folder = store.snapshots.begin()
    np.save(folder / "x.npy", np.zeros(2))
    assert not reader.moved(position)
    first = store.snapshots.publish(folder, {})
    assert reader.moved(position)
    position = reader.tail(position).position
    store.snapshots.publish(store.snapshots.begin(), {})
    assert reader.moved(position)
    position = reader.tail(position).position
    store.snapshots.activate(first)
    assert reader.moved(position)


def test_retractions_tell_readers_who_have_read_to_fold_again(store: Store, place: Place) -> None:
    reader = place.open()
    store.log.append(
        events(("a", "x", 1, "click", "1"), ("b", "x", 2, "click", "2"), ("c", "x", 3))
    )
    position = reader.tail(Position()).position
    store.log.retract(event_id="1")
    tail = reader.tail(position)
    assert (tail.retracted, tail.retracted_users.tolist()) == (True, [0])
    position = tail.position
    store.log.retract(user=1)
    tail = reader.tail(position)
    assert (tail.retracted, tail.retracted_users.tolist()) == (True, [1])
    assert tail.retracted_users.dtype == np.int32
    assert not reader.tail(tail.position).retracted
    fresh = reader.tail(Position())
    assert not fresh.retracted  # nothing was read that could be gone
    assert fresh.events.times.tolist() == [3]


@pytest.mark.parametrize("seed", range(3))
def test_following_ends_where_reading_at_once_does(place: Place, seed: int) -> None:
    """State equals replay: whatever happened, a follower's fold is the fold of the log."""
    rng = np.random.default_rng(seed)
    writers = [place.open(), place.open()]
    reader = place.open()
    position = Position()
    state: dict[tuple[str, str], int] = {}
    catalogue: dict[int, bool] = {}
    names: dict[int, str | None] = {}

    def name(user: int) -> str:
        return str(names.setdefault(user, reader.people.get([user])["user_id"][0]))

    for step in range(60):
        store = writers[rng.integers(2)]
        user, item = f"u{rng.integers(4)}", f"i{rng.integers(6)}"
        match rng.integers(8):
            case 0:
                found = int(store.people.numbers([user])[0])
                if found >= 0:
                    store.log.retract(user=found)
            case 1:
                store.log.retract(event_id=f"e{rng.integers(step + 1)}")
            case 2:
                store.catalogue.remove([item])
            case 3:
                store.catalogue.upsert(items(item))
            case 4:
                pair = store.people.numbers([user, "u0"])
                if pair.min() >= 0 and pair[0] != pair[1]:
                    store.people.merge(int(pair[0]), int(pair[1]))
            case _:
                store.log.append(events((user, item, step, "click", f"e{step}")))
        if reader.moved(position) and rng.integers(2):
            tail = reader.tail(position)
            if tail.retracted:
                state.clear()
                names.clear()
                tail = reader.tail(Position())
            position = tail.position
            for who, what in zip(tail.events.users, tail.events.items, strict=True):
                key = (name(int(who)), str(what))
                state[key] = state.get(key, 0) + 1
            for row in tail.items.iter_rows(named=True):
                catalogue[row["number"]] = row["removed"]
    tail = reader.tail(position)
    if tail.retracted:
        state.clear()
        names.clear()
        tail = reader.tail(Position())
    for who, what in zip(tail.events.users, tail.events.items, strict=True):
        key = (name(int(who)), str(what))
        state[key] = state.get(key, 0) + 1
    for row in tail.items.iter_rows(named=True):
        catalogue[row["number"]] = row["removed"]
    log = writers[0].log.scan(0, 10**6)
    expected: dict[tuple[str, str], int] = {}
    for who, what in zip(log.users, log.items, strict=True):
        key = (str(writers[0].people.get([int(who)])["user_id"][0]), str(what))
        expected[key] = expected.get(key, 0) + 1
    assert state == expected
    frame, _ = writers[0].catalogue.changed(0)
    assert catalogue == dict(zip(frame["number"], frame["removed"], strict=True))
