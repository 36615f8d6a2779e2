"""Prints the accuracy table of the README: one line of JSON per data set and arm.

    python benchmarks/accuracy.py ml_100k online_retail          # both arms each, effort balanced
    python benchmarks/accuracy.py amazon_beauty --effort best    # leave-one-out

The real engine is driven through its public verbs; only "click" events of positives are given to
it. The protocol is `protocol.py` beside the data sets (PENCHANT_PROTOCOL, PENCHANT_DATA).
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

import penchant

ROOT = Path(__file__).resolve().parents[1]
PROTOCOL = Path(os.environ.get("PENCHANT_PROTOCOL", ROOT.parent / "shared" / "protocol.py"))
DAY = 86_400


def protocol() -> Any:
    """Return the protocol module, or leave with a message where it is missing."""
    if not PROTOCOL.exists():
        sys.exit(f"skipped: {PROTOCOL} is missing; set PENCHANT_PROTOCOL and PENCHANT_DATA")
    spec = importlib.util.spec_from_file_location("protocol", PROTOCOL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["protocol"] = module
    spec.loader.exec_module(module)
    return module


def clicks(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(event=pl.lit("click"))


def trained(task: Any, items: pl.DataFrame, effort: str, folder: Path, seed: int) -> dict[str, Any]:
    """Build and train a shelf on what lies before the cut; return the timing and the report."""
    began = time.time()
    with penchant.open(folder, effort=effort) as engine:
        engine.add(items)
        counts = engine.record(clicks(task.train), now=float(task.train["timestamp"].max()))
        recorded = time.time()
        report = engine.train(seed=seed, progress=lambda step, value: None)
        print(counts, file=sys.stderr)
        print(report, file=sys.stderr)
    return {"record_s": round(recorded - began, 1), "train_s": round(time.time() - recorded, 1)}


def walked(engine: penchant.Engine, task: Any, arm: str) -> list[list[str]]:
    """Return the answer to each request of the task, recording each moment as it passes."""
    lists: list[list[str]] = [[] for _ in task.requests]
    for user, now, basket, marks in task.moments:
        if arm == "next" and marks[0] >= 0:
            lists[marks[0]] = [r.item_id for r in engine.recommend(user, 10, now=now, log=False)]
        for step, item in enumerate(basket):
            if arm == "cart":
                if step and marks[step] >= 0:
                    slate = engine.recommend(user, 10, now=now, log=False)
                    lists[marks[step]] = [r.item_id for r in slate]
                engine.record(penchant.Event(user, item, "click", now), now=now)
        if arm == "next":
            frame = pl.DataFrame(
                {
                    "user_id": [user] * len(basket),
                    "item_id": basket,
                    "timestamp": now,
                    "event": "click",
                }
            )
            engine.record(frame, now=float(now))
    return lists


def global_time(p: Any, name: str, arms: list[str], effort: str, seed: int) -> None:
    tasks = {arm: p.task(name, arm) for arm in arms}
    with tempfile.TemporaryDirectory() as workspace:
        base = Path(workspace) / "trained"
        first = tasks[arms[0]]
        timing = trained(first, first.items, effort, base, seed)
        for arm, task in tasks.items():
            copy = Path(workspace) / arm
            shutil.copytree(base, copy)
            began = time.time()
            with penchant.open(copy) as engine:
                lists = walked(engine, task, arm)
            took = {**timing, "walk_s": round(time.time() - began, 1)}
            print(
                json.dumps(
                    {"arm": arm, "effort": effort, "seed": seed, **took, **p.score(task, lists)}
                ),
                flush=True,
            )


def leave_one_out(p: Any, name: str, effort: str, seed: int) -> None:
    """amazon_beauty has order but no times: each person's last training event is on one day."""
    events = pl.read_parquet(p.DATA / name / "events.parquet")
    items = pl.read_parquet(p.DATA / name / "items.parquet")
    last_day = 1_400_000_000
    train = events.filter(pl.col("split") != "test").with_columns(
        timestamp=last_day - (pl.col("position").max().over("user_id") - pl.col("position")) * DAY
    )
    test = dict(events.filter(pl.col("split") == "test").select("user_id", "item_id").iter_rows())

    class Task:
        pass

    task = Task()
    task.train = train.select("user_id", "item_id", "timestamp").sort("timestamp")
    with tempfile.TemporaryDirectory() as workspace:
        base = Path(workspace) / "trained"
        timing = trained(task, items, effort, base, seed)
        began = time.time()
        with penchant.open(base) as engine:
            users = sorted(test)
            frame = engine.recommend_many(users, k=10, now=last_day + DAY)
        hits = frame.filter(
            pl.col("item_id") == pl.col("user_id").replace_strict(test, return_dtype=pl.String)
        )
        gain = 1 / np.log2(hits["rank"].to_numpy() + 1)
        everyone = np.concatenate((gain, np.zeros(len(users) - len(gain))))
        boot = np.random.default_rng(0).choice(everyone, (200, len(everyone))).mean(axis=1)
        print(
            json.dumps(
                {
                    "data": name,
                    "arm": "leave-one-out",
                    "effort": effort,
                    "seed": seed,
                    **timing,
                    "answer_s": round(time.time() - began, 1),
                    "requests": len(users),
                    "NDCG@10": round(float(everyone.mean()), 4),
                    "interval": [round(float(x), 4) for x in np.percentile(boot, [2.5, 97.5])],
                    "HR@10": round(len(gain) / len(users), 4),
                }
            ),
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", nargs="+")
    parser.add_argument("--arms", nargs="+", default=["next", "cart"])
    parser.add_argument("--effort", default="balanced")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    p = protocol()
    for name in options.data:
        if not (p.DATA / name).exists():
            print(f"skipped: {p.DATA / name} is missing")
        elif name == "amazon_beauty":
            leave_one_out(p, name, options.effort, options.seed)
        else:
            global_time(p, name, options.arms, options.effort, options.seed)


if __name__ == "__main__":
    main()
