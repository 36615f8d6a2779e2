"""A simulated log walked through the detectors, for tests."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType


def benchmark() -> ModuleType:
    """Return benchmarks/watch.py: the tests walk a log as the benchmark does."""
    path = Path(__file__).resolve().parents[3] / "benchmarks" / "watch.py"
    spec = importlib.util.spec_from_file_location("benchmark_watch", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
