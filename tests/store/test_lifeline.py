"""A process ends with the one that started it, and cleans up first."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ERRAND = """
import os, pathlib, sys, tempfile, time
from penchant.store.lifeline import end_with_caller
end_with_caller()
with tempfile.TemporaryDirectory(dir=sys.argv[1]):
    print('{"step": "%d", "value": 0.0}' % os.getpid(), flush=True)
    time.sleep(60)
"""
CALLER = """
import sys
from penchant.store.child import run_child
run_child("errand", [sys.argv[1]], lambda step, value: print(step, flush=True))
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_it_ends_when_its_caller_is_killed(tmp_path: Path, number: int) -> None:
    (tmp_path / "errand.py").write_text(ERRAND)
    work = tmp_path / "work"
    work.mkdir()
    caller = subprocess.Popen(
        [sys.executable, "-c", CALLER, str(work)],
        env={**os.environ, "PYTHONPATH": f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert caller.stdout is not None
    child = int(caller.stdout.readline())
    assert list(work.iterdir())
    caller.send_signal(number)
    caller.wait(10)
    caller.stdout.close()
    until = time.monotonic() + 20
    while time.monotonic() < until and list(work.iterdir()):
        time.sleep(0.02)
    assert list(work.iterdir()) == []  # it was interrupted, not cut off
    while time.monotonic() < until and Path(f"/proc/{child}").exists():
        time.sleep(0.02)
    assert not Path(f"/proc/{child}").exists()


def test_a_module_started_by_hand_does_not_care_for_its_standard_input() -> None:
    code = """
import time
from penchant.store.lifeline import end_with_caller
end_with_caller()
time.sleep(0.5)
print("whole")
"""
    environment = {k: v for k, v in os.environ.items() if k != "PENCHANT_LIFELINE"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=environment,
        check=True,
    )
    assert done.stdout == "whole\n"
