"""What a training logs can be read by TensorBoard, is pruned, and never stands in its way."""

from __future__ import annotations

import argparse
import getpass
import json
import re
import socket
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import crowd
import penchant
import world
from penchant.evaluate.simulate import simulate
from penchant.learn import tracking
from penchant.learn.__main__ import train
from penchant.learn.config import SequenceConfig
from penchant.learn.effort import derive
from penchant.learn.release.publish import open_view
from penchant.learn.tracking import Tracker, TrackingSection
from penchant.learn.training import Training
from penchant.store.open import open_store
from shelves import mute


def read(folder: Path) -> EventAccumulator:
    found = EventAccumulator(str(folder), size_guidance={"tensors": 0, "scalars": 0})
    found.Reload()
    return found


def curve(found: EventAccumulator, tag: str) -> list[tuple[int, float]]:
    return [(event.step, pytest.approx(event.value)) for event in found.Scalars(tag)]


def text(found: EventAccumulator, tag: str) -> str:
    return found.Tensors(tag)[0].tensor_proto.string_val[0].decode()


def test_what_is_written_can_be_read_while_it_is_open(tmp_path: Path) -> None:
    with Tracker(tmp_path / "log") as tracker:
        for step in range(3):
            tracker.scalar("loss", 1.0 / (step + 1), step)
        tracker.content("configuration", {"é": [1, {"b": None}]})
        found = read(tmp_path / "log")
        assert curve(found, "loss") == [(0, 1.0), (1, 0.5), (2, 1 / 3)]
        shown = text(found, "configuration")
        assert json.loads(shown) == {"é": [1, {"b": None}]}
        assert all(line.startswith("    ") for line in shown.splitlines())
    assert tracker.problem == ""


def test_a_training_logs_what_it_did(tmp_path: Path) -> None:
    shelf = simulate(seed=1, n_users=250, n_events=16_000)
    folder = mute(tmp_path / "shelf")
    with penchant.open(folder) as engine:
        engine.add(shelf.items)
        engine.record(shelf.events, now=shelf.end)
    options = {"url": None, "effort": "fast", "seed": 0, "threads": 1}
    report = train(argparse.Namespace(directory=folder, **options))
    (log,) = (folder / "logs").iterdir()
    assert log.name.endswith("-fast")
    found = read(log)
    grown = curve(found, "ranker/NDCG@10 by trees")
    assert grown == [tuple(pair) for pair in report["choice"]["grown"]]
    assert [step for step, _ in grown] == [60, 100, 150, 200]
    for name, value in report["choice"]["measured"].items():
        assert curve(found, f"NDCG@10/{name}") == [(0, value)]
    for step, seconds in report["seconds"].items():
        assert curve(found, f"seconds/{step}") == [(0, seconds)]
        ((_, memory),) = [(e.step, e.value) for e in found.Scalars(f"peak memory, MB/{step}")]
        assert 50 < memory < 20_000
    configuration = json.loads(text(found, "configuration"))
    assert configuration["effort"] == "fast"
    assert configuration["ranker"]["leaves"] == 15


@pytest.mark.slow
def test_the_loss_of_each_epoch_is_logged(tmp_path: Path) -> None:
    folder = crowd.filled(tmp_path / "shelf")
    with open_store(folder) as store:
        view, _, _ = open_view(store)
    tiny = SequenceConfig(dimension=8, blocks=1, heads=1, length=5, epochs=5, most_seconds=1e9)
    config = derive("fast")
    config = replace(config, sources=replace(config.sources, sequence=tiny))
    with Tracker(tmp_path / "log") as tracker:
        training = Training(view, None, config, lambda step, value: None, tracker=tracker)
        training.run(tmp_path / "target", tmp_path / "work")
    found = read(tmp_path / "log")
    losses = found.Scalars("sequence/past loss")
    assert [event.step for event in losses] == [1, 2, 3, 4, 5]
    assert losses[-1].value < losses[0].value
    assert len(found.Scalars("sequence/refit loss")) == 1


def test_logs_are_named_by_their_start_and_pruned(tmp_path: Path) -> None:
    first = tracking.started(tmp_path, "fast", 1_700_000_000.9)
    assert first == tmp_path / "logs" / "20231114-221320-fast"
    for now in (1_700_000_000.0, 1_700_000_000.0, 1_700_000_060.0):
        Tracker(tracking.started(tmp_path, "fast", now)).close()
    names = sorted(path.name for path in (tmp_path / "logs").iterdir())
    assert names == ["20231114-221320-fast", "20231114-221320-fast-2", "20231114-221420-fast"]
    assert tracking.prune(tmp_path, 1) == names[:2]
    assert [path.name for path in (tmp_path / "logs").iterdir()] == names[2:]
    assert tracking.prune(tmp_path / "elsewhere", 1) == []


def test_trainings_prune_the_logs_of_those_before(tmp_path: Path, monkeypatch) -> None:
    folder = crowd.filled(tmp_path / "shelf")
    monkeypatch.setenv("PENCHANT__LEARN__KEEP", "2")
    options = {"url": None, "effort": "fast", "seed": 0, "threads": 1}
    for _ in range(3):
        train(argparse.Namespace(directory=folder, **options))
    assert len(list((folder / "logs").iterdir())) == 2


def test_a_log_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("in the way")
    with Tracker(tmp_path / "logs" / "one") as tracker:
        tracker.scalar("loss", 1.0)
        tracker.text("a", "b")
        assert "no log could be written" in tracker.problem
    full = Tracker(tmp_path / "log")
    full._file.close()
    full._file = open("/dev/full", "wb", buffering=0)  # noqa: SIM115
    full.scalar("loss", 1.0)
    full.scalar("loss", 2.0, 1)
    assert "ends early" in full.problem
    Tracker(None).scalar("loss", 1.0)


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give what Weights & Biases keeps of an account a place of its own: it finds no key."""
    wandb = pytest.importorskip("wandb")
    for name in ("WANDB_API_KEY", "WANDB_MODE", "WANDB_BASE_URL", "WANDB_ENTITY"):
        monkeypatch.delenv(name, raising=False)
    for name in ("CONFIG", "CACHE", "DATA"):
        monkeypatch.setenv(f"WANDB_{name}_DIR", str(tmp_path / name.lower()))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    yield
    wandb.teardown()


def run_of(log: Path) -> bytes:
    """Return what lies in the folder of a log for `wandb sync` when the process ends."""
    import wandb

    wandb.teardown()
    (run,) = (log / "wandb").glob("offline-run-*/run-*.wandb")
    return run.read_bytes()


@pytest.mark.parametrize("offline", [True, False])
def test_a_named_project_is_told_into_the_folder_where_there_is_no_key(
    tmp_path: Path, service: None, offline: bool
) -> None:
    with Tracker(tmp_path / "log", TrackingSection(project="shelf", offline=offline)) as tracker:
        tracker.scalar("loss", 0.5, 3)
        tracker.scalar("other", 0.25, 1)
        tracker.content("configuration", {"a": Path("b")})
    assert tracker.problem == ""
    written = run_of(tmp_path / "log")
    for said in (b"shelf", b"loss", b"0.5", b"other step", b"configuration"):
        assert said in written
    assert curve(read(tmp_path / "log"), "loss") == [(3, 0.5)]


def test_a_training_tells_figures_and_nobody(
    tmp_path: Path, service: None, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    folder = crowd.filled(tmp_path / "shelf")
    with (folder / "penchant.toml").open("a") as settings:
        settings.write('\n[tracking]\nproject = "the shelf"\noffline = true\n')
    options = {"url": None, "effort": "fast", "seed": 0, "threads": 1}
    train(argparse.Namespace(directory=folder, **options))
    assert all(json.loads(line) for line in capsys.readouterr().out.splitlines())
    (log,) = (folder / "logs").iterdir()
    written = run_of(log)
    assert b"seconds/sources" in written
    assert b"least_in_leaf" in written
    ids = {*crowd.events()["user_id"], *world.items()["item_id"]}
    assert len(ids) > 50
    for name in (*ids, str(tmp_path), getpass.getuser(), socket.gethostname()):
        assert not re.search(rb"\b%b\b" % re.escape(name.encode()), written), name


def test_a_service_that_is_missing_unreachable_or_broken_is_one_warning(
    tmp_path: Path, service: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = TrackingSection(project="shelf")
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "wandb", None)
        with Tracker(tmp_path / "missing", told) as tracker:
            tracker.scalar("loss", 0.5, 3)
    assert 'pip install "penchant[wandb]"' in tracker.problem
    assert curve(read(tmp_path / "missing"), "loss") == [(3, 0.5)]

    with Tracker(tmp_path / "refused", TrackingSection(project="a/b", offline=True)) as tracker:
        tracker.scalar("loss", 0.5, 3)
    assert tracker.problem.count("not told") == 1

    broken = Tracker(tmp_path / "broken", TrackingSection(project="shelf", offline=True))
    broken._run.finish()
    for step in range(3):
        broken.scalar("loss", 0.5, step)
    broken.close()
    assert broken.problem.count("not told") == 1
    assert len(curve(read(tmp_path / "broken"), "loss")) == 3

    monkeypatch.setattr(tracking, "_INIT_SECONDS", 1.0)
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")  # where nobody listens
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    with Tracker(tmp_path / "unreachable", told) as tracker:
        tracker.scalar("loss", 0.5, 3)
    assert "not told" in tracker.problem
    assert "\n" not in tracker.problem
    assert curve(read(tmp_path / "unreachable"), "loss") == [(3, 0.5)]
