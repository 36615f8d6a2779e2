"""Learning beside a service: asked for, on time, killed, refused; the live snapshot never suffers."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import penchant
from serve.service.running import Service, descendants, eventually, kill
from shelves import mute

SETTINGS = """
[encoder]
model = "none"
[learn]
threads = 1
requests = 200
"""


def learnable(directory: Path) -> Path:
    """Return a shelf in which each person stays with one of two kinds of items: 1,200 events."""
    rng = np.random.default_rng(0)
    events = []
    for user in range(60):
        items = rng.permutation(20)[:20] + 20 * (user % 2)
        for place, item in enumerate(items):
            at = 1.7e9 + 86_400 * place + 600 * user
            events.append((f"u{user}", f"i{item}", at))
    with penchant.open(mute(directory, SETTINGS)) as engine:
        engine.add([{"item_id": f"i{n}", "title": f"thing {n}"} for n in range(40)])
        engine.record(
            [{"user_id": u, "item_id": i, "event": "click", "timestamp": t} for u, i, t in events],
            now=1.8e9,
        )
    return directory


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    shelf = learnable(tmp_path_factory.mktemp("learning") / "shelf")
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
    assert service.lines("ended")[-1]["outcome"] == "failed"


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


def test_a_training_that_does_worse_is_refused_and_said(service: Service, tmp_path: Path) -> None:
    before = current(service)
    # What came since is noise that the old snapshot takes for nothing: the gate needs requests.
    state = trained(service)
    rng = np.random.default_rng(1)
    rows = [
        {
            "user_id": f"u{user}",
            "item_id": f"i{rng.integers(40)}",
            "event": "click",
            "timestamp": 1.7e9 + 86_400 * 21 + 60 * user,
        }
        for user in range(60)
    ]
    assert service.ask("/v1/events", rows)[0] == 200
    assert service.ask("/v1/train", {}, "POST")[0] == 202
    state = trained(service)
    assert state["error"] is None, state
    report = state["report"]
    if report["published"]:
        assert current(service) == report["snapshot"] != before
    else:
        assert report["reason"]
        assert current(service) == before
        assert service.lines("ended")[-1]["outcome"] == "refused"


def test_training_happens_on_time_and_not_again_without_news(tmp_path: Path) -> None:
    shelf = learnable(tmp_path / "shelf")
    with Service(shelf, "--effort", "fast", "--learn-every", "2s", workers=1) as service:
        state = service.ask("/v1/train")[1]
        assert state["next"] is not None
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
