"""Read your writes over HTTP: no answer ignores an event that was acknowledged, at any worker.

The load is that of benchmarks/serve.py: people told of an event on one connection and answered on
another, many at once, each acting on what was just shown.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.service

SCRIPT = Path(__file__).resolve().parents[3] / "benchmarks" / "serve.py"


def asked(shelf: Path, events: int) -> dict[str, Any]:
    """Return what the benchmark counted, on a copy of the shelf, with three workers."""
    command = [sys.executable, str(SCRIPT), "--shelf", str(shelf)]
    command += ["--read-your-writes", str(events)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[0])
    return found


def check(found: dict[str, Any], events: int) -> None:
    assert found["workers"] == 3
    assert found["events"] == found["answers"] == events
    # Every slate says how long ago the last event of its state was.
    assert found["states_told"] == events
    assert found["stale_state"] == 0
    assert found["shown_again"] == 0
    assert found["errors"] == {}


def test_three_workers_ignore_nothing(closed_shelf: Path) -> None:
    check(asked(closed_shelf, 200), 200)


@pytest.mark.slow
def test_none_of_ten_thousand_answers_ignores_an_event(closed_shelf: Path) -> None:
    check(asked(closed_shelf, 10_000), 10_000)
