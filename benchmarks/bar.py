"""The accuracy protocol for benchmark scripts: loading it, and walking a system through it.

Needs only what the protocol itself needs, so that peers can use it from environments of their own.
PENCHANT_PROTOCOL names the protocol's file, PENCHANT_DATA the folder of the data sets; without
them both are looked for in ../shared beside the repository.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from typing import Any

SHARED = Path(__file__).resolve().parents[2] / "shared"


def protocol(*names: str) -> Any:
    """Return the protocol module; leave with a message where it or a named data set is missing."""
    file = Path(os.environ.get("PENCHANT_PROTOCOL", SHARED / "protocol.py"))
    data = Path(os.environ.get("PENCHANT_DATA", SHARED / "data")).resolve()
    os.environ["PENCHANT_DATA"] = str(data)  # where the protocol looks
    for path, variable in [
        (file, "PENCHANT_PROTOCOL"), *((data / name, "PENCHANT_DATA") for name in names)
    ]:  # fmt: skip
        if not path.exists():
            print(f"skipped: {path} is missing; set {variable}")
            sys.exit(0)
    spec = importlib.util.spec_from_file_location("protocol", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["protocol"] = module
    spec.loader.exec_module(module)
    return module


def walked(system: Any, task: Any, k: int = 10) -> list[list[str]]:
    """Return the list of each request. `system` has record(user, items, time) and
    recommend(user, k, now), as in penchant.evaluate.system."""
    lists: list[list[str]] = [[] for _ in task.requests]
    for user, now, basket, marks in task.moments:
        told = 0
        for step, mark in enumerate(marks):
            if mark < 0:
                continue
            if step > told:
                system.record(user, basket[told:step], now)
                told = step
            lists[mark] = system.recommend(user, k, now)
        system.record(user, basket[told:], now)
    return lists
