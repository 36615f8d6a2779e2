"""Prints what requests take while people's interests are expanded, whatever the generator does.

    python benchmarks/generators.py                        # 80 recommends/s, 80 events/s, 20 s each
    python benchmarks/generators.py --rounds 3 --keep runs

One `penchant serve` after the other on a copy of one shelf: without expansion, with the expanders
that need no generator, and with one on loopback that answers well, stalls, lies (names and ids that
nobody has), floods (tokens without end) or writes prose. Each is driven at the same rates in an
open loop, in turns, so that a slow minute of the machine is nobody's alone. Everybody who did
something is due at once (`people_per_minute`), so that the background is as busy as it can be.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from load.driving import drive, planned
from load.ground import Ground, shelf
from load.service import free_port, serving
from penchant.store.open import open_store

LIES = [f"user-{n}" for n in range(10)] + ["unicorn saddles", "https://evil.example/now"]
MODES = ("off", "local", "good", "stalls", "lies", "floods", "prose")


class Stub(BaseHTTPRequestHandler):
    """Answers every chat as `mode` says."""

    mode = "good"

    def do_POST(self) -> None:
        """Answer one chat turn."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.mode == "stalls":
            time.sleep(600)
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        if self.mode == "floods":
            while True:
                self._say("all work and no play ")
        if self.mode == "prose":
            return self._say("I think that this visitor would love many different things.")
        names = LIES
        if self.mode == "good":
            told = body["messages"][-1]["content"].split("The concepts of the catalogue:")[1]
            names = [line[2:] for line in told.splitlines() if line.startswith("- ")][:5]
        said = [{"concept": name, "reason": "as it is told"} for name in names]
        self._say(json.dumps({"proposals": said}))

    def _say(self, text: str) -> None:
        chunk = {
            "id": "1",
            "object": "chat.completion.chunk",
            "created": 0,
            "model": "stub",
            "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}],
        }
        self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def stub(mode: str) -> Iterator[str]:
    """Yield the address of a generator in a process of its own."""
    port = free_port()
    child = subprocess.Popen([sys.executable, __file__, "--stub", mode, "--port", str(port)])
    try:
        time.sleep(1.0)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        child.kill()
        child.wait()


def measured(made: Path, mode: str, options: argparse.Namespace) -> dict[str, float]:
    """Return milliseconds of requests, and what the background did meanwhile."""
    rates = {"recommend": options.recommends, "event": options.events}
    with tempfile.TemporaryDirectory(prefix="penchant-generators-") as scratch:
        folder = Path(shutil.copytree(made, Path(scratch) / "shelf"))
        with stub(mode) as url:
            remote = mode not in ("off", "local")
            settings = folder / "penchant.toml"
            settings.write_text(
                settings.read_text()
                + f"[interests]\nexpand = {'false' if mode == 'off' else 'true'}\n"
                + "people_per_minute = 60000\n"
                + (f'[generator]\nurl = "{url}"\nmodel = "stub"\ntimeout = 5\n' if remote else "")
                + ("calls_per_hour = 0\nseconds_per_hour = 0\n" if remote else "")
            )
            ground = Ground.of(folder)
            with serving(folder, options.workers) as service:
                drive(planned(ground, service, options, rates, seconds=4.0, seed=1))
                plan = planned(ground, service, options, rates, seconds=options.seconds)
                before = service.cpu().get("background", 0.0)
                found = drive(plan)
                busy = service.cpu().get("background", 0.0) - before
        with open_store(folder) as store:
            expanded = len(store.expansions)
    out = {"expanded": float(expanded), "background": busy / options.seconds}
    for kind, one in found["kinds"].items():
        due = np.array(one["due"])
        out[f"{kind} p50"], out[f"{kind} p99"] = np.quantile(due, (0.5, 0.99)).tolist()
        out["errors"] = out.get("errors", 0.0) + sum(
            n for status, n in one["statuses"].items() if status != "200"
        )
    return out


def main() -> None:
    """Measure every mode in turns, and print the medians."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--keep", type=Path, help="where to build the shelf, to use it again")
    parser.add_argument("--items", type=int, default=5_000)
    parser.add_argument("--users", type=int, default=5_000)
    parser.add_argument("--past", type=int, default=60_000, help="events of the shelf's log")
    parser.add_argument("--effort", default="fast")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--recommends", type=float, default=80.0, help="a second")
    parser.add_argument("--events", type=float, default=80.0, help="a second")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--modes", nargs="+", choices=MODES, default=MODES)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--stub", choices=MODES, help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.stub:
        Stub.mode = options.stub
        ThreadingHTTPServer(("127.0.0.1", options.port), Stub).serve_forever()
    rows: dict[str, list[dict[str, float]]] = defaultdict(list)
    with tempfile.TemporaryDirectory(prefix="penchant-generators-") as scratch:
        made = shelf(options, options.keep or Path(scratch))
        for round_number in range(options.rounds):
            for mode in options.modes:
                rows[mode].append(measured(made, mode, options))
                print(json.dumps({"round": round_number, "mode": mode, **rows[mode][-1]}))
    names = list(next(iter(rows.values()))[0])
    print(f"{'':<8}" + "".join(f"{name:>16}" for name in names))
    for mode, found in rows.items():
        middle = [float(np.median([one[name] for one in found])) for name in names]
        print(f"{mode:<8}" + "".join(f"{value:16.2f}" for value in middle))


if __name__ == "__main__":
    main()
