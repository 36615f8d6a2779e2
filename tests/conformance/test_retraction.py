"""What is taken back is gone: an undone event, and everything about a forgotten person."""

from __future__ import annotations

import polars as pl
import pytest

from conformance.conftest import Place
from conformance.test_log import ids
from penchant.store.open import Store
from penchant.types import InvalidInput
from store.frames import events


def test_undo_removes_one_event_for_good(store: Store) -> None:
    frame = events(("u", "a", 1, "click", "one"), ("u", "b", 2, "click", "two"))
    store.log.append(frame)
    assert store.log.retract(event_id="one") == 1
    assert store.log.retract(event_id="one") == 0
    assert ids(store, store.log.seen(0, 9)) == ["b"]
    done = store.log.append(frame)  # a retry of the import must not bring it back
    assert (done.new, done.known) == (0, 2)
    assert ids(store, store.log.seen(0, 9)) == ["b"]


def test_an_offset_is_never_given_twice(store: Store) -> None:
    store.log.append(events(("u", "a", 1, "click", "one")))
    store.log.retract(event_id="one")
    assert store.log.append(events(("u", "a", 1, "click", "two"))).last == 2


def test_retract_takes_one_thing(store: Store) -> None:
    with pytest.raises(InvalidInput, match="exactly one"):
        store.log.retract()
    with pytest.raises(InvalidInput, match="exactly one"):
        store.log.retract(user=1, event_id="x")


def test_forget_removes_everything_of_one_person(store: Store, place: Place) -> None:
    store.log.append(
        events(
            ("gone", "a", 1), ("stays", "a", 2), ("gone", "b", 3),
            {"user_id": "gone", "text": "a secret wish", "event_id": "s"},
        )
    )  # fmt: skip
    store.people.upsert(pl.DataFrame({"user_id": ["gone"], "attributes": ['{"age":33}']}))
    store.people.add_links(
        pl.DataFrame(
            {
                "head": ["gone", "stays", "x"], "relation": ["friend"] * 3,
                "tail": ["stays", "gone", "y"], "weight": [1.0] * 3,
            }
        )
    )  # fmt: skip
    store.quarantine.add("too early", [{"user_id": "gone", "v": 1}, {"user_id": "stays"}])
    assert store.log.retract(user=0) == 3
    assert len(store.log.history(0, 9, 9)) == 0
    assert store.log.scan(0, 9).users.tolist() == [1]
    assert store.people.numbers(["gone", "stays"]).tolist() == [-1, 1]
    assert store.people.get([0]).to_dicts() == [{"number": 0, "user_id": None, "attributes": "{}"}]
    assert store.people.links().rows() == [("x", "friend", "y", 1.0)]
    assert store.quarantine.counts() == {"too early": 1}
    # The same id later is somebody new, also for a process that knew the old one.
    other = place.open()
    for one in (other, store):
        one.log.append(events(("gone", "c", 4, "click", "new")))
    assert store.people.numbers(["gone"]).tolist() == [2]
    assert store.log.history(2, 9, 9).times.tolist() == [4]


def test_another_process_does_not_write_to_the_forgotten(store: Store, place: Place) -> None:
    other = place.open()
    other.log.append(events(("gone", "a", 1)))  # `other` now remembers the number
    store.log.retract(user=0)
    other.log.append(events(("gone", "a", 2, "click", "later")))
    assert len(store.log.history(0, 9, 9)) == 0
    assert len(store.log.history(1, 9, 9)) == 1
