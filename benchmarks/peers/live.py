"""Prints live recommenders side by side: the answer before each event, and what both of them cost.

    python3.11 -m venv live && live/bin/pip install -r benchmarks/peers/requirements-live.txt
    python benchmarks/peers/live.py --peers live/bin/python                # online_retail
    python benchmarks/peers/live.py ml_100k --peers live/bin/python
    python benchmarks/peers/live.py --shelf runs/retail                    # trained before the cut

The first events after the protocol's cut, one after the other. Before each the three systems are
asked for ten items, then all of them are told; they take turns event by event, each in a process
and on a thread of its own, so that whatever else the machine does slows all of them alike. Two
figures of one walk: "next" is the protocol's arm, one answer a moment with everything of that
moment as targets; "each" takes the answer before each event, with that event's item as target.

`rtrec` fits the columns of what an event names anew (SLIM.fit); `implicit` keeps its item factors
and solves the person's again at every answer (recalculate_user). Both are tuned on the last tenth
of the training time, nine trials each, and hold everything in memory; Penchant's events are on
disk when they count as told, and its answers are logged.
"""

from __future__ import annotations

import argparse
import json
import os
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

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from bar import protocol

SYSTEMS = ("rtrec", "implicit", "penchant")
K = 10


class Told:
    """A system in a process of its own that takes lines of JSON: asked, it answers."""

    def __init__(self, name: str, python: str, options: argparse.Namespace) -> None:
        command = [python, __file__, options.data, "--play", name, "--effort", options.effort]
        if options.shelf is not None:
            command += ["--shelf", str(options.shelf)]
        self._child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.ready: dict[str, Any] = self._line()

    def say(self, *words: Any) -> dict[str, Any]:
        """Return what it says to a line."""
        assert self._child.stdin is not None
        self._child.stdin.write(json.dumps(words) + "\n")
        self._child.stdin.flush()
        return self._line()

    def _line(self) -> dict[str, Any]:
        assert self._child.stdout is not None
        line = self._child.stdout.readline()
        if not line:
            sys.exit(f"{self._child.args!r} ended: {self._child.wait()}")
        found: dict[str, Any] = json.loads(line)
        return found

    def end(self) -> None:
        """Let it end."""
        assert self._child.stdin is not None
        self._child.stdin.close()
        self._child.wait()


def main() -> None:
    """Print the table, and a line of JSON for each system."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", nargs="?", default="online_retail")
    parser.add_argument("--events", type=int, default=3000)
    parser.add_argument("--peers", default=sys.executable, help="python that has the peers")
    parser.add_argument("--shelf", type=Path, help="a shelf of what lies before the cut, trained")
    parser.add_argument("--effort", default="balanced")
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=SYSTEMS)
    parser.add_argument("--play", choices=SYSTEMS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    bar = protocol(options.data)
    task = bar.task(options.data, "next", most=sys.maxsize)
    if options.play is not None:
        play(options.play, task, bar, options)
        return
    own = {"penchant": sys.executable}
    systems = {name: Told(name, own.get(name, options.peers), options) for name in options.systems}
    load, began = os.getloadavg(), time.perf_counter()
    found = walk(task, systems, options.events)
    took, after = time.perf_counter() - began, os.getloadavg()
    for system in systems.values():
        system.end()
    show(options.data, bar, systems, found)
    print(
        f"{took:.0f} s for all of it; {os.cpu_count()} cores, load {load[0]:.1f} before and "
        f"{after[0]:.1f} after"
    )


def walk(task: Any, systems: dict[str, Told], most: int) -> dict[str, Any]:
    """Return the answers of each system, its times in milliseconds, and what was asked for."""
    lists: dict[str, list[list[str]]] = {name: [] for name in systems}
    times: dict[str, dict[str, list[float]]] = {name: defaultdict(list) for name in systems}
    firsts: list[tuple[int, list[str]]] = []
    events: list[tuple[str, str]] = []
    for user, now, basket, _ in task.moments:
        if len(events) >= most:
            break
        firsts.append((len(events), basket))
        for item in basket:
            for name, system in systems.items():
                answer = system.say("ask", user, now)
                lists[name].append(answer["items"])
                times[name]["answer"].append(answer["ms"])
                times[name]["answer CPU"].append(answer["cpu"])
                told = system.say("tell", user, item, now)
                times[name]["event"].append(told["ms"])
                times[name]["event CPU"].append(told["cpu"])
            events.append((user, item))
            if len(events) % 500 == 0:
                print(f"{len(events)} events", file=sys.stderr, flush=True)
    return {"lists": lists, "times": times, "firsts": firsts, "events": events}


def show(data: str, bar: Any, systems: dict[str, Told], found: dict[str, Any]) -> None:
    """Print a table, then each system as a line of JSON."""
    firsts, events = found["firsts"], found["events"]
    # A basket that the walk left early has only the targets it went through.
    ends = [start for start, _ in firsts[1:]] + [len(events)]
    print(f"{data}: {len(events):,} events in {len(firsts)} moments after the cut")
    print(
        f"{'':<10} {'NDCG@10 each':>24} {'next':>6} {'ms per event':>16} {'ms per answer':>16}"
        f" {'CPU':>12}"
    )
    lines = []
    for name, system in systems.items():
        lists, times = found["lists"][name], found["times"][name]
        each = [
            bar.gains(bar.Request(user, 0, [], [item]), lists[n])
            for n, (user, item) in enumerate(events)
        ]
        following = [
            bar.gains(bar.Request("", 0, [], basket[: end - start]), lists[start])
            for (start, basket), end in zip(firsts, ends, strict=True)
        ]
        low, high = interval(each, [user for user, _ in events])
        figures = {
            kind: [round(float(np.quantile(times[kind], q)), 2) for q in (0.5, 0.99)]
            for kind in ("event", "answer", "event CPU", "answer CPU")
        }
        mean = float(np.mean(each))
        event, answer = figures["event"], figures["answer"]
        print(
            f"{name:<10} {mean:9.4f} [{low:.4f}, {high:.4f}] {np.mean(following):6.4f}"
            f" {event[0]:7.2f} {event[1]:8.2f} {answer[0]:7.2f} {answer[1]:8.2f}"
            f" {figures['event CPU'][0]:6.2f}{figures['answer CPU'][0]:6.2f}"
        )
        lines.append(
            {
                "data": data,
                "system": name,
                "each": round(mean, 4),
                "interval": [round(low, 4), round(high, 4)],
                "next": round(float(np.mean(following)), 4),
                "ms": figures,
                **system.ready,
            }
        )
    print("(milliseconds are medians and 99 of 100; CPU of an event and of an answer, medians)")
    for line in lines:
        print(json.dumps(line))


def interval(gains: list[float], users: list[str]) -> tuple[float, float]:
    """Return the 95% interval of the mean, people drawn anew (bootstrap)."""
    by: dict[str, list[float]] = defaultdict(list)
    for gain, user in zip(gains, users, strict=True):
        by[user].append(gain)
    sums = np.array([(sum(one), len(one)) for one in by.values()])
    drawn = np.random.default_rng(0).integers(0, len(sums), (400, len(sums)))
    means = sums[drawn, 0].sum(axis=1) / sums[drawn, 1].sum(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)


def play(name: str, task: Any, bar: Any, options: argparse.Namespace) -> None:
    """Be one system: answer what comes in, line by line, until nothing comes any more."""
    out, sys.stdout = sys.stdout, sys.stderr  # what libraries print is no answer
    with tempfile.TemporaryDirectory(prefix="live-") as scratch:
        if name == "penchant":
            from penchant_live import Penchant

            system: Any = Penchant.trained(task, options, Path(scratch))
        elif name == "rtrec":
            from rtrec_live import Rtrec

            system = Rtrec.tuned(task, bar)
        else:
            from implicit_live import Implicit

            system = Implicit.tuned(task, bar)
        print(json.dumps({"settings": system.settings}), file=out, flush=True)
        for line in sys.stdin:
            verb, *rest = json.loads(line)
            began, used = time.perf_counter(), time.process_time()
            items = system.ask(*rest) if verb == "ask" else system.tell(*rest)
            took, busy = time.perf_counter() - began, time.process_time() - used
            answer = {"items": items, "ms": 1000 * took, "cpu": 1000 * busy}
            print(json.dumps(answer), file=out, flush=True)
        system.close()


if __name__ == "__main__":
    main()
