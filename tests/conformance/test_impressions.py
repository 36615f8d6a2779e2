"""What is shown is kept apart from the log, in the background, until its person is forgotten."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from conformance.conftest import Place
from penchant.store.backup import backup
from penchant.store.impressions import Impression
from penchant.store.open import Store, open_store
from store.frames import events


def shown(name: str, user: int = 0, now: float = 1.0, n: int = 3, f: int = 2) -> Impression:
    rng = np.random.default_rng(len(name))
    return Impression(
        slate_id=name,
        user=user,
        now=now,
        snapshot="000001-abc",
        items=np.arange(n, dtype=np.int32),
        scores=rng.random(n, dtype=np.float32),
        propensities=rng.random(n, dtype=np.float32),
        features=rng.random((n, f), dtype=np.float32),
        names=tuple(f"f{k}" for k in range(f)),
        reasons=tuple({"because": k} for k in range(n)),
        notes={"sources": ["popularity"]},
        context={"device": "tv"},
    )


def assert_same(got: Impression | None, wanted: Impression) -> None:
    assert got is not None
    for name in ("items", "scores", "propensities", "features"):
        left, right = getattr(got, name), getattr(wanted, name)
        np.testing.assert_array_equal(left, right)
        assert left.dtype == right.dtype
    for name in ("slate_id", "user", "now", "snapshot", "names", "reasons", "notes", "context"):
        assert getattr(got, name) == getattr(wanted, name), name


def test_a_slate_is_found_at_once_and_after_it_was_written(store: Store, place: Place) -> None:
    wanted = shown("slate ✓\x00")
    store.impressions.add(wanted)
    assert_same(store.impressions.get(wanted.slate_id), wanted)
    store.impressions.flush()
    assert_same(store.impressions.get(wanted.slate_id), wanted)
    assert_same(place.open().impressions.get(wanted.slate_id), wanted)
    assert len(store.impressions) == 1
    assert store.impressions.get("another") is None


def test_slates_are_followed_in_the_order_they_became_visible(store: Store, place: Place) -> None:
    for k in range(5):
        store.impressions.add(replace(shown(f"s{k}", user=k, now=9.0 - k, n=k), variant=f"v{k}"))
    store.impressions.flush()
    follower = place.open().impressions
    first = follower.after(0, 3)
    rest = follower.after(int(first.numbers[-1]), 100)
    assert (first.slates, rest.slates) == (("s0", "s1", "s2"), ("s3", "s4"))
    assert (np.diff(first.starts).tolist(), np.diff(rest.starts).tolist()) == ([0, 1, 2], [3, 4])
    assert rest.users.tolist() == [3, 4]
    assert rest.times.tolist() == [6.0, 5.0]
    assert rest.variants == ("v3", "v4")
    last = store.impressions.get("s4")
    assert last is not None
    assert last.variant == "v4"
    np.testing.assert_array_equal(rest.items[rest.starts[1] :], last.items)
    np.testing.assert_array_equal(rest.propensities[rest.starts[1] :], last.propensities)
    # The newest is forgotten, and what comes next does not take its number.
    assert store.impressions.purge(4) == 1
    store.impressions.add(shown("s5"))
    store.impressions.flush()
    assert follower.after(int(rest.numbers[-1]), 100).slates == ("s5",)
    assert len(follower.after(10**9, 100)) == 0


def test_contexts_are_followed_and_nothing_is_read_where_none_is_told(store: Store) -> None:
    told = {"device": "phone", "hour": 20, "home": True, "odd": "\ud800 \x00", "far": 0.5}
    for k, context in enumerate(({}, {}, told, {})):
        store.impressions.add(replace(shown(f"s{k}"), context=context))
    store.impressions.flush()
    assert store.impressions.after(0, 2).contexts == ()
    assert store.impressions.after(0, 10).contexts == (None, None, told, None)
    assert [one.context for one in store.impressions.scan()] == [{}, {}, told, {}]


def test_numbers_go_on_in_a_copy(store: Store, place: Place, tmp_path: Path) -> None:
    for k in range(3):
        store.impressions.add(shown(f"s{k}"))
    backup(store, tmp_path / "copy")
    with open_store(tmp_path / "copy") as copy:
        before = copy.impressions.after(0, 100)
        copy.impressions.add(shown("later"))
        copy.impressions.flush()
        assert copy.impressions.after(int(before.numbers[-1]), 100).slates == ("later",)


@pytest.mark.parametrize(("n", "f"), [(0, 0), (0, 3), (1, 0), (200, 60)])
def test_slates_of_any_shape(store: Store, n: int, f: int) -> None:
    wanted = shown("s", n=n, f=f)
    wanted.features[:1, :1] = np.nan
    store.impressions.add(wanted)
    store.impressions.flush()
    assert_same(store.impressions.get("s"), wanted)


def test_closing_writes_what_waits(place: Place) -> None:
    store = place.open()
    for k in range(300):
        store.impressions.add(shown(f"s{k}", now=k))
    store.close()
    assert len(place.open().impressions) == 300


def test_a_slate_is_stored_once(store: Store) -> None:
    store.impressions.add(shown("s", now=1))
    store.impressions.add(shown("s", now=2))
    store.impressions.flush()
    got = store.impressions.get("s")
    assert got is not None
    assert got.now == 1
    assert len(store.impressions) == 1


def test_scan_is_in_order_of_time_between_two_times(store: Store) -> None:
    for k in (5, 1, 3, 3, 2):
        store.impressions.add(shown(f"s{len(store.impressions)}-{k}", now=k))
        store.impressions.flush()
    assert [i.now for i in store.impressions.scan()] == [1, 2, 3, 3, 5]
    assert [i.now for i in store.impressions.scan(since=2, until=5)] == [2, 3, 3]
    assert list(store.impressions.scan(since=9)) == []


def test_old_ones_can_be_purged(store: Store) -> None:
    for k in range(4):
        store.impressions.add(shown(f"s{k}", now=k))
    assert store.impressions.purge(before=2) == 2
    assert [i.now for i in store.impressions.scan()] == [2, 3]
    assert store.impressions.purge() == 0


def test_forgetting_a_person_removes_what_they_were_shown(store: Store) -> None:
    store.log.append(events(("gone", "a", 1), ("stays", "a", 1)))
    for k in range(3):
        store.impressions.add(shown(f"g{k}", user=0))
    store.impressions.add(shown("s", user=1))
    store.log.retract(user=0)
    assert [i.slate_id for i in store.impressions.scan()] == ["s"]


def test_writing_what_was_shown_does_not_move_the_log(store: Store, place: Place) -> None:
    from penchant.store.tail import Position

    position = store.tail(Position()).position
    store.impressions.add(shown("s"))
    store.impressions.flush()
    assert not store.moved(position)


def test_a_failure_in_the_background_is_counted_and_told_by_flush(store: Store) -> None:
    bad = shown("bad")
    object.__setattr__(bad, "notes", {"no": object()})
    store.impressions.add(bad)
    store.impressions.add(shown("good"))
    with pytest.raises(TypeError, match="not JSON serializable"):
        store.impressions.flush()
    store.impressions.flush()
    assert store.impressions.failed == 1
    assert [i.slate_id for i in store.impressions.scan()] == ["good"]
