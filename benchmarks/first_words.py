"""Prints what the words of somebody new are worth: alone, and beside a few events.

    python benchmarks/first_words.py

Simulated viewers of the demo shelf. The first four fifths of the log are learned. Each search of
the last fifth that led to a click is then asked as by somebody nobody has stored: in words alone,
with what its viewer chose before it (the last one, two or three films) and no words, and with both.
Wanted is the film that was clicked. Beside them what was watched most, decayed by seven days, at
that moment. NDCG@10, intervals over viewers; "gain" is against what stands to the right of it.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections import defaultdict
from pathlib import Path

import numpy as np
import polars as pl

import penchant
from penchant.evaluate.simulate import simulate
from penchant.measure.intervals import bootstrap, paired
from searches import searches

K = 10


def gain(items: list[str], wanted: str) -> float:
    return 1.0 / np.log2(items.index(wanted) + 2) if wanted in items else 0.0


def popular(world_events: pl.DataFrame, now: float, half: float = 7 * 86_400.0) -> list[str]:
    """Return the items by decayed count of what was wanted before `now`, best first."""
    counts = world_events.filter(pl.col("seconds") < now).with_columns(
        weight=(-(now - pl.col("seconds")) / half * np.log(2)).exp()
    )
    best = counts.group_by("item_id").agg(pl.col("weight").sum()).sort("weight", "item_id")
    found: list[str] = best["item_id"].reverse().to_list()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--most", type=int, default=800)
    parser.add_argument("--effort", default="fast")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    world = simulate(options.seed, n_users=400, n_events=60_000)
    events = world.events.filter(pl.col("slate_id").is_null())
    cut = events["timestamp"][int(len(events) * 0.8)]
    clicked = events.filter(pl.col("event") == "click").with_columns(
        seconds=pl.col("timestamp").dt.epoch("us") / 1e6
    )
    asked = list(searches(events.filter(pl.col("timestamp") >= cut)))
    drawn = np.random.default_rng(options.seed).permutation(len(asked))[: options.most]
    gains: dict[str, list[float]] = defaultdict(list)
    users = []
    with (
        tempfile.TemporaryDirectory() as scratch,
        penchant.open(Path(scratch) / "shelf", effort=options.effort) as engine,
    ):
        engine.add(world.items, users=world.users)
        engine.record(events.filter(pl.col("timestamp") < cut), now=cut.timestamp())
        engine.train()
        now = cut.timestamp()
        by_person = dict(
            clicked.filter(pl.col("timestamp") < cut).group_by("user_id").agg("item_id").iter_rows()
        )
        crowd = popular(clicked, now)

        def ask(**given: object) -> list[str]:
            slate = engine.recommend(None, K, now=now, log=False, **given)  # type: ignore[arg-type]
            return [line.item_id for line in slate]

        for user, text, wanted in (asked[number] for number in drawn.tolist()):
            had = [item for item in by_person.get(user, []) if item != wanted]
            users.append(user)
            gains["popularity"].append(gain(crowd[:K], wanted))
            gains["nothing"].append(gain(ask(history=[]), wanted))
            gains["words"].append(gain(ask(history=[], text=text), wanted))
            for few in (1, 2, 3):
                past = had[-few:]
                left = [item for item in crowd if item not in past][:K]
                gains[f"popularity after {few}"].append(gain(left, wanted))
                gains[f"{few} events"].append(gain(ask(history=past), wanted))
                gains[f"{few} events and words"].append(gain(ask(history=past, text=text), wanted))
    number = np.unique(users, return_inverse=True)[1]
    for name, values in gains.items():
        print(json.dumps({"asked with": name, "NDCG@10": str(bootstrap(values, number))}))
    for new, old in (
        ("words", "popularity"),
        *((f"{few} events and words", f"{few} events") for few in (1, 2, 3)),
        *((f"{few} events and words", "words") for few in (1, 2, 3)),
    ):
        ratio = np.mean(gains[new]) / max(float(np.mean(gains[old])), 1e-9)
        difference = paired(gains[new], gains[old], number)
        line = {"of": new, "against": old, "ratio": round(float(ratio), 2)}
        bounds = [round(difference.low, 4), round(difference.high, 4)]
        print(json.dumps({**line, "difference": round(difference.mean, 4), "interval": bounds}))


if __name__ == "__main__":
    main()
