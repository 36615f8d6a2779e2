"""Waiting for a training: from the states that the background writes to a report."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest

import penchant
from penchant.serve.client import training
from penchant.serve.client.problems import Conflict
from penchant.serve.service.control import Control
from penchant.store.child import ChildFailed
from serve.client.conftest import serving
from shelves import filled

pytestmark = pytest.mark.service

REPORT = {"snapshot": "000002-0123456789ab", "published": True, "choice": {"measured": {}}}
IDLE: dict[str, Any] = {"state": "idle", "started": None, "ended": None, "report": None}
AGAIN = IDLE | {"started": 1.0, "ended": 2.0, "report": {"snapshot": "old"}}


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "LOOK", 0.01)


def waited(before: dict[str, Any], *states: dict[str, Any]) -> tuple[Any, list[tuple[str, float]]]:
    """Return the report after these states in a row, and what was told meanwhile."""
    coming, told = iter(states), list[tuple[str, float]]()
    return training.awaited(before, lambda: next(coming), lambda *one: told.append(one)), told


@pytest.mark.parametrize("before", [IDLE, AGAIN, AGAIN | {"state": "failed"}])
def test_it_waits_for_the_end_of_the_next(before: dict[str, Any]) -> None:
    at_work = before | {"state": "training", "step": "fit", "share": 0.5, "started": 8.0}
    at_work |= {"ended": None}
    report, told = waited(
        before,
        before | {"state": "requested"},
        before,  # between the request and the beginning
        at_work,
        at_work,
        at_work | {"step": "measure", "share": None},
        at_work | {"state": "idle", "ended": 9.0, "report": REPORT, "step": None},
    )
    assert report.snapshot == REPORT["snapshot"]
    assert report.published
    assert told == [("fit", 0.5), ("measure", 0.0)]


def test_one_at_work_is_waited_for() -> None:
    at_work = AGAIN | {"state": "training", "started": 8.0, "ended": None}
    end = at_work | {"state": "idle", "ended": 9.0, "report": REPORT}
    assert waited(at_work, at_work, end)[0].snapshot == REPORT["snapshot"]


def test_a_failure_is_raised_with_what_it_said() -> None:
    at_work = AGAIN | {"state": "training", "started": 8.0, "ended": None}
    for before in (AGAIN, at_work):
        failed = at_work | {"state": "failed", "ended": 9.0, "error": "NothingToLearn: no events"}
        with pytest.raises(ChildFailed, match="NothingToLearn: no events"):
            waited(before, at_work, failed)
    lost = at_work | {"state": "failed", "error": "the process that trained was ended"}
    with pytest.raises(ChildFailed, match="was ended"):
        waited(at_work, at_work, lost)


def test_nobody_to_train_is_said_after_a_while() -> None:
    alone = AGAIN | {"state": "requested", "error": "no background process is at work"}
    with pytest.raises(Conflict, match="no background process"):
        waited(AGAIN, *[alone] * (training.ALONE + 2))
    begun = AGAIN | {"state": "training", "started": 8.0, "ended": None}
    end = begun | {"state": "idle", "ended": 9.0, "report": REPORT}
    assert waited(AGAIN, *[alone] * training.ALONE, begun, end)[0].published


def test_through_a_service_and_the_files_of_its_background(tmp_path: Path) -> None:
    """The background is this test: it takes the request, and tells what a training would."""
    with penchant.open(filled(tmp_path / "shelf")) as engine, serving(engine) as url:
        control = Control(engine.directory)

        def background() -> None:
            with control.lock().held(wait=True):
                while not control.requested():
                    time.sleep(0.01)
                state = {**control.told(), "state": "training", "started": 5.0, "step": "fit"}
                control.tell(state | {"share": 0.25})
                control.taken()
                time.sleep(0.3)
                control.tell(state | {"state": "idle", "ended": 6.0, "report": REPORT})

        thread = threading.Thread(target=background)
        thread.start()
        told: list[tuple[str, float]] = []
        with penchant.connect(url) as client:
            report = client.train(progress=lambda *one: told.append(one))
            assert report.snapshot == REPORT["snapshot"]
            assert ("fit", 0.25) in told
            thread.join()
            assert client.train(wait=False) is None
            assert control.requested()
