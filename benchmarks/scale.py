"""Prints how fast a million events on 50,000 items go in and are learned from, and the memory.

    python benchmarks/scale.py                            # effort balanced, up to 45 minutes
    python benchmarks/scale.py --effort fast --events 200000 --items 20000

A synthetic world; nothing in it is real. Peak memory is that of the largest process of the import
and of the training, each measured in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

MINUTES, GIGABYTES, RATE = 45.0, 8.0, 50_000.0


def fill(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Return the times of adding and recording, in seconds."""
    import penchant
    from penchant.evaluate.simulate import world

    made = world(options.users, options.items, options.events, seed=0)
    folder.mkdir(parents=True)
    (folder / "penchant.toml").write_text('[text]\nparts = ["{title}"]\n')
    with penchant.open(folder) as engine:
        began = time.monotonic()
        engine.add(made.items)
        added = time.monotonic()
        counts = engine.record(made.events, now=made.events["timestamp"].max())
        recorded = time.monotonic()
        engine.recommend("u1")
    return {
        "add_s": round(added - began, 1),
        "record_s": round(recorded - added, 1),
        "events_per_s": round(counts["rows"] / (recorded - added)),
        "first_answer_s": round(time.monotonic() - recorded, 1),
    }


def train(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Return the time of a training, in minutes."""
    import penchant

    began = time.monotonic()
    with penchant.open(folder, effort=options.effort) as engine:
        report = engine.train()
    minutes = (time.monotonic() - began) / 60
    return {"train_min": round(minutes, 1), "scorer": report.data["choice"]["scorer"]}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--items", type=int, default=50_000)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--effort", default="balanced")
    parser.add_argument("--part", choices=["fill", "train"], help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part is not None:
        found = {"fill": fill, "train": train}[options.part](options.folder, options)
        kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
        peak = max(resource.getrusage(kind).ru_maxrss for kind in kinds)
        # Kilobytes on Linux, bytes on macOS.
        found[f"{options.part}_gb"] = round(peak / (1e9 if sys.platform == "darwin" else 1e6), 2)
        print(json.dumps(found))
        return 0
    result: dict[str, Any] = {
        "events": options.events,
        "items": options.items,
        "effort": options.effort,
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
    }
    with tempfile.TemporaryDirectory() as scratch:
        for part in ("fill", "train"):
            command = [sys.executable, __file__, *sys.argv[1:], "--part", part]
            command += ["--folder", str(Path(scratch) / "shelf")]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            result |= json.loads(done.stdout.splitlines()[-1])
    print(json.dumps(result))
    for name, value, bar, below in (
        ("train_min", result["train_min"], MINUTES, True),
        ("train_gb", result["train_gb"], GIGABYTES, True),
        ("events_per_s", result["events_per_s"], RATE, False),
    ):
        within = value < bar if below else value > bar
        print(f"  {name} {value}: {'within' if within else 'OUTSIDE'} the bar of {bar:g}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
