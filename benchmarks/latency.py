"""Prints how long answers take: recommend, record, and from an event to the answer it changes.

    python benchmarks/latency.py                          # 20,000 and 200,000 items, effort fast
    python benchmarks/latency.py --effort balanced --items 20000
    python benchmarks/latency.py --folder /tmp/shelves    # keeps what was built, and uses it again
    python benchmarks/latency.py --profile                # where the time of recommend() goes

One thread answers (OMP_NUM_THREADS=1), on a synthetic world; nothing in it is real. With the
figures stand the load of the machine and its pace, the time of a fixed piece of work before and
after them: on a machine that shares its cores the same answer takes twice as long an hour later,
and only the pace tells.
"""

from __future__ import annotations

import argparse
import cProfile
import itertools
import json
import os
import pstats
import resource
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

import penchant

BARS = {20_000: (8.0, 20.0), 200_000: (None, 40.0)}
"""Milliseconds of recommend() by the number of items: the median, and 99 of 100."""

RECORD, BULK = 10.0, 50_000.0
"""Milliseconds of 99 of 100 single durable events; events a second from a frame."""


def build(folder: Path, items: int, users: int, events: int, effort: str) -> None:
    """Make a trained shelf in `folder`, in this process."""
    from penchant.evaluate.simulate import world

    made = world(n_users=users, n_items=items, n_events=events, seed=0)
    folder.mkdir(parents=True)
    # Titles alone: so many texts of their own would take the encoder a quarter of an hour.
    (folder / "penchant.toml").write_text('[text]\nparts = ["{title}"]\n')
    end = made.events["timestamp"].max()
    with penchant.open(folder, effort=effort) as engine:
        timing: dict[str, Any] = {}
        for step, work in {
            "add": lambda: engine.add(made.items),
            "record": lambda: engine.record(made.events, now=end),
            "train": lambda: engine.train(),
        }.items():
            began = time.monotonic()
            work()
            timing[step] = round(time.monotonic() - began, 2)
    timing["now"] = end.timestamp() + 60  # type: ignore[union-attr]
    timing["bulk"] = round(len(made.events) / timing["record"])
    people = made.events["user_id"].unique(maintain_order=True)
    timing["people"] = people.sample(min(2000, len(people)), seed=0).to_list()
    (folder / "built.json").write_text(json.dumps(timing))


def pace() -> float:
    """Return the milliseconds of a million additions in Python, the middle of five runs."""
    took = []
    for _ in range(5):
        began, total = time.perf_counter(), 0
        for number in range(1_000_000):
            total += number * number
        took.append(1000 * (time.perf_counter() - began))
    return sorted(took)[2]


def measured(folder: Path, requests: int, profile: bool) -> dict[str, Any]:
    """Return the times of everything, in milliseconds; each question has a moment of its own."""
    built = json.loads((folder / "built.json").read_text())
    clock = itertools.count(built["now"], 0.5)
    rng = np.random.default_rng(1)
    times: dict[str, list[float]] = defaultdict(list)
    stages: dict[str, list[float]] = defaultdict(list)

    def somebody() -> str:
        """Return a person who has done something: a newcomer's answer takes half the time."""
        return str(rng.choice(built["people"]))

    began = time.perf_counter()
    with penchant.open(folder) as engine:
        engine.recommend(somebody(), now=next(clock))
        times["open and answer once"].append(1000 * (time.perf_counter() - began))
        for _ in range(20):
            engine.recommend(somebody(), now=next(clock))
        profiler = cProfile.Profile()
        for _ in range(requests):
            user, now = somebody(), next(clock)
            if profile:
                profiler.enable()
            began, used = time.perf_counter(), time.thread_time()
            slate = engine.recommend(user, now=now)
            times["recommend"].append(1000 * (time.perf_counter() - began))
            times["recommend (CPU of its thread)"].append(1000 * (time.thread_time() - used))
            if profile:
                profiler.disable()
            for stage in slate.trace.stages:
                stages[stage.stage].append(1000 * stage.seconds)
        if profile:
            pstats.Stats(profiler).sort_stats("tottime").print_stats(30)
        for _ in range(requests):
            event = penchant.Event(somebody(), f"i{rng.integers(1000)}", timestamp=next(clock))
            began, used = time.perf_counter(), time.thread_time()
            engine.record(event, now=event.timestamp)
            times["record"].append(1000 * (time.perf_counter() - began))
            times["record (CPU of its thread)"].append(1000 * (time.thread_time() - used))
        for _ in range(requests):
            user, now = somebody(), next(clock)
            event = penchant.Event(user, f"i{rng.integers(1000)}", timestamp=now)
            began, used = time.perf_counter(), time.thread_time()
            engine.record(event, now=now)
            recorded = time.perf_counter()
            engine.recommend(user, now=now)
            times["event to answer"].append(1000 * (time.perf_counter() - began))
            times["event to answer (CPU)"].append(1000 * (time.thread_time() - used))
            times["  of it recommend"].append(1000 * (time.perf_counter() - recorded))
        many = [somebody() for _ in range(100)]
        began = time.perf_counter()
        engine.recommend_many(many, now=next(clock))
        times["recommend_many, each"].append(10 * (time.perf_counter() - began))
    rest = np.array(times["recommend"]) - np.sum([v for v in stages.values()], axis=0)
    return {
        "times": times,
        "stages": {**stages, "ask, reasons, log": rest.tolist()},
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        / (1e9 if sys.platform == "darwin" else 1e6),
    }


def row(name: str, values: list[float]) -> str:
    middle, late = np.median(values), np.quantile(values, 0.99)
    return f"  {name:<32} {middle:9.2f} {late:9.2f} {max(values):9.2f}"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--items", type=int, nargs="*", default=[20_000, 200_000])
    parser.add_argument("--users", type=int, default=20_000)
    parser.add_argument("--events", type=int, default=300_000)
    parser.add_argument("--effort", default="fast")
    parser.add_argument("--requests", type=int, default=500)
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--build", type=Path, default=None, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.build is not None:
        build(options.build, options.items[0], options.users, options.events, options.effort)
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        root = options.folder or Path(scratch)
        for items in options.items:
            one(root / f"{options.effort}-{items}-{options.events}", items, options)
    return 0


def one(folder: Path, items: int, options: argparse.Namespace) -> None:
    if not (folder / "built.json").exists():
        # With all threads, and so in a process of its own.
        quiet = {k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS")}
        sizes = ["--items", str(items), "--users", str(options.users)]
        more = ["--events", str(options.events), "--effort", options.effort]
        command = [sys.executable, __file__, "--build", str(folder), *sizes, *more]
        subprocess.run(command, check=True, env=quiet)
    before = pace()
    found = measured(folder, options.requests, options.profile)
    after = pace()
    built = json.loads((folder / "built.json").read_text())
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    print(
        f"{items:,} items, {options.events:,} events, effort {options.effort}; "
        f"{os.cpu_count()} cores, load {load:.1f}, pace {before:.0f} and {after:.0f} ms; "
        f"{found['memory']:.2f} GB at most; seconds to "
        + ", ".join(f"{step} {built[step]}" for step in ("add", "record", "train"))
    )
    print(f"  {'milliseconds':<32} {'median':>9} {'p99':>9} {'worst':>9}")
    for name, values in found["times"].items():
        print(row(name, values))
    print("  of recommend():")
    for name, values in found["stages"].items():
        print(row(f"  {name}", values))
    recommend, record = found["times"]["recommend"], found["times"]["record"]
    middle, late = BARS.get(items, (None, None))
    for name, value, bar in (
        ("recommend, median", float(np.median(recommend)), middle),
        ("recommend, p99", float(np.quantile(recommend, 0.99)), late),
        ("record, p99", float(np.quantile(record, 0.99)), RECORD),
    ):
        if bar is not None:
            verdict = "within" if value < bar else "OUTSIDE"
            print(f"  {name}: {value:.1f} ms, {verdict} the bar of {bar:g} ms")
    verdict = "within" if built["bulk"] > BULK else "OUTSIDE"
    print(f"  bulk: {built['bulk']:,} events/s, {verdict} the bar of {BULK:,.0f} events/s")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
