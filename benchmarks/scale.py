"""Prints how fast a million events on 50,000 items go in and are learned from, and the memory.

    python benchmarks/scale.py                            # effort balanced, up to 45 minutes
    python benchmarks/scale.py --effort fast --events 200000 --items 20000
    python benchmarks/scale.py --record                   # only record(), empty shelf and full

A synthetic world; nothing in it is real. Peak memory is that of the largest process of the import
and of the training, each measured in a process of its own. With `--record` as many events again
follow the first, once keyed by their content and once by ids of their own, and all of them once
more; beside the seconds stand those of the CPU, which other work on the machine changes little.
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
        added, used = time.monotonic(), time.process_time()
        counts = engine.record(made.events, now=made.events["timestamp"].max())
        recorded, busy = time.monotonic(), time.process_time() - used
        engine.recommend("u1")
    return {
        "add_s": round(added - began, 1),
        "record_s": round(recorded - added, 1),
        "events_per_s": round(counts["rows"] / (recorded - added)),
        "events_per_cpu_s": round(counts["rows"] / busy),
        "first_answer_s": round(time.monotonic() - recorded, 1),
    }


def record(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Return how fast events are recorded into an empty shelf, into that one again, and again."""
    import polars as pl

    import penchant
    from penchant.evaluate.simulate import world

    made = world(options.users, options.items, 2 * options.events, seed=0)
    now = made.events["timestamp"].max()
    first, second = made.events[: options.events], made.events[options.events :]
    folder.mkdir(parents=True)
    # Nothing here is about texts.
    (folder / "penchant.toml").write_text('[encoder]\nmodel = "none"\n')
    found: dict[str, Any] = {}
    with penchant.open(folder) as engine:
        engine.add(made.items)
        found["before_gb"] = round(peak(), 2)
        for name, events in {"empty": first, "full": second, "known": second}.items():
            if options.part == "event_id":
                events = events.with_columns(event_id=pl.format("{}-{}", "user_id", "timestamp"))
            began, used = time.monotonic(), time.process_time()
            counts = engine.record(events, now=now)
            took, busy = time.monotonic() - began, time.process_time() - used
            assert counts["known" if name == "known" else "new"] == counts["accepted"]
            found[f"{name}_per_s"] = round(counts["rows"] / took)
            found[f"{name}_per_cpu_s"] = round(counts["rows"] / busy)
            found[f"{name}_gb"] = round(peak(), 2)
    return found


def peak() -> float:
    """Return the memory that this process or a child of it has taken at most, in GB."""
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    most = max(resource.getrusage(kind).ru_maxrss for kind in kinds)
    # Kilobytes on Linux, bytes on macOS.
    return most / (1e9 if sys.platform == "darwin" else 1e6)


def train(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Return the time of a training, in minutes."""
    import penchant

    began = time.monotonic()
    with penchant.open(folder, effort=options.effort) as engine:
        report = engine.train()
    minutes = (time.monotonic() - began) / 60
    return {"train_min": round(minutes, 1), "scorer": report.data["choice"]["scorer"]}


PARTS = {"fill": fill, "train": train, "content": record, "event_id": record}


def recorded(options: argparse.Namespace) -> int:
    """Print how fast events are recorded, and the memory of it."""
    load = round(os.getloadavg()[0], 1)
    print(f"{options.events:,} events at a time, {os.cpu_count()} cores, load {load}")
    for part, called in (("content", "without ids"), ("event_id", "with an event_id")):
        with tempfile.TemporaryDirectory() as scratch:
            found = run(part, Path(scratch))
        print(f"{called}; {found['before_gb']:.2f} GB before")
        for name, into in (
            ("empty", "an empty shelf"),
            ("full", "that one"),
            ("known", "it again"),
        ):
            rate, busy = found[f"{name}_per_s"], found[f"{name}_per_cpu_s"]
            within = "within" if rate > RATE else "OUTSIDE"
            print(
                f"  into {into:<15} {rate:>9,} events/s  {busy:>9,} per second of CPU  "
                f"{found[f'{name}_gb']:.2f} GB at most  {within} the bar of {RATE:,.0f}"
            )
    return 0


def run(part: str, scratch: Path) -> dict[str, Any]:
    """Return what a process of its own found out."""
    command = [sys.executable, __file__, *sys.argv[1:], "--part", part]
    command += ["--folder", str(scratch / "shelf")]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--items", type=int, default=50_000)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--effort", default="balanced")
    parser.add_argument("--record", action="store_true", help="measure recording alone")
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part is not None:
        found = PARTS[options.part](options.folder, options)
        found[f"{options.part}_gb"] = round(peak(), 2)
        print(json.dumps(found))
        return 0
    if options.record:
        return recorded(options)
    result: dict[str, Any] = {
        "events": options.events,
        "items": options.items,
        "effort": options.effort,
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
    }
    with tempfile.TemporaryDirectory() as scratch:
        for part in ("fill", "train"):
            result |= run(part, Path(scratch))
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
