"""What the engine inside a worker takes of the CPU, stage by stage: the same questions, embedded.

A trace tells the time on the wall; for once its clock is that of the thread, so that what else the
machine does is left out. The rest of what a worker takes for a request is HTTP.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

import penchant
from load.ground import Ground
from penchant.rank import pipeline

WARM = 20


def measured(folder: Path, times: int, seed: int = 3) -> dict[str, dict[str, float]]:
    """Return mean milliseconds of the CPU of a recommend and of an event, by stage."""
    pipeline.time = SimpleNamespace(  # type: ignore[attr-defined]
        perf_counter=time.thread_time, monotonic=time.monotonic
    )
    ground, rng = Ground.of(folder), np.random.default_rng(seed)
    stages: dict[str, float] = defaultdict(float)
    with penchant.open(folder) as engine:
        for _ in range(WARM):
            engine.recommend(str(rng.choice(ground.people)))
        whole = time.process_time()
        own = 0.0
        for _ in range(times):
            used = time.thread_time()
            slate = engine.recommend(str(rng.choice(ground.people)))
            own += time.thread_time() - used
            for stage in slate.trace.stages:
                stages[stage.stage] += stage.seconds
        stages["state, reasons"] = own - sum(stages.values())
        engine.status()
        time.sleep(0.5)  # what is written behind the answers
        stages["slates to disk"] = time.process_time() - whole - own
        whole, own = time.process_time(), 0.0
        for _ in range(times):
            event = penchant.Event(str(rng.choice(ground.people)), str(rng.choice(ground.items)))
            used = time.thread_time()
            engine.record(event)
            own += time.thread_time() - used
        rest = time.process_time() - whole - own
    return {
        "recommend": {name: 1000 * used / times for name, used in stages.items()},
        "event": {"admission": 1000 * own / times, "events to disk": 1000 * rest / times},
    }


def engine_alone(folder: Path, times: int) -> dict[str, dict[str, float]]:
    """Return what a process of its own measured on the shelf, which no service holds then."""
    command = [sys.executable, "-m", "load.costs", str(folder.resolve()), str(times)]
    here = Path(__file__).resolve().parents[1]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, cwd=here)
    found: dict[str, dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return found


if __name__ == "__main__":
    print(json.dumps(measured(Path(sys.argv[1]), int(sys.argv[2]))))
