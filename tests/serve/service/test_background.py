"""Learning beside a service: asked for, on time, killed, refused; what serves never suffers."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import penchant
from learn.release.test_gate import CUT, ITEMS, NOW, SETTINGS, clicks, poison
from serve.service.running import Service, descendants, eventually, kill
from shelves import mute

pytestmark = pytest.mark.service

LEARN = "threads = 1\n"  # goes on with section [learn]


def learnable(directory: Path, log: pl.DataFrame) -> Path:
    """Return a shelf with the items of the world in which the gate is tested, and this log."""
    with penchant.open(mute(directory, SETTINGS + LEARN)) as engine:
        engine.add([{"item_id": f"i{n}", "title": f"Thing {n}"} for n in range(ITEMS)])
        engine.record(log, now=NOW)
    return directory


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    early = clicks("u", seed=1).filter(pl.col("timestamp") < CUT)
    shelf = learnable(tmp_path_factory.mktemp("learning") / "shelf", early)
    with Service(shelf, "--effort", "fast", workers=2) as running:
        eventually(lambda: running.lines("learning here"))
        yield running


def trained(service: Service, within: float = 120.0) -> dict[str, Any]:
    """Return the state once nothing is asked for and nothing at work."""
    done = ("idle", "failed")

    def over() -> dict[str, Any] | None:
        status, state = service.ask("/v1/train")
        assert status == 200
        return state if state["state"] in done else None

    return eventually(over, within, every=0.2)


def test_a_training_that_was_asked_for_is_published_and_every_worker_swaps(
    service: Service,
) -> None:
    assert service.ask("/v1/train")[1]["state"] == "idle"
    status, state = service.ask("/v1/train", {}, "POST")
    assert status == 202
    assert state["state"] in ("requested", "training")
    # Asked again, it is the same one.
    assert service.ask("/v1/train", {}, "POST")[0] == 202
    state = trained(service)
    assert state["error"] is None, state
    assert state["report"]["published"] is True
    assert state["ended"] >= state["started"]
    snapshot = state["report"]["snapshot"]
    # Each connection may be another worker; those that nobody asks swap as well.
    eventually(
        lambda: (
            [v for n, v in service.metrics().items() if n.startswith("penchant_snapshot_number")]
            == [1.0, 1.0]
        )
    )
    for _ in range(6):
        _, slate = service.ask("/v1/recommend/u1?k=5")
        assert slate["snapshot"] == snapshot
    metrics = service.metrics()
    assert metrics['penchant_trainings_total{outcome="published"}'] == 1
    assert len(service.lines("started")) == 1


def test_a_killed_training_leaves_the_live_snapshot(service: Service) -> None:
    before = current(service)
    assert service.ask("/v1/train", {}, "POST")[0] == 202
    learner = eventually(lambda: service.pids("penchant.learn"))[0]
    kill(learner)
    state = trained(service)
    assert state["state"] == "failed"
    assert "status -9" in state["error"]
    assert current(service) == before
    assert service.ask("/v1/recommend/u1")[1]["snapshot"] == before
    eventually(lambda: said(service) == "failed")


def said(service: Service) -> str | None:
    """Return what the log says of the last training; its lines come a tenth of a second late."""
    lines = service.lines("ended")
    return str(lines[-1]["outcome"]) if lines else None


def test_a_killed_background_takes_its_training_along_and_says_so(service: Service) -> None:
    before = current(service)
    assert service.ask("/v1/train", {}, "POST")[0] == 202
    learner = eventually(lambda: service.pids("penchant.learn"))[0]
    kill(service.background)
    state = trained(service)
    assert state["state"] == "failed"
    assert "goes on serving" in state["error"]
    eventually(lambda: not Path(f"/proc/{learner}").exists(), within=20)
    assert current(service) == before


def test_a_training_that_does_worse_is_refused_and_said(service: Service) -> None:
    before = current(service)
    with penchant.open(service.shelf) as engine:  # another process on the store
        engine.record(poison(), now=NOW)
        engine.record(clicks("u", seed=1).filter(pl.col("timestamp") >= CUT), now=NOW)
    assert service.ask("/v1/train", {}, "POST")[0] == 202
    state = trained(service)
    assert (state["state"], state["error"]) == ("idle", None)
    assert state["report"]["published"] is False
    assert state["report"]["snapshot"] == before == current(service)
    assert "goes on serving" in state["report"]["reason"]
    assert service.ask("/v1/recommend/u1")[1]["snapshot"] == before
    eventually(lambda: said(service) == "refused")
    assert service.metrics()['penchant_trainings_total{outcome="refused"}'] == 1


def test_training_happens_on_time_and_not_again_without_news(tmp_path: Path) -> None:
    shelf = learnable(tmp_path / "shelf", clicks("u", seed=1))
    with Service(shelf, "--effort", "fast", "--learn-every", "2s", workers=1) as service:
        eventually(lambda: service.ask("/v1/train")[1]["next"] is not None)
        eventually(lambda: service.lines("ended"), within=120)
        assert service.lines("started")[0]["asked"] is False
        assert trained(service)["report"]["published"] is True
        eventually(lambda: service.lines("skipped"), within=20)
        assert len(service.lines("started")) == 1
        # A stop in the middle of a training ends it, and the next start says what happened.
        assert service.ask("/v1/train", {}, "POST")[0] == 202
        learner = eventually(lambda: service.pids("penchant.learn"))[0]
        assert service.stop(signal.SIGINT) == 0
        eventually(lambda: not Path(f"/proc/{learner}").exists(), within=20)
    told = json.loads((shelf / "service" / "training.json").read_text())
    assert told["state"] == "training"
    with Service(shelf, "--learn-every", "1h", workers=1) as service:
        eventually(lambda: service.ask("/v1/train")[1]["state"] == "failed")
        state = service.ask("/v1/train")[1]
        assert "goes on serving" in state["error"]
        assert descendants(service.process.pid)
        assert service.pids("penchant.learn") == []


def current(service: Service) -> str:
    found: list[dict[str, Any]] = service.ask("/v1/snapshots")[1]["snapshots"]
    return next(one["id"] for one in found if one["current"])
