"""Prints what being told at once is worth: one line of JSON per data set and freshness arm.

    python benchmarks/freshness.py ml_100k online_retail

The same trained engine four times: told nothing after the cut, told every midnight, told when a
session is over, told after each event. Requests and targets are those of the protocol's arm "next";
only "click" events of positives are given to the engine, and what a user already had is left out
in all four.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl

import penchant
from bar import protocol
from penchant.evaluate.assess import freshness
from penchant.evaluate.past import read_past, rebuild
from penchant.evaluate.plan import plan
from penchant.evaluate.trial import Trial


def main() -> None:
    """Print the lines."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", nargs="*", default=["ml_100k", "online_retail"])
    parser.add_argument("--effort", default="balanced")
    parser.add_argument("--most", type=int, default=6000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    bar = protocol(*options.data)
    for name in options.data:
        with tempfile.TemporaryDirectory() as folder:
            measure(bar, name, Path(folder), options)


def measure(bar: object, name: str, folder: Path, options: argparse.Namespace) -> None:
    """Train once on what lies before the cut, walk four times, print four lines."""
    task = bar.task(name, most=options.most)  # type: ignore[attr-defined]
    events = pl.read_parquet(bar.DATA / name / "events.parquet")  # type: ignore[attr-defined]
    if name in bar.POSITIVE:  # type: ignore[attr-defined]
        events = events.filter(bar.POSITIVE[name])  # type: ignore[attr-defined]
    first = (
        events.select("user_id", "item_id", "timestamp", event=pl.lit("click"))
        .sort("timestamp", maintain_order=True)
        .unique(["user_id", "item_id"], keep="first", maintain_order=True)
    )
    with penchant.open(folder / "all") as engine:
        engine.add(task.items)
        engine.record(first, now=float(first["timestamp"].max()))  # type: ignore[arg-type]
    past = read_past(folder / "all")
    made = plan(past.positives, past.items["item_id"].to_list(), most=options.most)
    if len(made.requests) != len(task.requests) or made.train.height != task.train.height:
        sys.exit(f"{name}: the engine's log does not hold the protocol's events")
    keep = past.before(made)
    rebuild(past, keep, folder / "trained")
    began = time.perf_counter()
    with penchant.open(folder / "trained", effort=options.effort) as engine:
        engine.train(seed=options.seed)
    trained = time.perf_counter()
    later = past.events.filter(~keep)

    @contextmanager
    def fresh(arm: str) -> Iterator[Trial]:
        shutil.copytree(folder / "trained", folder / "copy")
        with Trial(folder / "copy", later, live=arm == "event") as trial:
            yield trial
        shutil.rmtree(folder / "copy")

    table = freshness(made, fresh, progress=lambda *_: None)
    for row in table.rows:
        figure, lead = row.metrics["NDCG@10"], row.lead
        line = {
            "data": name,
            "arm": row.system,
            "effort": options.effort,
            "requests": figure.n,
            "NDCG@10": round(figure.mean, 4),
            "interval": [round(figure.low, 4), round(figure.high, 4)],
            "live_is_ahead_by": round(lead.mean, 4) if lead else None,
            "lead_interval": [round(lead.low, 4), round(lead.high, 4)] if lead else None,
            "train_s": round(trained - began, 1),
        }
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
