"""States are read from the log up to a moment, by the same definition that a training uses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from numbered import NOW, names
from penchant.engine import Engine
from penchant.ingest.kinds import Kinds
from penchant.interests.history import LAST, MOST, read, stateless, wanted_before
from penchant.interests.state import State
from penchant.learn.release.publish import open_view
from penchant.learn.scorer.walk import Histories
from penchant.store.open import Store, open_store

EVENTS = [
    ("w1", "click", 100.0, None, None),
    ("w2", "view", 90.0, None, None),
    ("w3", "impression", 80.0, None, None),
    ("s1", "skip", 70.0, None, None),
    ("s2", "rating", 60.0, 3.0, None),
    ("s3", "rating", 50.0, 5.0, None),
    (None, "search", 40.0, None, "a starship"),
    ("w1", "purchase", 30.0, None, None),
    ("w4", "click", 20.0, None, None),
    ("w5", "click", 20.0, None, None),
]
"""Item, kind, seconds before NOW, value and words of one person."""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    folder = tmp_path_factory.mktemp("store")
    (folder / "penchant.toml").write_text('[encoder]\nmodel = "none"\n', encoding="utf-8")
    import world

    with Engine(folder) as engine:
        engine.add(world.items())
        for item, kind, ago, value, text in EVENTS:
            event = {"user_id": "ann", "item_id": item, "event": kind, "timestamp": NOW - ago}
            engine.record(event | {"value": value, "text": text}, now=NOW)
        engine.record({"user_id": "bo", "item_id": "w6", "timestamp": NOW - 5}, now=NOW)
    with open_store(folder) as opened:
        yield opened


@pytest.fixture(scope="module")
def kinds(store: Store) -> Kinds:
    return Kinds.from_settings(store.settings)


def at(store: Store, kinds: Kinds, now: float, **rest: object) -> State:
    (ann,) = store.people.numbers(["ann"])
    return read(store.log, kinds, int(ann), now, **rest)  # type: ignore[arg-type]


def test_a_state_is_what_was_wanted_or_rejected_oldest_first(store, kinds) -> None:
    read = at(store, kinds, NOW)
    assert names(read.items) == ["w1", "w2", "s1", "s3", "w1", "w4", "w5"]
    assert (np.diff(read.times) >= 0).all()
    assert read.strengths.tolist() == pytest.approx([1.0, 0.5, -0.3, 1.0, 2.0, 1.0, 1.0])
    assert names(read.liked.items) == ["w2", "s3", "w1", "w4", "w5"]


def test_what_was_only_shown_was_not_had(store, kinds) -> None:
    assert set(names(at(store, kinds, NOW).seen)) == {"w1", "w2", "s1", "s2", "s3", "w4", "w5"}


@settings(max_examples=60, deadline=None)
@given(ago=st.floats(-10, 120))
def test_nothing_later_than_now_is_in_a_state(store, kinds, ago) -> None:
    now = NOW - ago
    read = at(store, kinds, now)
    assert (read.times <= now).all()
    had = {item for item, kind, before, *_ in EVENTS if item and NOW - before <= now}
    assert set(names(read.items)) <= had
    assert set(names(read.seen)) <= had
    whole = at(store, kinds, NOW)
    earlier = whole.times <= now
    np.testing.assert_array_equal(read.items, whole.items[earlier])
    np.testing.assert_array_equal(read.strengths, whole.strengths[earlier])


def test_a_training_reads_the_same_history(store, kinds) -> None:
    view, _, _ = open_view(store)
    (ann,) = store.people.numbers(["ann"])
    trained = Histories(view, LAST).state(int(ann), NOW)
    live = at(store, kinds, NOW)
    np.testing.assert_array_equal(trained.items, live.items)
    np.testing.assert_array_equal(trained.times, live.times)
    np.testing.assert_array_equal(trained.strengths, live.strengths)
    np.testing.assert_array_equal(trained.liked.items, live.liked.items)


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """People whose logs are full of what never counts, or hardly ever does."""
    folder = tmp_path_factory.mktemp("crowded")
    (folder / "penchant.toml").write_text('[encoder]\nmodel = "none"\n', encoding="utf-8")
    rng = np.random.default_rng(0)
    kinds = {
        "shown much": {"impression": 0.9, "click": 0.05, "skip": 0.05},
        "short looks": {"read_time": 0.9, "click": 0.1},
        "undecided": {"rating": 1.0},
        "decided": {"click": 0.9, "dislike": 0.1},
        "shown only": {"impression": 1.0},
        "few": {"impression": 0.995, "click": 0.005},
    }
    rows = []
    for person, shares in kinds.items():
        for place, kind in enumerate(rng.choice([*shares], 5000, p=[*shares.values()])):
            value = {"rating": rng.choice([3.0, 5.0], p=[0.8, 0.2]), "read_time": 2.0}.get(kind)
            row = {"user_id": person, "item_id": f"i{rng.integers(3000)}", "event": kind}
            rows.append(row | {"value": value, "timestamp": NOW - 60.0 * (6000 - place)})
    with Engine(folder) as engine:
        engine.record(rows, now=NOW)
    with open_store(folder) as opened:
        yield opened


PEOPLE = ("shown much", "short looks", "undecided", "decided", "shown only", "few")


@pytest.mark.parametrize("person", PEOPLE)
@pytest.mark.parametrize("ago", [0.0, 60.0 * 3000])
def test_a_state_is_the_last_events_that_count_as_in_a_training(crowded, person, ago) -> None:
    kinds = Kinds.from_settings(crowded.settings)
    view, _, _ = open_view(crowded)
    now = NOW - ago
    view = view.where(view.times <= now)
    (number,) = crowded.people.numbers([person])
    live = read(crowded.log, kinds, int(number), now)
    histories = Histories(view, LAST)
    trained = histories.state(int(number), now)
    assert len(live.items) == {"shown only": 0, "few": len(trained.items)}.get(person, LAST)
    for name in ("items", "times", "strengths"):
        np.testing.assert_array_equal(getattr(live, name), getattr(trained, name))
    items, times = histories.recent(int(number), now, 0)
    found = wanted_before(crowded.log, kinds, int(number), now)
    np.testing.assert_array_equal(found[0], items[-LAST:])
    np.testing.assert_array_equal(found[1], times[-LAST:])


def test_how_much_is_read_has_an_end(crowded, monkeypatch) -> None:
    kinds = Kinds.from_settings(crowded.settings)
    asked: list[int] = []
    plain = crowded.log.history

    def history(user, n, now, ignoring=()):
        asked.append(n)
        return plain(user, n, now, ignoring)

    monkeypatch.setattr(crowded.log, "history", history)
    reads = {"decided": [200], "shown much": [200, 200], "shown only": [200, 200]}
    reads |= {"short looks": [200, 800, 3200], "undecided": [200, 800, 3200]}
    for person, expected in reads.items():
        (number,) = crowded.people.numbers([person])
        asked.clear()
        read(crowded.log, kinds, int(number), NOW)
        assert asked == expected[: len(asked)], person
        assert sum(asked) <= 200 + 200 + 800 + MOST
        assert person not in ("decided", "shown much", "shown only") or asked == expected


def test_words_of_the_last_half_hour_are_read_unless_the_request_brings_its_own(
    store, kinds
) -> None:
    said: list[str | None] = []

    def encode(text: str | None) -> np.ndarray | None:
        said.append(text)
        return None if text is None else np.ones(3, dtype=np.float32)

    assert at(store, kinds, NOW, encode=encode).words is not None
    assert at(store, kinds, NOW - 45, encode=encode).words is None
    assert at(store, kinds, NOW + 1700, encode=encode).words is not None
    assert at(store, kinds, NOW + 1800, encode=encode).words is None
    assert said == ["a starship", None, "a starship", None]
    own = np.zeros(3, dtype=np.float32)
    assert at(store, kinds, NOW, words=own, encode=encode).words is own
    assert len(said) == 4


def test_somebody_unknown_wants_nothing_yet(store, kinds) -> None:
    read_state = read(store.log, kinds, -1, NOW)
    assert not len(read_state.items)
    assert not len(read_state.seen)


def test_wanted_before_leaves_out_rejections_and_the_future(store, kinds) -> None:
    (ann,) = store.people.numbers(["ann"])
    items, times, _ = wanted_before(store.log, kinds, int(ann), NOW - 30)
    assert names(items) == ["w1", "w2", "s3", "w1"]
    assert times.max() == NOW - 30


def test_a_visitor_chose_one_item_a_second_in_the_order_given() -> None:
    visitor = stateless(np.array([3, 1, 3], dtype=np.int32), NOW)
    assert visitor.times.tolist() == [NOW - 3, NOW - 2, NOW - 1]
    assert visitor.liked.items.tolist() == [1, 3]
    assert not visitor.liked.same_moment
    assert visitor.seen.tolist() == [1, 3]


def test_states_do_not_read_what_a_test_did_not_write(tmp_path: Path) -> None:
    with open_store(tmp_path / "empty") as empty:
        nobody = read(empty.log, Kinds(), 0, NOW)
    assert not len(nobody.items)
