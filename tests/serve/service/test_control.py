"""Asking for a training and hearing of it, without anybody who would do it."""

from __future__ import annotations

import json
import threading
from contextlib import closing
from pathlib import Path

from penchant.serve.service.control import Control, Trainer


def test_a_request_waits_for_a_background_and_is_made_once(tmp_path: Path) -> None:
    control: Trainer = Control(tmp_path)
    assert control.status()["state"] == "idle"
    state = control.request()
    assert state["state"] == "requested"
    assert "no background process" in state["error"]
    assert control.request() == state
    assert Control(tmp_path).status() == state  # another process


def test_a_state_without_a_background_is_not_believed(tmp_path: Path) -> None:
    control = Control(tmp_path)
    with closing(control.lock()) as lock, lock.held():
        control.tell({"state": "training", "step": "rows", "share": 0.5})
        assert control.status()["state"] == "training"
    state = control.status()
    assert (state["state"], state["step"]) == ("failed", None)
    assert "goes on serving" in state["error"]
    assert control.request()["state"] == "requested"


def test_what_was_asked_for_in_a_training_that_died_is_not_lost(tmp_path: Path) -> None:
    """As it is where a new background holds the lock, and has not yet said that this one died."""
    control = Control(tmp_path)
    with closing(control.lock()) as lock, lock.held():
        control.tell({"state": "training"})
        assert control.request()["state"] == "training"  # what seems to be at work is the answer
        control.tell({"state": "failed", "error": "interrupted"})
        assert control.status()["state"] == "requested"
        control.taken()  # as a training does at its end, whoever asked in the middle of it
        assert control.status()["state"] == "failed"


def test_nobody_reads_half_a_state(tmp_path: Path) -> None:
    control, over = Control(tmp_path), threading.Event()
    long = {"state": "idle", "report": {"text": "x" * 100_000}}

    def write() -> None:
        while not over.is_set():
            control.tell(long)

    thread = threading.Thread(target=write)
    thread.start()
    control.tell(long)
    for _ in range(200):
        assert control.told()["report"] == long["report"]
    over.set()
    thread.join()
    (tmp_path / "service" / "training.json").write_text("{half")
    assert control.told()["state"] == "idle"


def test_a_request_is_gone_once_it_is_taken(tmp_path: Path) -> None:
    control = Control(tmp_path)
    control.request()
    control.taken()
    control.taken()
    assert control.status()["state"] == "idle"
    names = {path.name for path in (tmp_path / "service").iterdir()}
    assert not any(name.startswith(".") for name in names), names
    control.tell({"state": "failed", "error": "说明"})
    assert json.loads((tmp_path / "service" / "training.json").read_text())["error"] == "说明"
