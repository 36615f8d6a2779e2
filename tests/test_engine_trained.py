"""The engine after a training: snapshots, roll-back, damage, kills, and serving meanwhile."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

import penchant
from penchant import Error, Event, Item
from penchant.evaluate.simulate import World, world
from penchant.store.child import ChildFailed
from shelves import elsewhere, ids

PEOPLE = [f"u{n}" for n in range(12)]


@pytest.fixture(scope="module")
def made() -> World:
    return world(n_users=120, n_items=220, n_events=3000, seed=3)


@pytest.fixture(scope="module")
def now(made: World) -> float:
    return float(made.events["timestamp"].max().timestamp()) + 60  # type: ignore[union-attr]


@pytest.fixture(scope="module")
def trained(
    made: World, now: float, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, penchant.Slate]:
    """A directory after one training; tests work on copies."""
    directory = tmp_path_factory.mktemp("trained") / "shelf"
    steps: list[tuple[str, float]] = []
    with penchant.open(directory, effort="fast") as engine:
        engine.add(made.items)
        engine.record(made.events, now=now)
        before = engine.recommend("u1", now=now)
        report = engine.train(progress=lambda step, value: steps.append((step, value)), seed=1)
        after = engine.recommend("u1", now=now)
        assert before.snapshot == "untrained"
        assert after.snapshot == report.snapshot
        assert steps
        assert report.snapshot in str(report)
        assert all(0 <= value <= 1 for value in report.measured.values())
    return directory, after


@pytest.fixture
def shelf(trained: tuple[Path, penchant.Slate], tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained[0], tmp_path / "shelf"))


@pytest.fixture
def engine(shelf: Path) -> Iterator[penchant.Engine]:
    with penchant.open(shelf, effort="fast") as opened:
        yield opened


def snapshot_of(shelf: Path) -> Path:
    return shelf / "snapshots" / (shelf / "snapshots" / "current").read_text().strip()


def retrain(shelf: Path, now: float, without: Sequence[str] = ()) -> Path:
    """Publish a second snapshot with the same content, without the time a training takes."""
    from penchant.store.open import open_store

    old = snapshot_of(shelf)
    with open_store(shelf) as store:
        folder = store.snapshots.begin()
        for path in old.iterdir():
            if path.name != "manifest.json":
                shutil.copy2(path, folder / path.name)
        summary = json.loads((old / "manifest.json").read_text())
        for name in ("files", "parent", *without):
            summary.pop(name)
        identity = store.snapshots.publish(folder, {**summary, "again": True})
    return shelf / "snapshots" / identity


# Answers


def test_a_snapshot_answers_the_same_in_every_process(
    trained: tuple[Path, penchant.Slate], engine: penchant.Engine, now: float
) -> None:
    slate = engine.recommend("u1", now=now)
    assert [(line.item_id, line.score) for line in slate] == [
        (line.item_id, line.score) for line in trained[1]
    ]
    told = elsewhere(
        "import sys, penchant\n"
        "with penchant.open(sys.argv[1], read_only=True) as e:\n"
        "    print(*[l.item_id for l in e.recommend('u1', now=float(sys.argv[2]))])\n"
        "    print(e.explain(sys.argv[3], sys.argv[4]))\n"
        "    heavy = {'torch', 'pandas', 'sklearn', 'scipy', 'transformers'}\n"
        "    print(sorted(heavy & set(sys.modules)))",
        engine.directory,
        now,
        slate.id,
        slate[0].item_id,
    ).splitlines()
    assert told[0].split() == ids(slate)
    assert told[1] == str(engine.explain(slate, slate[0].item_id))
    assert told[2] == "[]"


def test_batch_equals_single_and_the_same_twice(engine: penchant.Engine, now: float) -> None:
    many = engine.recommend_many(PEOPLE, k=7, now=now)
    rows = many.rows()
    single = [
        (user, line.item_id, line.score, line.rank)
        for user in PEOPLE
        for line in engine.recommend(user, 7, now=now)
    ]
    assert rows == single
    assert engine.recommend_many(PEOPLE, k=7, now=now).rows() == rows


def test_an_event_changes_the_very_next_answer(engine: penchant.Engine, now: float) -> None:
    changed = 0
    for user in PEOPLE:
        slate = engine.recommend(user, k=10, now=now)
        engine.record(Event(user, slate[2].item_id, timestamp=now - 1), now=now)
        after = engine.recommend(user, k=10, now=now)
        assert slate[2].item_id not in ids(after)
        changed += ids(after)[:9] != [i for i in ids(slate) if i != slate[2].item_id]
    # More than the place that fell free: what it says of the person counts at once.
    assert changed >= len(PEOPLE) * 0.7


def test_a_new_item_is_reachable_at_once(engine: penchant.Engine, made: World, now: float) -> None:
    like = made.items.row(0, named=True)
    engine.add([Item("brand new", like["title"] + " II", like["description"], like["category"])])
    assert "brand new" in ids(engine.recommend("a stranger", k=10, text=like["title"], now=now))
    assert "brand new" in ids(engine.similar(like["item_id"], k=20, now=now))
    assert "brand new" in ids(engine.rank("u1", ["i5", "brand new"], now=now))
    slate = engine.recommend("u1", k=10, now=now)
    everything = ids(slate)
    while len(slate := slate.more(100)):
        everything += ids(slate)
    assert "brand new" in everything
    assert len(set(everything)) == len(everything)


def test_words_steer_a_trained_engine(engine: penchant.Engine, now: float) -> None:
    for words in ("a lamp for the garden", "kettle for the kitchen"):
        thing = words.split()[1 if words[0] == "a" else 0]
        slate = engine.recommend("u3", k=5, text=words, now=now)
        titles = [
            engine._replica.follow().columns.titles[
                engine._replica.follow().columns.number_of[line.item_id]
            ]
            for line in slate
        ]
        catalogue = " ".join(engine._replica.follow().columns.titles)
        if thing in catalogue:
            assert any(thing in title for title in titles), (words, titles)


def test_what_a_person_forgot_no_longer_counts(engine: penchant.Engine, now: float) -> None:
    stranger = engine.recommend("nobody", now=now)
    assert engine.forget("u1") > 0
    again = engine.recommend("u1", now=now)
    assert ids(again) == ids(engine.recommend("nobody", now=now))
    assert again.snapshot == stranger.snapshot


# Snapshots that are damaged, rolled back, or of another version


DAMAGE: dict[str, Callable[[Path], object]] = {
    "a file cut short": lambda s: os.truncate(next(s.glob("*.npy")), 10),
    "a byte changed": lambda s: flip(s / "rank.json"),
    "an array changed": lambda s: flip(max(s.glob("*.npy"), key=lambda p: p.stat().st_size)),
    "a file missing": lambda s: (s / "recall.json").unlink(),
    "no manifest": lambda s: (s / "manifest.json").unlink(),
    "half a manifest": lambda s: os.truncate(s / "manifest.json", 40),
    "a manifest changed": lambda s: flip(s / "manifest.json"),
    "a manifest that agrees with the damage": lambda s: agree(s),
    "an empty folder": lambda s: [path.unlink() for path in s.iterdir()],
    "no folder": lambda s: shutil.rmtree(s),
}


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


def agree(snapshot: Path) -> None:
    import hashlib

    flip(snapshot / "rank.json")
    manifest = json.loads((snapshot / "manifest.json").read_text())
    found = hashlib.sha256((snapshot / "rank.json").read_bytes()).hexdigest()
    manifest["files"]["rank.json"] = found
    (snapshot / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_snapshot_is_never_used(shelf: Path, now: float, damage: str) -> None:
    DAMAGE[damage](snapshot_of(shelf))
    with penchant.open(shelf, effort="fast") as engine:
        slate = engine.recommend("u1", now=now)
        assert len(slate) == 10
        assert slate.snapshot == "untrained"
        assert any("snapshot" in text for text in engine._store.snapshots.warnings)


@pytest.mark.parametrize("damage", DAMAGE)
def test_the_sound_snapshot_before_a_damaged_one_answers(
    shelf: Path, now: float, damage: str
) -> None:
    sound = snapshot_of(shelf).name
    newer = retrain(shelf, now)
    assert snapshot_of(shelf) == newer
    with penchant.open(shelf) as engine:
        assert engine.recommend("u1", now=now).snapshot == newer.name
    DAMAGE[damage](newer)
    with penchant.open(shelf, effort="fast") as engine:
        assert engine.recommend("u1", now=now).snapshot == sound
        engine.record(Event("u1", "i1", timestamp=now - 1), now=now)
        assert engine.recommend("u1", now=now).snapshot == sound


@pytest.mark.parametrize("pointer", ["", "nonsense", "000099-aaaaaaaaaaaa", "../..", "\x00"])
def test_a_pointer_to_nothing_is_followed_nowhere(shelf: Path, now: float, pointer: str) -> None:
    sound = snapshot_of(shelf).name
    (shelf / "snapshots" / "current").write_text(pointer)
    with penchant.open(shelf) as engine:
        slate = engine.recommend("u1", now=now)
        assert slate.snapshot in (sound, "untrained")
        assert len(slate) == 10


def test_a_sound_snapshot_that_this_version_cannot_read_is_left_alone(
    shelf: Path, now: float
) -> None:
    from penchant.store.open import open_store

    with open_store(shelf) as store:
        folder = store.snapshots.begin()
        (folder / "recall.json").write_text('{"sources": "of the year 2040"}')
        strange = store.snapshots.publish(folder, {"offset": 0})
    with penchant.open(shelf) as engine:
        for _ in range(3):
            slate = engine.recommend("u1", now=now)
            assert slate.snapshot != strange
            assert len(slate) == 10
            engine.record(Event("u1", "i1", timestamp=now - 1), now=now)
        assert any(strange in text for text in engine._replica.warnings)


def test_a_roll_back_is_followed_by_every_process(shelf: Path, now: float) -> None:
    first = snapshot_of(shelf).name
    with penchant.open(shelf) as engine:
        assert engine.recommend("u1", now=now).snapshot == first
        second = retrain(shelf, now).name
        answered_by(engine, second, before=first, now=now)
        with penchant.open(shelf) as other:
            assert [one.id for one in other.snapshots() if one.current] == [second]
            assert other.activate(first).id == first
            assert other.recommend("u1", now=now).snapshot == first  # the caller need not wait
        answered_by(engine, first, before=second, now=now)


def answered_by(engine: penchant.Engine, snapshot: str, *, before: str, now: float) -> None:
    """Ask until a snapshot answers; until then the one before does, and nobody waits."""
    until = time.monotonic() + 30
    while (found := engine.recommend("u1", now=now).snapshot) != snapshot:
        assert found == before
        assert time.monotonic() < until
        time.sleep(0.01)


def encoded(engine: penchant.Engine) -> int:
    """Return how many texts were looked up or encoded since the directory was opened."""
    engine.stages()
    encoder = engine._replica._loading._readers.configured.encoder
    return encoder.hits + encoder.misses  # type: ignore[union-attr]


def test_opening_encodes_only_what_changed_since_the_snapshot(shelf: Path, now: float) -> None:
    with penchant.open(shelf) as engine:
        assert encoded(engine) == 0
        slate = [(line.item_id, line.score) for line in engine.recommend("u1", now=now)]
        changed = slate[0][0]
        engine.add([{"item_id": changed, "title": "A lighthouse keeper learns to fly"}])
        engine.add([{"item_id": "another", "title": "A pilot who is afraid of the dark"}])
        numbers = engine._replica.follow().columns.numbers([changed, "another"])
        live = engine._replica.follow().vectors.rows(numbers)
    with penchant.open(shelf) as engine:
        assert encoded(engine) == 2
        again = engine._replica.follow().vectors.rows(numbers)
        np.testing.assert_allclose(again, live, atol=1e-5)
        assert np.isfinite(live).all()
    # Other texts of the same items: nothing that is known can be used.
    (shelf / "penchant.toml").write_text('[text]\nparts = ["{category}", "{title}"]\n')
    with penchant.open(shelf) as engine:
        assert encoded(engine) > 50


def test_a_snapshot_that_does_not_say_what_it_knows_is_used_too(shelf: Path, now: float) -> None:
    with penchant.open(shelf) as engine:
        slate = [(line.item_id, line.score) for line in engine.recommend("u1", now=now)]
    silent = retrain(shelf, now, without=["texts"])
    with penchant.open(shelf) as engine:
        assert encoded(engine) > 50
        assert engine.recommend("u1", now=now).snapshot == silent.name
        again = [(line.item_id, line.score) for line in engine.recommend("u1", now=now)]
    assert [i for i, _ in again] == [i for i, _ in slate]


# Training


@pytest.mark.slow
def test_a_killed_training_leaves_everything_as_it_was(shelf: Path, now: float) -> None:
    sound = snapshot_of(shelf).name
    with penchant.open(shelf, effort="fast") as engine:
        before = engine.recommend_many(PEOPLE, now=now)
        for after_lines in (0, 1, 12):
            process = subprocess.Popen(
                [sys.executable, "-m", "penchant.learn", str(shelf), "--effort", "fast"],
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
            assert process.stdout is not None
            for _ in range(after_lines):
                if not process.stdout.readline():
                    break
            process.send_signal(signal.SIGKILL)
            process.wait()
            process.stdout.close()
            assert snapshot_of(shelf).name == sound
            assert engine.recommend_many(PEOPLE, now=now).equals(before)
        report = engine.train()
        assert engine.recommend("u1", now=now).snapshot == report.snapshot
    # What the killed ones began is cleared away.
    assert not [p for p in (shelf / "snapshots").iterdir() if p.name.startswith(".building")]


def test_a_child_that_dies_is_an_error_of_ours(
    shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with penchant.open(shelf, effort="fast") as engine:
        monkeypatch.setenv("PENCHANT__LEARN__NONSENSE__X__", "1")
        with pytest.raises(Error):
            engine.train()
        monkeypatch.delenv("PENCHANT__LEARN__NONSENSE__X__")
        monkeypatch.setenv("PYTHONPATH", "/nowhere")
        monkeypatch.setattr(sys, "executable", "/bin/false")
        with pytest.raises(ChildFailed, match="status 1"):
            engine.train()
        assert len(engine.recommend("u1")) == 10


@pytest.mark.slow
def test_serving_goes_on_while_training(shelf: Path, made: World, now: float) -> None:
    errors: list[BaseException] = []
    served = 0
    stop = threading.Event()
    with penchant.open(shelf, effort="fast") as engine:
        first = engine.recommend("u1", now=now).snapshot

        def serve() -> None:
            nonlocal served
            rng = np.random.default_rng(1)
            while not stop.is_set():
                try:
                    user = f"u{rng.integers(120)}"
                    slate = engine.recommend(user, k=10)
                    engine.record(Event(user, slate[0].item_id))
                    assert slate[0].item_id not in ids(engine.recommend(user, k=10))
                    served += 1
                except BaseException as error:
                    errors.append(error)
                    return

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            report = engine.train()
        finally:
            stop.set()
            thread.join()
        assert not errors
        assert served > 10
        assert report.snapshot != first
        assert engine.recommend("u1").snapshot == report.snapshot


def test_the_size_of_tables_is_asked_for_in_the_settings(
    made: World, now: float, trained: tuple[Path, penchant.Slate], tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    settings = '[recall]\nvectors = "float32"\nentries = 20\n'
    (other / "penchant.toml").write_text(settings, encoding="utf-8")
    with penchant.open(other, effort="fast") as engine:
        engine.add(made.items)
        engine.record(made.events, now=now)
        report = engine.train(seed=1)
        full = trained[1]
        assert len(set(ids(engine.recommend("u1", now=now))) & set(ids(full))) >= 7
    with penchant.open(trained[0], read_only=True) as engine:
        # What the file holds in fewer bits is not held again beside it.
        vectors = engine._replica.follow().vectors
        assert vectors.dimension > 0
        assert not len(vectors._state.numbers)
    folders = (other / "snapshots" / report.snapshot, trained[0] / "snapshots" / full.snapshot)
    asked, default = (np.load(folder / "text.vectors.npy") for folder in folders)
    assert (asked.dtype, default.dtype) == (np.float32, np.int8)
    starts = np.load(folders[0] / "linear_taste.starts.npy")
    assert np.diff(starts).max() == 20
