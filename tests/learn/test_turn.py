"""Two trainings on one directory: the second is told, the first is not disturbed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import crowd
import penchant
from penchant.learn.__main__ import main
from penchant.learn.turn import AlreadyTraining, alone
from penchant.store.child import ChildFailed
from penchant.store.open import open_store
from shelves import mute


def test_a_directory_is_trained_by_one_at_a_time(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    with alone(tmp_path):
        with pytest.raises(AlreadyTraining, match=r"another training is at work in .*Wait for it"):
            alone(tmp_path).__enter__()
        with alone(other):
            pass
    with alone(tmp_path):
        pass


def test_an_error_inside_is_not_taken_for_another_training(tmp_path: Path) -> None:
    with pytest.raises(KeyError), alone(tmp_path):
        raise KeyError("mine")
    with alone(tmp_path):
        pass


def test_the_turn_of_a_killed_training_ends_with_it(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from penchant.learn.turn import alone\n"
        "with alone(Path(sys.argv[1])):\n    print('mine', flush=True)\n    time.sleep(60)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "mine\n"
    with pytest.raises(AlreadyTraining):
        alone(tmp_path).__enter__()
    process.send_signal(signal.SIGKILL)
    process.wait(10)
    process.stdout.close()
    with alone(tmp_path):
        pass


def test_a_second_training_is_refused_and_the_first_is_published(tmp_path: Path, capsys) -> None:
    folder = crowd.filled(tmp_path / "shelf", copies=10)
    process = subprocess.Popen(
        [sys.executable, "-m", "penchant.learn", str(folder), "--effort", "fast"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert process.stdout is not None
    assert "step" in json.loads(process.stdout.readline())
    # It holds still: however slow the others are to start, they find it at work.
    process.send_signal(signal.SIGSTOP)
    try:
        refused(folder, capsys)
    finally:
        process.send_signal(signal.SIGCONT)
        lines = process.stdout.read().splitlines()
        process.stdout.close()
        status = process.wait(60)
    assert status == 0
    with open_store(folder) as store:
        assert store.snapshots.list() == [json.loads(lines[-1])["report"]["snapshot"]]


def refused(folder: Path, capsys) -> None:
    """Ask for a training as a command and as an engine does, while another is at work."""
    began = time.monotonic()
    assert main([str(folder), "--effort", "fast"]) == 3
    assert time.monotonic() - began < 5  # told at once, before anything is learned
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["error"] == "AlreadyTraining"
    with penchant.open(folder, effort="fast") as engine:
        with pytest.raises(ChildFailed, match="AlreadyTraining: another training is at work"):
            engine.train()
        assert len(engine.recommend("ann-0", now=crowd.NOW)) > 0


def test_a_training_that_was_refused_leaves_the_turn_to_the_next(tmp_path: Path, capsys) -> None:
    folder = mute(tmp_path / "empty")
    for _ in range(2):
        assert main([str(folder), "--effort", "fast"]) == 3
        line = capsys.readouterr().out.splitlines()[-1]
        assert json.loads(line)["error"] == "NothingToLearn"
