"""Twenty minutes of everything: no error, flat memory, and a state that equals a rebuild."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[3] / "benchmarks" / "serve.py"


@pytest.mark.slow
def test_a_soak_leaves_no_trace(closed_shelf: Path) -> None:
    command = [sys.executable, str(SCRIPT), "--shelf", str(closed_shelf), "--effort", "fast"]
    command += ["--soak", "20"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
