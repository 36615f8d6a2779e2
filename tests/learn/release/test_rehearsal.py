"""A finished snapshot is asked before it is published: what cannot answer never serves."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import crowd
import penchant
from penchant.learn import __main__ as process
from penchant.learn.outcome import Outcome
from penchant.learn.release.gate import Incumbent
from penchant.learn.release.publish import open_view
from penchant.learn.release.rehearsal import CannotAnswer, rehearse
from penchant.learn.training import Training
from penchant.rank.answer.loading import UNTRAINED
from penchant.store.artefacts import Artefacts
from penchant.store.open import open_store


def options(folder: Path) -> argparse.Namespace:
    return argparse.Namespace(directory=folder, url=None, effort="fast", seed=0, threads=1)


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = crowd.filled(tmp_path_factory.mktemp("rehearsal") / "shelf", copies=4)
    report = process.train(options(folder))
    assert report["rehearsed"] >= 7  # people, a newcomer, words
    return folder, report["snapshot"]


def too_short(folder: Path) -> None:
    """Write fewer values than the rows say there are: only asking finds that out."""
    made = Artefacts(folder)
    made.write_array("linear_taste.values", np.array(made.array("linear_taste.values"))[:3])


def endless(folder: Path) -> None:
    plan = json.loads((folder / "rank.json").read_text())
    Artefacts(folder).write_json("rank", {**plan, "scorer": "fusion", "weights": {"after": 1e300}})


def shortened(folder: Path) -> None:
    path = folder / "after.values.npy"
    path.write_bytes(path.read_bytes()[:-20])


def without_an_array(folder: Path) -> None:
    (folder / "linear_near.values.npy").unlink()


def unlike(folder: Path) -> None:
    plan = json.loads((folder / "rank.json").read_text())
    Artefacts(folder).write_json("rank", {**plan, "scorer": "ranker", "models": ["none.onnx"]})


DAMAGE: dict[str, tuple[Callable[[Path], None], str]] = {
    "a source that fails": (
        too_short,
        r"source linear_taste failed for person \d+ \(failed: Index",
    ),
    "scores that are no numbers": (endless, r"scores for person \d+ are not finite"),
    "an array cut short": (shortened, r"cannot be loaded .*ValueError"),
    "an array missing": (without_an_array, r"cannot be loaded .*linear_near\.values\.npy"),
    "a scorer missing": (unlike, r"cannot be loaded .*features"),
}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("damage", DAMAGE)
def test_what_cannot_answer_is_refused_and_says_why(
    shelf: tuple[Path, str], tmp_path: Path, damage: str
) -> None:
    change, message = DAMAGE[damage]
    with open_store(shelf[0]) as store:
        current = store.snapshots.current()
        assert current is not None
        folder = store.snapshots.begin()
        for name in current.manifest["files"]:
            (folder / name).write_bytes(current.path(name).read_bytes())
        view, _, _ = open_view(store)
        assert rehearse(store, folder, view, current.manifest) >= 7
        change(folder)
        with pytest.raises(CannotAnswer, match=message) as refusal:
            rehearse(store, folder, view, current.manifest)
        assert "Nothing is published" in str(refusal.value)
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()


@pytest.mark.parametrize("trained", [False, True])
def test_a_training_whose_snapshot_cannot_answer_publishes_nothing(
    shelf: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trained: bool
) -> None:
    """A learner that writes nonsense, found before anybody is answered from it."""
    folder = crowd.filled(tmp_path / "shelf", copies=4)
    before = process.train(options(folder))["snapshot"] if trained else UNTRAINED
    run = Training.run

    def broken(self: Training, target: Path, *rest: Path | Incumbent | None) -> Outcome:
        outcome = run(self, target, *rest)  # type: ignore[arg-type]
        too_short(target)
        return outcome

    monkeypatch.setattr(Training, "run", broken)
    with pytest.raises(CannotAnswer, match="source linear_taste failed"):
        process.train(options(folder))
    left = {path.name for path in (folder / "snapshots").iterdir() if path.is_dir()}
    assert left == ({before} if trained else set())
    with penchant.open(folder) as engine:
        assert engine.recommend("ann-0", now=crowd.NOW).snapshot == before


def test_a_refusal_ends_the_process_with_one_line(
    shelf: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    folder = crowd.filled(tmp_path / "shelf", copies=4)
    run = Training.run

    def broken(self: Training, target: Path, *rest: Path | Incumbent | None) -> Outcome:
        outcome = run(self, target, *rest)  # type: ignore[arg-type]
        shortened(target)
        return outcome

    monkeypatch.setattr(Training, "run", broken)
    assert process.main([str(folder), "--effort", "fast"]) == 3
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert last["error"] == "CannotAnswer"


def test_rehearsing_leaves_the_store_as_it_was(shelf: tuple[Path, str]) -> None:
    folder, snapshot = shelf
    with open_store(folder) as store:
        current = store.snapshots.current()
        assert current is not None
        view, _, _ = open_view(store)
        rehearse(store, current.folder, view, current.manifest)
        found = store.snapshots.current()
        assert found is not None
        assert found.id == snapshot
        assert len(store.log.history(0, 10, crowd.NOW)) > 0  # still open
        assert store.snapshots.warnings == []
