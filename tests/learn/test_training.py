"""One training from end to end: what it writes and leaves alone, and that it repeats itself."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import crowd
import penchant
import world
from numbered import NOW, N, empty, make_view, vectors
from penchant.evaluate.simulate import simulate
from penchant.learn.__main__ import main, train
from penchant.learn.config import LearnConfig, SequenceConfig
from penchant.learn.effort import EFFORTS, derive
from penchant.learn.outcome import Outcome
from penchant.learn.release import publish
from penchant.learn.release.publish import open_view
from penchant.learn.training import NothingToLearn, Training
from penchant.rank.answer.loading import UNTRAINED
from penchant.store.artefacts import Artefacts
from penchant.store.child import ChildFailed
from penchant.store.open import open_store
from penchant.store.snapshots import Snapshots
from penchant.types import InvalidInput
from shelves import filled, ids, mute

OPTIONS: Mapping[str, Any] = {"url": None, "effort": "fast", "seed": 0, "threads": 1}


def trained(folder: Path, **options: Any) -> dict[str, Any]:
    return train(argparse.Namespace(directory=folder, **{**OPTIONS, **options}))


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The crowd, not trained yet; tests that train it leave it alone."""
    return crowd.filled(tmp_path_factory.mktemp("crowd") / "shelf")


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = crowd.filled(tmp_path_factory.mktemp("learned") / "shelf")
    return folder, trained(folder)


def config(**changes: Any) -> LearnConfig:
    return replace(derive("fast", seed=0), **changes)


def run(
    folder: Path, tmp_path: Path, made: LearnConfig, raw: np.ndarray | None = None
) -> tuple[Outcome, Path]:
    """Train in this process without publishing; return the outcome and where it lies."""
    with open_store(folder) as store:
        view, _, _ = open_view(store)
        target = tmp_path / "target"
        training = Training(view, raw, made, lambda step, value: None)
        return training.run(target, tmp_path / "workspace"), target


def test_a_report_says_what_was_learned_and_measured(learned) -> None:
    folder, report = learned
    assert json.dumps(report)
    assert (report["events"], report["items"], report["users"]) == (528, N, 108)
    assert report["effort"] == "fast"
    assert report["offset"] == 528
    measured = report["choice"]["measured"]
    assert {"linear_taste", "after", "trending_7d", "sum of sources"} <= set(measured)
    assert all(0 <= value <= 1 for value in measured.values())
    with open_store(folder) as store:
        current = store.snapshots.current()
        assert current is not None
        assert current.id == report["snapshot"]
        assert current.manifest["choice"]["measured"] == measured
        files = set(current.manifest["files"])
    assert {"recall.json", "rank.json", "linear_taste.values.npy", "after.starts.npy"} <= files
    assert not [name for name in files if name.endswith((".pkl", ".pickle", ".pt"))]


def test_what_was_learned_answers_better_than_what_was_not(learned, tmp_path: Path) -> None:
    folder, report = learned
    fresh = crowd.filled(tmp_path / "fresh")
    hits = {}
    for name, directory in (("trained", folder), ("untrained", fresh)):
        with penchant.open(directory) as engine:
            hits[name] = sum(
                engine.recommend(f"{user}-{n}", 1, now=crowd.NOW)[0].item_id in missing
                for user, missing in world.MISSING.items()
                for n in range(4)
            )
            slate = engine.recommend("ann-0", now=crowd.NOW)
            assert slate.snapshot == (report["snapshot"] if name == "trained" else UNTRAINED)
    assert hits["trained"] >= 24  # of 32
    assert hits["trained"] >= hits["untrained"]


def test_the_same_seed_trains_the_same(shelf: Path, tmp_path: Path) -> None:
    outcomes = [run(shelf, tmp_path / str(n), config())[0].summary() for n in range(2)]
    for outcome in outcomes:
        outcome.pop("seconds")
    assert outcomes[0] == outcomes[1]
    files = [sorted((tmp_path / str(n) / "target").iterdir()) for n in range(2)]
    for a, b in zip(*files, strict=True):
        assert a.name == b.name
        assert a.read_bytes() == b.read_bytes()


def test_the_demo_shelf_is_learned(tmp_path: Path) -> None:
    shelf = simulate(seed=1, n_users=120, n_events=6000)
    folder = mute(tmp_path / "films")
    with penchant.open(folder, effort="fast") as engine:
        engine.add(shelf.items)
        engine.record(shelf.events, now=shelf.end)
    report = trained(folder)
    measured = report["choice"]["measured"]
    # Whatever serves was at least as good as every contender it was chosen over.
    assert report["choice"]["scorer"] in ("ranker", "fusion")
    assert max(measured.values()) > 2 * measured["linear_together"]
    with penchant.open(folder) as engine:
        slate = engine.recommend("viewer-001", now=shelf.end)
        assert len(slate) == 10
        assert slate.snapshot == report["snapshot"]
        assert slate[0].reasons
        assert str(engine.explain(slate, slate[0].item_id)).startswith("“")


def test_too_little_is_nothing_to_learn(tmp_path: Path) -> None:
    folder = filled(tmp_path / "shelf")
    with pytest.raises(NothingToLearn, match=r"at least 50 wanted events .* found 44; record more"):
        trained(folder)
    with penchant.open(folder) as engine:
        with pytest.raises(ChildFailed, match=r"NothingToLearn.*found 44"):
            engine.train()
        assert engine.recommend("ann", now=world.NOW).snapshot == UNTRAINED
    assert list((folder / "snapshots").iterdir()) == []


@pytest.mark.parametrize("kind", ["skip", "impression", "search"])
def test_rejections_and_looks_are_nothing_to_learn_from(tmp_path: Path, kind: str) -> None:
    folder = mute(tmp_path / "shelf")
    with penchant.open(folder) as engine:
        engine.add(world.items())
        events = crowd.events(2).with_columns(event=crowd.pl.lit(kind))
        engine.record(events, now=crowd.NOW)
    with pytest.raises(NothingToLearn, match="found 0"):
        trained(folder)


def test_an_empty_directory_is_nothing_to_learn_from(tmp_path: Path, capsys) -> None:
    assert main([str(mute(tmp_path / "new")), "--effort", "fast"]) == 3
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["error"] == "NothingToLearn"


def test_a_log_of_one_moment_can_be_learned(tmp_path: Path) -> None:
    """Dates without hours, imported in one go: there is no past to learn the order from."""
    users = np.repeat(np.arange(30, dtype=np.int32), 4)
    items = np.tile(np.array([0, 1, 2, 3], dtype=np.int32), 30) + users % 2 * 4
    view = make_view(users, items.astype(np.int32), np.full(120, NOW), empty(10))
    training = Training(view, None, config(), lambda step, value: None)
    outcome = training.run(tmp_path / "target", tmp_path / "workspace")
    assert outcome.choice.scorer in ("fusion", "ranker")
    assert Artefacts(tmp_path / "target").has("rank.json")


@pytest.mark.parametrize("moments", [2, 3])
def test_a_log_of_few_moments_can_be_learned(tmp_path: Path, moments: int) -> None:
    rng = np.random.default_rng(0)
    users = np.repeat(np.arange(40, dtype=np.int32), 5)
    items = rng.integers(0, 10, 200).astype(np.int32)
    times = NOW + 86_400.0 * rng.integers(0, moments, 200)
    view = make_view(users, items, times, empty(10))
    training = Training(view, None, config(), lambda step, value: None)
    outcome = training.run(tmp_path / "target", tmp_path / "workspace")
    assert outcome.requests > 0


def test_text_makes_a_source_an_affinity_and_a_whitening(shelf: Path, tmp_path: Path) -> None:
    raw = vectors()
    outcome, target = run(shelf, tmp_path, config(whitened=6), raw)
    folder = Artefacts(target)
    rows = folder.array("text.vectors")
    assert rows.shape == (N, 6)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1.0, rtol=1e-4)
    assert folder.json("recall")["text"] is True
    assert folder.array("affinity.theta").shape == (6,)
    assert folder.json("rank")["affinity"]["days_half"] > 0
    assert "text" in outcome.choice.measured


def test_progress_is_told_step_by_step(shelf: Path, tmp_path: Path) -> None:
    with open_store(shelf) as store:
        view, raw, offset = open_view(store)
        assert raw is None
        assert offset == 528
        told: list[tuple[str, float]] = []
        training = Training(view, None, config(), lambda step, value: told.append((step, value)))
        training.run(tmp_path / "target", tmp_path / "workspace")
    assert {step for step, _ in told} >= {"linear_taste", "ranker rows"}
    assert all(np.isfinite(value) for _, value in told)


def _start(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "penchant.learn", str(folder), "--effort", "fast"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_training_leaves_what_serves_untouched(
    tmp_path: Path, how: signal.Signals
) -> None:
    folder = crowd.filled(tmp_path / "shelf", copies=60)
    first = trained(folder)["snapshot"]
    with penchant.open(folder) as engine:
        before = ids(engine.recommend("ann-0", now=crowd.NOW + 3600 * 60, log=False))
        process = _start(folder)
        assert process.stdout is not None
        line = process.stdout.readline()
        assert "step" in json.loads(line)
        process.send_signal(how)
        assert process.wait(30) == -how
        process.stdout.close()
        slate = engine.recommend("ann-0", now=crowd.NOW + 3600 * 60, log=False)
        assert ids(slate) == before
        assert slate.snapshot == first
    with open_store(folder) as store:
        assert store.snapshots.list() == [first]
        current = store.snapshots.current()
        assert current is not None
        assert current.id == first
    # The next training cleans up behind the dead one.
    second = trained(folder)["snapshot"]
    left = {path.name for path in (folder / "snapshots").iterdir() if path.is_dir()}
    assert left == {first, second}


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (publish, "open_incumbent"),
        (Training, "_walk"),
        (Training, "_write_text"),
        (publish, "rehearse"),
        (Snapshots, "publish"),
    ],
)
def test_a_training_that_fails_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str
) -> None:
    """Wherever it fails, at its begin, while it learns or at its end; what was there stays."""
    folder = crowd.filled(tmp_path / "shelf", copies=4)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    first = trained(folder)["snapshot"]
    before = {path.name for path in (folder / "snapshots").iterdir()}

    def fail(*_: object) -> None:
        raise MemoryError("on purpose")

    monkeypatch.setattr(owner, name, fail)
    with pytest.raises(MemoryError):
        trained(folder)
    assert {path.name for path in (folder / "snapshots").iterdir()} == before
    assert list(temporary.iterdir()) == []
    with penchant.open(folder) as engine:
        assert engine.recommend("ann-0", now=crowd.NOW).snapshot == first


def test_an_effort_is_one_of_three() -> None:
    assert [derive(effort).effort for effort in EFFORTS] == list(EFFORTS)
    fast, balanced, best = (derive(effort, seed=7) for effort in EFFORTS)
    assert fast.sources.sequence is None
    assert balanced.sources.sequence is not None
    assert best.requests > balanced.requests > fast.requests
    assert {one.seed for one in (fast, balanced, best)} == {7}
    assert {one.sources.seed for one in (fast, balanced, best)} == {7}
    with pytest.raises(InvalidInput, match="fast, balanced, best; got 'quick'"):
        derive("quick")


@pytest.mark.slow
def test_networks_are_learned_refitted_and_served(tmp_path: Path) -> None:
    """Effort balanced in small: four exports take most of the time."""
    folder = crowd.filled(tmp_path / "shelf")
    tiny = SequenceConfig(dimension=16, blocks=1, heads=1, length=10, epochs=5, most_seconds=1e9)
    made = config()
    made = replace(made, sources=replace(made.sources, sequence=tiny, sequence_text=tiny))
    outcome, target = run(folder, tmp_path, made, vectors())
    plan = Artefacts(target).json("recall")
    assert set(plan["sequence"]) == {"sequence", "sequence_text"} - set(outcome.left_out)
    assert outcome.choice.measured["sequence"] > 0.3
    with open_store(folder) as store:
        fresh = store.snapshots.begin()
        for path in target.iterdir():
            path.rename(fresh / path.name)
        identity = store.snapshots.publish(fresh, {**outcome.summary(), "offset": 528})
    with penchant.open(folder) as engine:
        slate = engine.recommend("ann-0", now=crowd.NOW)
        assert slate.snapshot == identity
        assert "sequence" in engine.stages()[0]
        notes = slate.trace.stages[0].notes
        assert not [note for note in notes.values() if str(note).startswith("failed")]
