"""What people may come to like is kept beside what they were shown, and goes with them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from penchant.store.expansions import EARNED, Kept
from penchant.store.open import Store
from store.frames import events


def kept(time: float = 1.5, **content: object) -> Kept:
    vector = np.array([0.25, -1.0, np.float32(1 / 3)], dtype=np.float32)
    return Kept(
        time, "000001-abc", "digest", content or {"prospects": [{"name": "日本語"}]}, vector
    )


def assert_same(got: Kept | None, wanted: Kept) -> None:
    assert got is not None
    np.testing.assert_array_equal(got.vector, wanted.vector)
    assert got.vector.dtype == np.float32
    assert replace(got, vector=wanted.vector) == wanted


def test_the_last_one_is_kept(store: Store) -> None:
    assert store.expansions.get(3) is None
    store.expansions.put(3, kept())
    store.expansions.put(3, kept(2.25, more=1))
    store.expansions.put(4, replace(kept(), vector=np.zeros(0, dtype=np.float32)))
    store.expansions.flush()
    assert_same(store.expansions.get(3), kept(2.25, more=1))
    found = store.expansions.get(4)
    assert found is not None
    assert len(found.vector) == 0
    assert len(store.expansions) == 2


def test_one_read_tells_what_was_earned_too(store: Store) -> None:
    assert store.expansions.read(3) == (None, None)
    store.expansions.put(EARNED, kept(0.0, made={"graph": 1.0}))
    store.expansions.flush()
    nobody, earned = store.expansions.read(-1)
    assert nobody is None
    assert earned is not None
    assert earned.content == {"made": {"graph": 1.0}}
    store.expansions.put(3, kept())
    store.expansions.flush()
    mine, earned = store.expansions.read(3)
    assert_same(mine, kept())
    assert earned is not None
    assert len(store.expansions) == 1


def test_it_goes_with_its_person(store: Store) -> None:
    store.log.append(events(("ann", "i1", 1.0), ("bob", "i1", 2.0), ("cam", "i1", 3.0)))
    ann, bob, cam = store.people.numbers(["ann", "bob", "cam"]).tolist()
    for user in (ann, bob, cam):
        store.expansions.put(user, kept())
    store.log.retract(user=ann)
    assert store.expansions.get(ann) is None
    # Two people who are one are another person.
    store.people.merge(bob, cam)
    assert store.expansions.get(bob) is None
    assert store.expansions.get(cam) is None
