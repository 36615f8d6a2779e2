"""Prints what texts are worth in the whole engine: none, frozen, tuned. JSON, a line an arm.

    python benchmarks/text_arms.py online_retail ml_100k                # effort fast, three seeds
    python benchmarks/text_arms.py amazon_beauty --effort balanced --seeds 0

The same shelf is trained without a language model ("none"), with the encoder as it is ("frozen"),
with the layer above it ("tuned") and, where asked for, with the encoder itself tuned ("encoder"),
and answers the same requests: arm "next" of the protocol, or leave-one-out. NDCG@10 over all that
was wanted, and over the least popular four fifths of the items alone. Differences to the arm before
are paired, over people, all seeds together.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

import penchant
from accuracy import DAY, clicks, protocol, walked
from penchant.measure.intervals import paired
from penchant.measure.ranking import Lists, hits, ndcg

K = 10
LAST_DAY = 1_400_000_000
ARMS = {
    "none": '[encoder]\nmodel = "none"\n',
    "frozen": "[learn]\ntuned = false\nencoder = false\n",
    "tuned": "[learn]\ntuned = true\nencoder = false\n",
    "encoder": "[learn]\ntuned = true\nencoder = true\nencoder_seconds = {seconds}\n",
}


@dataclass(frozen=True)
class World:
    """Items, the log to learn from, and what to ask: `targets` item ids of each request."""

    name: str
    items: pl.DataFrame
    train: pl.DataFrame
    task: Any
    users: list[str]
    targets: list[list[str]]


def opened(p: Any, name: str) -> World:
    """Return a data set, asked as the protocol says."""
    if name == "amazon_beauty":
        events = pl.read_parquet(p.DATA / name / "events.parquet")
        items = pl.read_parquet(p.DATA / name / "items.parquet")
        ago = pl.col("position").max().over("user_id") - pl.col("position")
        train = events.filter(pl.col("split") != "test").with_columns(
            timestamp=LAST_DAY - ago * DAY
        )
        train = train.select("user_id", "item_id", "timestamp").sort("timestamp")
        test = events.filter(pl.col("split") == "test").sort("user_id")
        users, wanted = test["user_id"].to_list(), test["item_id"].to_list()
        return World(name, items, train, None, users, [[item] for item in wanted])
    task = p.task(name, "next")
    users = [one.user for one in task.requests]
    return World(
        name, task.items, task.train, task, users, [list(one.targets) for one in task.requests]
    )


def answered(world: World, settings: str, effort: str, seed: int) -> tuple[list[list[str]], float]:
    """Return the answer to each request, and the seconds that the training took."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "shelf"
        folder.mkdir()
        (folder / "penchant.toml").write_text(settings)
        with penchant.open(folder, effort=effort) as engine:
            engine.add(world.items)
            engine.record(clicks(world.train), now=float(world.train["timestamp"].max()))
            began = time.monotonic()
            report = engine.train(seed=seed)
            took = time.monotonic() - began
            print(settings, report, json.dumps(report.data["encoder"]), file=sys.stderr, flush=True)
            if world.task is not None:
                return walked(engine, world.task, "next"), took
            frame = engine.recommend_many(world.users, K, now=LAST_DAY + DAY)
            lists = frame.sort("user_id", "rank").group_by("user_id", maintain_order=True)
            found = dict(lists.agg("item_id").iter_rows())
            return [found[user] for user in world.users], took


def gains(world: World, lists: list[list[str]], tail: set[str] | None) -> np.ndarray:
    """Return NDCG@10 of each request, NaN where nothing that counts was wanted."""
    number = {item: place for place, item in enumerate(world.items["item_id"])}
    kept = [[item for item in targets if tail is None or item in tail] for targets in world.targets]
    ranked = np.full((len(lists), K), -1, dtype=np.int64)
    for row, items in enumerate(lists):
        found = [number[item] for item in items[:K]]
        ranked[row, : len(found)] = found
    targets = Lists.of(np.array([number[i] for i in one], dtype=np.int32) for one in kept)
    found_gains = ndcg(hits(ranked, targets), np.maximum(targets.lengths, 1), K)
    return np.where(targets.lengths > 0, found_gains, np.nan)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", nargs="+")
    parser.add_argument("--effort", default="fast")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--arms", nargs="+", default=["none", "frozen", "tuned"])
    parser.add_argument("--seconds", type=float, default=1200.0, help="for tuning the encoder")
    options = parser.parse_args()
    p = protocol()
    for name in options.data:
        world = opened(p, name)
        counts = world.train["item_id"].value_counts(sort=True)
        common = set(counts["item_id"].head(len(counts) // 5))
        tail = set(counts["item_id"]) - common
        users = np.unique(world.users, return_inverse=True)[1]
        everything: dict[str, list[np.ndarray]] = {}
        unpopular: dict[str, list[np.ndarray]] = {}
        for seed in options.seeds:
            for arm in options.arms:
                settings = ARMS[arm].format(seconds=options.seconds)
                lists, took = answered(world, settings, options.effort, seed)
                whole, rare = gains(world, lists, None), gains(world, lists, tail)
                everything.setdefault(arm, []).append(whole)
                unpopular.setdefault(arm, []).append(rare)
                line = {
                    "data": name,
                    "effort": options.effort,
                    "seed": seed,
                    "arm": arm,
                    "train_s": round(took, 1),
                    "NDCG@10": round(float(np.nanmean(whole)), 4),
                    "least popular": round(float(np.nanmean(rare)), 4),
                }
                print(json.dumps(line), flush=True)
        for before, arm in zip(options.arms, options.arms[1:], strict=False):
            for what, found in (("all", everything), ("least popular", unpopular)):
                new, old = (np.mean(found[one], axis=0) for one in (arm, before))
                asked = np.isfinite(new)
                difference = paired(new[asked], old[asked], users[asked])
                line = {
                    "data": name,
                    "effort": options.effort,
                    "items": what,
                    "arm": arm,
                    "against": before,
                    "NDCG@10": [round(float(np.nanmean(one)), 4) for one in (new, old)],
                    "difference": [round(difference.low, 4), round(difference.high, 4)],
                }
                print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
