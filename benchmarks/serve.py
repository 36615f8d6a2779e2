"""Prints what the HTTP service stands: recommends and events at once, from a second process.

    python benchmarks/serve.py                            # 150 recommends/s and 200 events/s, 60 s
    python benchmarks/serve.py --recommends 300 --events 400
    python benchmarks/serve.py --shelf runs/shelf         # a trained shelf; only a copy is served
    python benchmarks/serve.py --read-your-writes 10000   # answers that ignore what was told
    python benchmarks/serve.py --soak 20                  # minutes of everything, and a training

`penchant serve` with 3 workers on 20,000 items of a synthetic world, 32 connections on loopback.
Requests come when they are due (open loop), and latency counts from then. With the figures stand
the load of the machine and its pace, the time of a fixed piece of work before and after them: the
generator has its part of the same cores. Of a virtual machine it also says how much of the load's
time its host gave to others: what is stolen in bursts is late here, whatever it had to do.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from latency import pace
from load.acknowledged import read_your_writes
from load.connections import Address
from load.costs import engine_alone
from load.driving import Driving, drive, planned, verdicts
from load.floor import floor
from load.ground import Ground, shelf
from load.quiet import difference, each, quiet, skipped, stages
from load.service import serving
from load.soak import soaked

BARS = {"recommend": 60.0, "event": 40.0}
"""Milliseconds of 99 of 100 requests, both kinds at once."""


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--shelf", type=Path, help="a trained shelf; else one is built")
    parser.add_argument("--keep", type=Path, help="where to build the shelf, to use it again")
    parser.add_argument("--items", type=int, default=20_000)
    parser.add_argument("--users", type=int, default=20_000)
    parser.add_argument("--past", type=int, default=300_000, help="events of the shelf's log")
    parser.add_argument("--effort", default="balanced", help="of the shelf, and in a soak")
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--recommends", type=float, default=150.0, help="a second")
    parser.add_argument("--events", type=float, default=200.0, help="a second")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--quiet", type=int, default=300, help="requests one after the other")
    parser.add_argument("--read-your-writes", type=int, default=0, metavar="N")
    parser.add_argument("--soak", type=float, default=0.0, metavar="MINUTES")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="penchant-serve-") as scratch:
        folder = Path(scratch)
        ground = Ground.copy(options.shelf or shelf(options, options.keep or folder), folder)
        run = loaded
        if options.read_your_writes:
            run = read_your_writes
        elif options.soak:
            run = soaked
        before = paces()
        good = run(ground, options)
        load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
        print(f"{os.cpu_count()} cores, load {load}, pace {before} before and {paces()} after")
    return 0 if good else 1


def paces() -> str:
    """Return the milliseconds of a fixed piece of work, by the wall and of the CPU."""
    used = time.process_time()
    wall = pace()
    # The middle of five runs; the mean of their share of the CPU.
    return f"{wall:.0f} ms ({200 * (time.process_time() - used):.0f} of the CPU)"


def loaded(ground: Ground, options: argparse.Namespace) -> bool:
    """Print what both kinds of requests take at once, then what one takes when it is quiet."""
    rates = {"recommend": options.recommends, "event": options.events}
    with serving(ground.folder, options.workers) as service:
        address = Address(service.host, service.port)
        plan = planned(ground, service, options, rates, seconds=options.seconds)
        warm = planned(ground, service, options, rates, seconds=5.0, seed=options.seed + 1)
        drive(warm)
        held, used, spread = service.metrics(), service.cpu(), {}
        stolen = theft()
        with Driving(plan) as driving:
            time.sleep(plan.seconds / 2)
            spread = service.spread()
            found = driving.result()
        spent = difference(service.cpu(), used)
        lost = (theft() - stolen) / (found["seconds"] * (os.cpu_count() or 1))
        middle, last = floor(plan)
        print(f"{len(ground.people):,} people, {ground.events:,} events before it began")
        good = verdicts(found, rates, BARS)
        print(f"  on a server that does nothing: median {middle:.1f}, p99 {last:.1f} ms")
        total = sum(one["asked"] for one in found["kinds"].values())
        print(f"connections of each worker: {spread}; opened again {found['reopened']}")
        print(f"stolen by the host: {100 * lost:.1f}% of all cores")
        print(f"generator: {100 * found['cpu'] / found['seconds']:.0f}% of a core")
        print("milliseconds of the CPU a request, of both kinds: " + each(spent, total))
        stages(service, held)
        skipped(service, held)
        good &= quiet(service, address, ground, options)
    for kind, parts in engine_alone(ground.folder, options.quiet).items():
        print(f"  of the {kind} inside the engine: {each(parts, 1000)}")
    return good


def theft() -> float:
    """Return the seconds of all cores that the host of this machine gave to others; 0 unknown."""
    try:
        ticks = Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[8]
        return int(ticks) / os.sysconf("SC_CLK_TCK")
    except (OSError, IndexError, ValueError):
        return 0.0


if __name__ == "__main__":
    sys.exit(main())
