"""Prints what reviews in the texts of items are worth: one line of JSON per catalogue and number.

    python benchmarks/reviews.py                       # 0, 1, 3 and 10 reviews, effort fast
    python benchmarks/reviews.py --effort balanced --reviews 0 3

The shelf of the demo with simulated viewers, who write of what they loved or hated in a film. Each
engine is trained on what lies before the cut (the newest tenth of the wishes) and asked along it,
told of everything up to each request, reviews too. Two catalogues: the films with categories, tags
and descriptions, and their titles alone. Figures are those of the engine and of its source `text`,
which answers by closeness of texts only; intervals are over viewers, differences to no reviews.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import polars as pl

import penchant
from penchant.evaluate.past import read_past, rebuild
from penchant.evaluate.plan import Plan, plan
from penchant.evaluate.replay import Walk, walk
from penchant.evaluate.score import score
from penchant.evaluate.simulate import Simulation, simulate
from penchant.evaluate.trial import Trial
from penchant.measure.intervals import paired
from penchant.serve.demo import story

ARMS = ("engine", "text alone")


def main() -> None:
    """Print the lines."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reviews", type=int, nargs="*", default=[0, 1, 3, 10])
    parser.add_argument("--catalogues", nargs="*", default=["whole", "titles"])
    parser.add_argument("--effort", default="fast")
    parser.add_argument("--viewers", type=int, default=800)
    parser.add_argument("--events", type=int, default=60_000)
    parser.add_argument("--most", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    world = story.unled(simulate(options.seed, options.viewers, options.events))
    for catalogue in options.catalogues:
        measure(world, catalogue, options)


def measure(world: Simulation, catalogue: str, options: argparse.Namespace) -> None:
    """Train and ask one engine for each number of reviews, and print a line of each."""
    items = world.items if catalogue == "whole" else world.items.select("item_id", "title")
    before: dict[str, Sequence[float]] = {}
    for number in options.reviews:
        with tempfile.TemporaryDirectory() as folder:
            made, walks, seconds = asked(world, items, number, Path(folder), options)
        for arm in ARMS:
            figures = score(made, walks[arm])
            mean = figures.metrics["NDCG@10"]
            line = {
                "catalogue": catalogue,
                "reviews": number,
                "of": arm,
                "effort": options.effort,
                "seed": options.seed,
                "requests": mean.n,
                "NDCG@10": round(mean.mean, 4),
                "interval": [round(mean.low, 4), round(mean.high, 4)],
                "tail": round(figures.slices["tail item"].mean, 4)
                if "tail item" in figures.slices
                else None,
            }
            if arm in before:
                gain = paired(figures.gains, before[arm], made.askers)
                line["more than none by"] = round(gain.mean, 4)
                line["between"] = [round(gain.low, 4), round(gain.high, 4)]
            elif not number:
                before[arm] = figures.gains
            print(json.dumps(line | seconds), flush=True)


def asked(
    world: Simulation, items: pl.DataFrame, number: int, folder: Path, options: argparse.Namespace
) -> tuple[Plan, dict[str, Walk], dict[str, float]]:
    """Return the plan, the answers of each arm along it, and how long the training took."""
    shelf = folder / "all"
    shelf.mkdir()
    (shelf / "penchant.toml").write_text(f"[text]\nreviews = {number}\n", encoding="utf-8")
    with penchant.open(shelf) as engine:
        engine.add(items, users=world.users)
        engine.record(world.events, now=world.end)
    past = read_past(shelf)
    made = plan(past.positives, past.items["item_id"].to_list(), most=options.most)
    keep = past.before(made)
    rebuild(past, keep, folder / "trained")
    began = time.perf_counter()
    with penchant.open(folder / "trained", effort=options.effort) as engine:
        engine.train(seed=options.seed)
    trained = time.perf_counter()
    with Trial(folder / "trained", past.events.filter(~keep), sources=10) as system:
        walks = {"engine": walk(system, made)}
        trial = system
    walks |= trial.beside(made)
    return made, walks, {"train_s": round(trained - began, 1)}


if __name__ == "__main__":
    main()
