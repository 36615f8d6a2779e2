"""Prints what reviews in the texts of items are worth: one line of JSON per catalogue and number.

    python benchmarks/reviews.py                       # 0 and 3 reviews, effort fast
    python benchmarks/reviews.py --effort balanced --reviews 0 1 3 10 --seeds 0

The shelf of the demo with simulated viewers, who write of what they loved or hated in a film. Each
engine is trained on what lies before the cut (the newest tenth of the wishes) and asked along it,
told of everything up to each request, reviews too. Two catalogues: the films with categories, tags
and descriptions, and their titles alone. Figures are those of the engine and of its source `text`,
which answers by closeness of texts only, in several worlds taken together; intervals are over
viewers, differences to no reviews.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

import penchant
from penchant.evaluate.past import read_past, rebuild
from penchant.evaluate.plan import Plan, plan
from penchant.evaluate.replay import Walk, walk
from penchant.evaluate.score import score
from penchant.evaluate.simulate import Simulation, simulate
from penchant.evaluate.trial import Trial
from penchant.measure.intervals import bootstrap, paired
from penchant.serve.demo import story

ARMS = ("engine", "text alone")


def main() -> None:
    """Print the lines."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reviews", type=int, nargs="*", default=[0, 3])
    parser.add_argument("--catalogues", nargs="*", default=["whole", "titles"])
    parser.add_argument("--effort", default="fast")
    parser.add_argument("--viewers", type=int, default=800)
    parser.add_argument("--events", type=int, default=60_000)
    parser.add_argument("--most", type=int, default=4000)
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2, 3])
    options = parser.parse_args()
    worlds = [
        story.unled(simulate(seed, options.viewers, options.events)) for seed in options.seeds
    ]
    for catalogue in options.catalogues:
        measure(worlds, catalogue, options)


def measure(worlds: Sequence[Simulation], catalogue: str, options: argparse.Namespace) -> None:
    """Train and ask engines for each number of reviews, one a world, and print a line of each."""
    before: dict[str, npt.NDArray[np.float64]] = {}
    for number in options.reviews:
        gains: dict[str, list[npt.NDArray[np.float64]]] = {arm: [] for arm in ARMS}
        people: list[npt.NDArray[np.int64]] = []
        for place, world in enumerate(worlds):
            items = world.items if catalogue == "whole" else world.items.select("item_id", "title")
            with tempfile.TemporaryDirectory() as folder:
                made, walks = asked(world, items, number, Path(folder), options)
            people.append(made.askers + place * 10 * options.viewers)
            for arm in ARMS:
                gains[arm].append(score(made, walks[arm]).gains)
        who = np.concatenate(people)
        for arm in ARMS:
            pooled = np.concatenate(gains[arm])
            mean = bootstrap(pooled, who)
            line: dict[str, object] = {
                "catalogue": catalogue,
                "reviews": number,
                "of": arm,
                "effort": options.effort,
                "worlds": len(worlds),
                "requests": mean.n,
                "NDCG@10": round(mean.mean, 4),
                "interval": [round(mean.low, 4), round(mean.high, 4)],
                "of each": [round(float(one.mean()), 4) for one in gains[arm]],
            }
            if arm in before:
                gain = paired(pooled, before[arm], who)
                line["more than none by"] = round(gain.mean, 4)
                line["between"] = [round(gain.low, 4), round(gain.high, 4)]
            elif not number:
                before[arm] = pooled
            print(json.dumps(line), flush=True)


def asked(
    world: Simulation, items: pl.DataFrame, number: int, folder: Path, options: argparse.Namespace
) -> tuple[Plan, dict[str, Walk]]:
    """Return the plan, and the answers of each arm along it."""
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
    with penchant.open(folder / "trained", effort=options.effort) as engine:
        engine.train()
    with Trial(folder / "trained", past.events.filter(~keep), sources=10) as system:
        walks = {"engine": walk(system, made)}
        trial = system
    return made, walks | trial.beside(made)


if __name__ == "__main__":
    main()
