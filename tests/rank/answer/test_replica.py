"""A replica is what folding the whole store from the start would give, however it got there."""

from __future__ import annotations

import argparse
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import crowd
import penchant
import world
from penchant.ingest.kinds import Kinds
from penchant.interests.history import read
from penchant.learn.__main__ import train
from penchant.rank.answer import loading, replica
from penchant.rank.answer.loading import UNTRAINED, Loaded
from penchant.rank.answer.replica import Replica
from penchant.rank.answer.served import Served
from penchant.rank.feedback.feedback import Feedback
from penchant.recall.gather import Recall
from penchant.store.log import Events
from penchant.store.open import Store, open_store
from penchant.types import Candidates, Query
from shelves import filled, ids

NOW = float(crowd.NOW)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a snapshot of effort fast."""
    folder = crowd.filled(tmp_path_factory.mktemp("trained") / "shelf")
    options = {"url": None, "effort": "fast", "seed": 0, "threads": 1}
    train(argparse.Namespace(directory=folder, **options))
    return folder


class Reader:
    """A process of its own, as far as the store can tell: a store and a replica that follows it."""

    def __init__(self, folder: Path) -> None:
        self.store: Store = open_store(folder)
        self.kinds = Kinds.from_settings(self.store.settings)
        self.replica = Replica(self.store, self.kinds)

    def answer(self, user_id: str, now: float = NOW) -> tuple[Candidates, Served]:
        """Return everybody's scores for a person now."""
        served = self.replica.follow()
        (user,) = self.store.people.numbers([user_id])
        state = read(self.store.log, self.kinds, int(user), now)
        pool, _ = served.pipeline.run(Query(now=now, n_items=served.columns.n, k=30), state)
        return pool, served

    def close(self) -> None:
        self.replica.close()
        self.store.close()


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    return filled(tmp_path / "shelf")


@pytest.fixture
def reader(shelf: Path) -> Iterator[Reader]:
    reader = Reader(shelf)
    reader.replica.follow()
    yield reader
    reader.close()


def assert_as_if_from_the_start(reader: Reader, folder: Path) -> None:
    """Compare with a reader that begins now."""
    fresh = Reader(folder)
    try:
        for user_id in ("ann", "eve", "jo"):
            followed, served = reader.answer(user_id)
            anew, other = fresh.answer(user_id)
            assert served.columns.ids == other.columns.ids
            assert served.snapshot == other.snapshot
            np.testing.assert_array_equal(np.sort(followed.items), np.sort(anew.items))
            # Untrained, pairs are counted anew now and then, and damped by the counts of then.
            exact = ("trending", "popular", "days", "history", "category", "fresh")
            if served.snapshot != UNTRAINED:
                exact = ("",)
            there, here = np.argsort(anew.items), np.argsort(followed.items)
            for column, name in enumerate(followed.names):
                if name.startswith(exact):
                    np.testing.assert_allclose(
                        followed.features[here, column], anew.features[there, column], rtol=1e-5
                    )
    finally:
        fresh.close()


def test_nothing_new_costs_nothing_and_changes_nothing(reader: Reader) -> None:
    served = reader.replica.follow()
    assert reader.replica.follow() is served
    assert served.snapshot == UNTRAINED


def test_an_event_recorded_elsewhere_is_in_the_next_answer(reader: Reader, shelf: Path) -> None:
    before, served = reader.answer("jo")
    count = served.pipeline.recall.popularity.at(NOW, 13)[-1]
    with penchant.open(shelf) as other:
        other.record({"user_id": "zoe", "item_id": "cold", "timestamp": NOW - 5}, now=NOW)
    after, same = reader.answer("jo")
    assert same is served  # folded, not loaded again
    grown = same.pipeline.recall.popularity.at(NOW, 13)[-1] - count
    assert grown[12] == pytest.approx(1.0, abs=1e-3)
    assert np.abs(np.delete(grown, 12)).max() < 1e-6
    assert set(before.items) == set(after.items)
    assert_as_if_from_the_start(reader, shelf)


def test_an_item_added_elsewhere_is_known_at_once(reader: Reader, shelf: Path) -> None:
    with penchant.open(shelf) as other:
        other.add([penchant.Item("w7", title="Mesa Dawn", category="western")])
        other.record({"user_id": "ann", "item_id": "unheard-of", "timestamp": NOW - 9}, now=NOW)
    _, served = reader.answer("eve")
    assert served.columns.number_of["w7"] == 13
    assert served.columns.titles[13] == "Mesa Dawn"
    assert served.columns.ids[14] == "unheard-of"
    assert_as_if_from_the_start(reader, shelf)


def test_what_nobody_wanted_teaches_nothing(reader: Reader, shelf: Path) -> None:
    before = reader.answer("jo")[0]
    with penchant.open(shelf) as other:
        for kind in ("impression", "skip", "search", "scroll"):
            event = {"user_id": "zoe", "item_id": "cold", "event": kind, "timestamp": NOW - 5}
            other.record(event, now=NOW)
    after = reader.answer("jo")[0]
    np.testing.assert_array_equal(before.items, after.items)
    np.testing.assert_array_equal(before.scores, after.scores)


@pytest.mark.parametrize("how", ["forget", "undo", "merge"])
def test_what_is_taken_back_is_as_if_it_had_never_been(
    reader: Reader, shelf: Path, how: str
) -> None:
    untouched = reader.answer("eve")[0]
    with penchant.open(shelf) as other:
        for n in range(3):
            event = {"user_id": "zoe", "item_id": "s6", "timestamp": NOW - 50 + n}
            other.record(event | {"event_id": f"zoe-{n}"}, now=NOW)
        touched, before = reader.answer("eve")
        assert not np.array_equal(touched.scores, untouched.scores)
        if how == "forget":
            assert other.forget("zoe") == 3
        elif how == "undo":
            assert all(other.undo(f"zoe-{n}") for n in range(3))
        else:
            assert other.merge("zoe", into="jo") == 3
    again, after = reader.answer("eve")
    assert after is not before  # folded anew
    if how == "merge":
        counts = [one.pipeline.recall.popularity.at(NOW, 13) for one in (before, after)]
        np.testing.assert_array_equal(counts[0], counts[1])
        assert len(reader.store.log.history(int(reader.store.people.numbers(["jo"])[0]), 9, NOW))
    else:
        np.testing.assert_array_equal(again.items, untouched.items)
        np.testing.assert_array_equal(again.scores, untouched.scores)
    assert_as_if_from_the_start(reader, shelf)


def changed(reader: Reader, snapshot: str) -> Served:
    """Ask until a snapshot answers."""
    until = time.monotonic() + 30
    while (served := reader.replica.follow()).snapshot != snapshot:
        assert time.monotonic() < until
        time.sleep(0.01)
    return served


def test_a_new_snapshot_answers_as_soon_as_it_is_loaded(trained: Path, tmp_path: Path) -> None:
    folder = crowd.filled(tmp_path / "shelf", copies=4)
    reader = Reader(folder)
    try:
        before = reader.replica.follow()
        assert before.snapshot == UNTRAINED
        options = {"url": None, "effort": "fast", "seed": 0, "threads": 1}
        first = train(argparse.Namespace(directory=folder, **options))["snapshot"]
        changed(reader, first)
        pool, _ = reader.answer("ann-0")
        assert "linear_taste" in pool.sources
        # Who still holds the one before can go on asking it.
        old, _ = before.pipeline.run(
            Query(now=NOW, n_items=13, k=3), read(reader.store.log, reader.kinds, 0, NOW)
        )
        assert len(old)
        second = train(argparse.Namespace(directory=folder, **(options | {"seed": 1})))["snapshot"]
        assert reader.replica.follow(wait=True).snapshot == second
        reader.store.snapshots.activate(first)
        changed(reader, first)
    finally:
        reader.close()


@pytest.mark.parametrize("then", ["event", "item", "forget"])
def test_what_happens_while_a_snapshot_is_loaded_is_in_it(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, then: str
) -> None:
    folder = tmp_path / "shelf"
    shutil.copytree(trained, folder)
    reader = Reader(folder)
    try:
        first = reader.replica.follow().snapshot
        with penchant.open(folder) as other:
            for n in range(4):
                other.record(penchant.Event("gone", f"s{n}", timestamp=NOW - 90 + n), now=NOW)
        held, release = threading.Event(), threading.Event()
        plain = reader.replica._loading.trained

        def slow(*args: Any) -> Loaded:
            loaded = plain(*args)
            held.set()
            assert release.wait(30)
            return loaded

        options = {"url": None, "effort": "fast", "seed": 1, "threads": 1}
        second = train(argparse.Namespace(directory=folder, **options))["snapshot"]
        monkeypatch.setattr(reader.replica._loading, "trained", slow)
        assert reader.replica.follow().snapshot == first
        assert held.wait(30)
        with penchant.open(folder) as other:
            if then == "forget":
                assert other.forget("gone") == 4
            elif then == "item":
                other.add([penchant.Item("w9", title="Mesa Dusk", category="western")])
            else:
                for n in range(3):
                    event = penchant.Event("ann-0", f"w{n + 1}", timestamp=NOW - 20 + n)
                    other.record(event, now=NOW)
        # The one before answers, of what happened too, and nobody waits.
        assert reader.replica.follow().snapshot == first
        monkeypatch.setattr(reader.replica._loading, "trained", plain)
        release.set()
        changed(reader, second)
        assert_as_if_from_the_start(reader, folder)
    finally:
        release.set()
        reader.close()


@pytest.mark.parametrize("late", [False, True], ids=["known to the snapshot", "late"])
def test_only_late_events_that_are_taken_back_have_the_rest_learned_again(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, late: bool
) -> None:
    folder = tmp_path / "shelf"
    shutil.copytree(trained, folder)
    reader = Reader(folder)
    taught: list[bool] = []
    learn = Recall.learn

    def noted(self: Recall, tail: Events, *, anew: bool = False) -> None:
        taught.append(anew)
        learn(self, tail, anew=anew)

    monkeypatch.setattr(Recall, "learn", noted)
    try:
        reader.replica.follow()
        with penchant.open(folder) as other:
            other.record(penchant.Event("zoe", "s2", timestamp=NOW - 60), now=NOW)
            reader.replica.follow()
            if late:
                other.record(penchant.Event("ann-0", "s6", timestamp=NOW - 50), now=NOW)
                reader.replica.follow()
            taught.clear()
            other.record(penchant.Event("zoe", "s4", timestamp=NOW - 40), now=NOW)
            assert other.forget("ann-0")
            reader.replica.follow()
            assert taught == [late]
        assert_as_if_from_the_start(reader, folder)
    finally:
        reader.close()


def test_what_follows_the_answers_is_made_anew_once_in_a_while(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever forgets thousands of people, one by one, would have it made anew all the time."""
    monkeypatch.setattr(loading, "WORTH", 0)
    folder = tmp_path / "shelf"
    shutil.copytree(trained, folder)
    clock = [1000.0]
    monkeypatch.setattr(replica.time, "monotonic", lambda: clock[0])
    items = [f"s{n}" for n in range(1, 7)]
    with penchant.open(folder) as engine:
        made: list[str] = []
        plain = engine._replica._loading.told_anew

        def noted(*given: Any) -> Served:
            made.append("anew")
            return plain(*given)

        monkeypatch.setattr(engine._replica._loading, "told_anew", noted)
        for n in range(3):
            slate = engine.rank(f"ann-{n}", items, now=NOW)
            event = {"user_id": f"ann-{n}", "item_id": slate[0].item_id, "slate_id": slate.id}
            engine.record(event | {"timestamp": NOW + 1}, now=NOW + 2)
        engine.rank("jo-0", items, now=NOW + 3)

        def forgotten(user: str) -> None:
            assert engine.forget(user)
            engine._replica.follow()
            changer = engine._replica._changer
            if changer is not None:
                changer.join(30)

        assert engine._replica.follow().feedback is not None
        forgotten("ann-0")
        assert made == ["anew"]
        forgotten("ann-1")
        forgotten("ann-2")
        assert made == ["anew"]
        clock[0] += replica.REMADE
        engine._replica.follow()  # though nothing was recorded since
        changer = engine._replica._changer
        assert changer is not None
        changer.join(30)
        assert made == ["anew"] * 2
        feedback = engine._replica.follow().feedback
        assert feedback is not None
        held = feedback.rates.table(NOW + 9)
    with penchant.open(folder) as engine:
        engine._replica.follow_answers()
        feedback = engine._replica.follow().feedback
        assert feedback is not None
        np.testing.assert_allclose(held[1], feedback.rates.table(NOW + 9)[1])
        np.testing.assert_allclose(held[2], feedback.rates.table(NOW + 9)[2])


def test_a_trained_answer_finds_what_is_missing(trained: Path) -> None:
    with penchant.open(trained) as engine:
        right = sum(
            engine.recommend(f"{user}-{n}", 1, now=NOW)[0].item_id in missing
            for user, missing in world.MISSING.items()
            for n in range(3)
        )
    assert right >= 18  # of 24


def test_events_after_the_snapshot_are_learned_live(trained: Path) -> None:
    with penchant.open(trained) as engine:
        assert engine.recommend("ann-0", now=NOW).snapshot != UNTRAINED
        for n in range(6):
            person = {"user_id": f"late-{n}", "timestamp": NOW - 100}
            engine.record(person | {"item_id": "w1"}, now=NOW)
            engine.record(person | {"item_id": "cold", "timestamp": NOW - 50}, now=NOW)
        found = engine.recommend(history=["w1"], k=13, now=NOW, log=False)
    # The same from the start, for which the events come after the snapshot's.
    with penchant.open(trained) as again:
        assert ids(again.recommend(history=["w1"], k=13, now=NOW, log=False)) == ids(found)
        assert again.similar("w1", now=NOW)
    reader = Reader(trained)
    try:
        pool, served = reader.answer("late-0")
        after = served.pipeline.recall.sources[pool.sources.index("after")]
        state = read(reader.store.log, reader.kinds, 0, NOW)
        w1 = type(state)(
            NOW,
            np.array([0], dtype=np.int32),
            np.array([NOW - 1]),
            np.ones(1, dtype=np.float32),
            np.array([0], dtype=np.int32),
        )
        scores = after.score(Query(now=NOW, n_items=13), w1)
        assert 12 in scores.items
    finally:
        reader.close()


def test_an_untrained_answer_knows_the_tiny_world(reader: Reader) -> None:
    pool, _ = reader.answer("gus")
    had = {i for i, n in enumerate(world.ITEMS) if n in world.HISTORIES["gus"]}
    best = [int(i) for i in pool.items if i not in had]
    assert list(world.ITEMS)[best[0]] in world.MISSING["gus"]
    newcomer, served = reader.answer("jo")
    month = served.pipeline.recall.popularity.at(NOW, 13)[2]
    assert newcomer.items[0] == int(month.argmax())


def test_an_empty_directory_answers_with_nothing(tmp_path: Path) -> None:
    with penchant.open(tmp_path / "new") as engine:
        engine.close()
    (tmp_path / "new" / "penchant.toml").write_text('[encoder]\nmodel = "none"\n', encoding="utf-8")
    reader = Reader(tmp_path / "new")
    try:
        pool, served = reader.answer("nobody")
        assert len(pool) == 0
        assert served.columns.n == 0
    finally:
        reader.close()


def test_threads_ask_while_others_record(shelf: Path, reader: Reader) -> None:
    wrong: list[BaseException] = []
    done = threading.Event()

    def ask() -> None:
        try:
            while not done.is_set():
                pool, served = reader.answer("eve")
                assert served.columns.n >= 13
                assert len(pool)
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    with penchant.open(shelf) as other:
        for n in range(25):
            other.record({"user_id": f"u{n}", "item_id": f"new-{n}", "timestamp": NOW - n}, now=NOW)
            if n % 10 == 5:
                other.forget(f"u{n}")
    done.set()
    for thread in threads:
        thread.join()
    assert not wrong
    assert_as_if_from_the_start(reader, shelf)


def test_answers_to_lists_are_followed_and_found_again(
    shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "WORTH", 0)
    items = [f"s{n}" for n in range(1, 7)] + [f"w{n}" for n in range(1, 7)]

    def told(engine: penchant.Engine) -> tuple[int, float, float]:
        feedback = engine._replica.follow().feedback
        assert feedback is not None
        weights = feedback.following.at(NOW + 1e6)
        return feedback.shown_until, weights.said, weights.rate

    with penchant.open(shelf) as engine:
        for n in range(40):
            slate = engine.rank(f"p{n}", items, now=NOW + n)
            engine._store.impressions.flush()
            click = penchant.Event(f"p{n}", "w6", "click", NOW + n + 0.5, slate_id=slate.id)
            engine.record(click, now=NOW + n + 1)
        slate = engine.rank("somebody", items, now=NOW + 60)
        assert slate[0].item_id == "w6"
        followed = told(engine)
    assert followed[0] >= 40
    assert followed[2] > 0
    with penchant.open(shelf) as engine:
        assert told(engine)[1:] == followed[1:]
        assert (shelf / loading.FEEDBACK).exists()
    with penchant.open(shelf) as engine:
        read: list[int] = []
        monkeypatch.setattr(Feedback, "_learn", lambda _, answers: read.append(len(answers)))
        assert told(engine)[1:] == followed[1:]
        assert sum(read) == 0
