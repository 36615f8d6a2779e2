"""Prints what smaller tables cost: bytes, memory, speed, NDCG@10; one snapshot served each way.

    python benchmarks/sizes.py ml_100k online_retail
    python benchmarks/sizes.py ml_100k --requests 1000 --effort fast      # no networks
    python benchmarks/sizes.py ml_100k --folder /tmp/s                    # keeps what was trained

One shelf is trained, and copied for each option of section [recall]; the snapshot is rewritten as a
training would have written it. Arm "next" of the protocol, on `--requests` of its requests; the
difference to the full tables is paired, with a 95% interval over users. The time is the median of
recommend(), of the processor and of one thread, as far as others leave it alone.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

import penchant
from accuracy import protocol, trained
from penchant.measure.intervals import paired
from penchant.recall.sizes import RecallConfig, shrink
from penchant.store.artefacts import Artefacts
from penchant.store.open import open_store

FULL = {"vectors": "float32", "entries": 400}
OPTIONS: list[dict[str, Any]] = [
    FULL,
    *({"vectors": "float32", "entries": n} for n in (200, 100, 50, 25)),
    *({"vectors": kind, "entries": 400} for kind in ("float16", "int8")),
    {"vectors": "int8", "entries": 100},
]
TABLES = ("linear", "sequence", "text.vectors", "factors")


def resized(base: Path, target: Path, option: dict[str, Any]) -> dict[str, int]:
    """Copy a shelf with its snapshot rewritten; return bytes of the tables and of the snapshot."""
    shutil.copytree(base, target)
    with open_store(target) as store:
        found = store.snapshots.current()
        assert found is not None
        folder = store.snapshots.begin()
        for name in found.manifest["files"]:
            shutil.copy(found.folder / name, folder / name)
        shrink(Artefacts(folder), RecallConfig(**option))
        kept = {k: v for k, v in found.manifest.items() if k not in ("files", "parent")}
        store.snapshots.publish(folder, kept)
        now = store.snapshots.current()
        assert now is not None
        sizes = {path.name: path.stat().st_size for path in now.folder.glob("*.npy")}
    pairs = sum(n for name, n in sizes.items() if name.startswith("linear"))
    vectors = sum(n for name, n in sizes.items() if name.endswith((".table.npy", "vectors.npy")))
    return {"pairs": pairs, "vectors": vectors, "arrays": sum(sizes.values())}


def walk(folder: Path, name: str, most: int) -> dict[str, Any]:
    """Return the gain of each request, and what answering took; what lies between is one write."""
    p = protocol()
    task = p.task(name, "next", most=most)
    users, gains, took = [], [], []
    waiting: list[tuple[str, str, int]] = []
    with penchant.open(folder) as engine:
        for user, now, basket, marks in task.moments:
            if marks[0] >= 0:
                if waiting:
                    frame = pl.DataFrame(
                        waiting, schema=["user_id", "item_id", "timestamp"], orient="row"
                    )
                    engine.record(frame.with_columns(event=pl.lit("click")), now=float(now))
                    waiting = []
                began = time.thread_time()
                slate = engine.recommend(user, 10, now=now, log=False)
                took.append(1000 * (time.thread_time() - began))
                gains.append(p.gains(task.requests[marks[0]], [line.item_id for line in slate]))
                users.append(user)
            waiting += [(user, item, now) for item in basket]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 if _MAC else 1024)
    return {"users": users, "gains": gains, "ms": float(np.median(took)), "peak": peak}


_MAC = sys.platform == "darwin"


def one(p: Any, name: str, options: argparse.Namespace, root: Path) -> None:
    base = root / f"{name}-{options.effort}"
    if not base.exists():
        base.mkdir(parents=True)
        if options.epochs:
            (base / "penchant.toml").write_text(f"[learn]\nepochs = {options.epochs}\n")
        task = p.task(name, "next")
        trained(task, task.items, options.effort, base, 0)
    full: dict[str, Any] = {}
    for option in OPTIONS:
        with tempfile.TemporaryDirectory(dir=root) as scratch:
            folder = Path(scratch) / "shelf"
            sizes = resized(base, folder, option)
            arguments = ["--walk", str(folder), "--requests", str(options.requests)]
            # A process of its own: its memory is that of one option.
            told = subprocess.run(
                [sys.executable, __file__, name, *arguments], check=True, stdout=subprocess.PIPE
            )
        found = json.loads(told.stdout.splitlines()[-1])
        full = full or found
        lead = paired(
            found["gains"], full["gains"], np.unique(full["users"], return_inverse=True)[1]
        )
        row = {
            "data": name,
            "effort": options.effort,
            **option,
            **{f"{part}_MB": round(size / 1e6, 2) for part, size in sizes.items()},
            "peak_MB": round(found["peak"]),
            "recommend_ms": round(found["ms"], 2),
            "requests": len(found["gains"]),
            "NDCG@10": round(float(np.mean(found["gains"])), 4),
            "against_full": round(lead.mean, 4),
            "interval": [round(lead.low, 4), round(lead.high, 4)],
        }
        print(json.dumps(row), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", nargs="+")
    parser.add_argument("--effort", default="balanced")
    parser.add_argument("--epochs", type=int, default=0, help="of the networks; 0: the effort's")
    parser.add_argument("--requests", type=int, default=6000)
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--walk", type=Path, default=None, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.walk is not None:
        print(json.dumps(walk(options.walk, options.data[0], options.requests)))
        return
    p = protocol()
    with tempfile.TemporaryDirectory() as scratch:
        for name in options.data:
            if (p.DATA / name).exists():
                one(p, name, options, options.folder or Path(scratch))
            else:
                print(f"skipped: {p.DATA / name} is missing")


if __name__ == "__main__":
    main()
