"""Prints how good recommendations are after asking new people about some items.

    python benchmarks/asking.py ml_100k demo
    python benchmarks/asking.py demo --seeds 0 1 2

A fifth of the people is new: the shelf is trained (effort fast) on the others alone. Asked about an
item that they know and like they say yes, which is recorded as a click, asked about any other
nothing, which is not recorded at all. They know half of what they like, drawn at random, and would
like to be recommended the other half: NDCG@10 and Recall@10 of that after so many questions. In
`ml_100k` people like what they have; in `demo` their tastes are known, and they like the best tenth
of all films, seen or not.

Arms: items drawn at random, the most popular ones, the same of one category after the other, and
`engine.ask`, one question at a time, with `exclude` for what was asked without a yes. Intervals
(95%) are over people, of ours against each of the others. `single` looks for the best single
question there is: each of the 40 most popular items is asked of everybody.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

import penchant
from accuracy import clicks
from bar import protocol
from interests import interval, ndcg
from penchant import Event
from penchant.evaluate.simulate import simulate
from penchant.evaluate.simulate.truth import Truth
from penchant.serve.demo.story import unled

AFTER = (0, 1, 3, 5, 10)
NEW, KNOWN = 0.2, 0.5
K = 10
SINGLES = 40
LIKED = 0.1  # of all films, those that a viewer of known tastes likes


def log_of(p: Any, name: str, seed: int) -> tuple[pl.DataFrame, pl.DataFrame, Truth | None]:
    """Return items, who wanted what when, and the tastes behind it where they are known."""
    if name == "demo":
        world = unled(simulate(seed, n_users=400, n_events=60_000))
        events = world.events.filter(
            pl.col("item_id").is_not_null() & (pl.col("event") == "click")
        ).select("user_id", "item_id", timestamp=pl.col("timestamp").dt.epoch("s"))
        return world.items, events, world.truth
    folder = p.DATA / name
    events = pl.read_parquet(folder / "events.parquet").select("user_id", "item_id", "timestamp")
    return pl.read_parquet(folder / "items.parquet"), events, None


class People:
    """New people: what each knows, and what each would like to be recommended."""

    def __init__(self, events: pl.DataFrame, seed: int, truth: Truth | None) -> None:
        rng = np.random.default_rng(seed)
        users = events["user_id"].unique().sort().to_list()
        chosen = rng.permutation(len(users))[: int(NEW * len(users))]
        self.new = {users[int(one)] for one in chosen}
        self.knows: dict[str, set[str]] = {}
        self.wants: dict[str, set[str]] = {}
        grouped = events.filter(pl.col("user_id").is_in(list(self.new))).group_by(
            "user_id", maintain_order=True
        )
        for user, items in grouped.agg(pl.col("item_id").unique(maintain_order=True)).iter_rows():
            if truth is not None:
                worth = truth.utilities(truth.user_number[user], truth.end)
                best = np.argsort(-worth)[: int(LIKED * len(worth))]
                items = [truth.item_ids[one] for one in best.tolist()]
            order = rng.permutation(len(items)).tolist()
            half = int(KNOWN * len(items))
            self.knows[user] = {items[one] for one in order[:half]}
            self.wants[user] = {items[one] for one in order[half:]}


def spread(ranked: Sequence[str], category: dict[str, str]) -> list[str]:
    """Return items of one category after the other, the categories by their best item."""
    lines: dict[str, list[str]] = defaultdict(list)
    for item in ranked:
        lines[category[item]].append(item)
    out: list[str] = []
    for place in range(max(map(len, lines.values()))):
        out += [line[place] for line in lines.values() if place < len(line)]
    return out


class Interviews:
    """One shelf on which new people are asked, each arm by itself."""

    def __init__(self, engine: penchant.Engine, people: People, now: float) -> None:
        self.engine, self.people, self.now = engine, people, now
        self.found: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
        self.recall: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
        self.yes: dict[str, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
        self.numbers = engine._replica.follow().columns.numbers
        self.seconds: list[float] = []

    def interview(self, arm: str, user: str, listed: Iterator[str] | None) -> None:
        """Ask a person; `listed` are the items to ask about, None for those of the engine."""
        engine, name = self.engine, f"{arm}-{user}"
        knows = self.people.knows[user]
        without: list[str] = []
        told: set[str] = set()
        for n in range(max(AFTER) + 1):
            if n in AFTER:
                shown = engine.recommend(name, K, now=self.now + n, log=False)
                slate = self.numbers([line.item_id for line in shown]).tolist()
                wants = self.numbers(list(self.people.wants[user]))
                self.found[arm][n].append(ndcg(slate, wants))
                hits = len(set(slate) & set(wants.tolist()))
                self.recall[arm][n].append(hits / min(K, max(1, len(wants))))
                self.yes[arm][n].append(len(told))
            if n == max(AFTER):
                break
            if listed is None:
                began = time.perf_counter()
                asked = engine.ask(name, 1, exclude=without, now=self.now + n)
                self.seconds.append(time.perf_counter() - began)
                if not asked:
                    continue
                item = asked[0].item_id
            else:
                item = next(listed)
            if item in knows:
                told.add(item)
                at = self.now + n
                engine.record(Event(name, item, event="click", timestamp=at), now=at)
            else:
                without.append(item)
        engine.forget(name)

    def singles(self, ranked: Sequence[str]) -> list[tuple[float, str]]:
        """Return NDCG@10 after asking everybody about one item, best first."""
        people = sorted(self.people.new)
        wants = self.people.wants

        def slate(history: list[str]) -> list[int]:
            shown = self.engine.recommend(None, K, history=history, now=self.now, log=False)
            return self.numbers([line.item_id for line in shown]).tolist()

        nothing = slate([])
        out = []
        for item in ranked[:SINGLES]:
            after = slate([item])
            gains = []
            for user in people:
                slate_of = after if item in self.people.knows[user] else nothing
                gains.append(ndcg(slate_of, self.numbers(list(wants[user]))))
            out.append((float(np.mean(gains)), item))
        return sorted(out, reverse=True)


def measured(p: Any, name: str, seed: int) -> dict[str, Any]:
    """Return the figures of one data set."""
    items, events, truth = log_of(p, name, seed)
    people = People(events, seed, truth)
    past = events.filter(~pl.col("user_id").is_in(list(people.new)))
    now = float(events["timestamp"].max()) + 60.0
    with (
        tempfile.TemporaryDirectory() as workspace,
        penchant.open(Path(workspace) / "shelf", effort="fast") as engine,
    ):
        engine.add(items)
        engine.record(clicks(past), now=now)
        engine.train(seed=seed)
        popular = past.group_by("item_id").len().sort("len", "item_id", descending=[True, False])
        ranked = popular["item_id"].to_list()
        category = dict(items.select("item_id", pl.col("category").fill_null("")).iter_rows())
        by_turns = spread(ranked, category)
        walk = Interviews(engine, people, now)
        rng = np.random.default_rng(seed)
        for user in sorted(people.new):
            drawn = [ranked[int(one)] for one in rng.permutation(len(ranked))]
            walk.interview("random", user, iter(drawn))
            walk.interview("popular", user, iter(ranked))
            walk.interview("popular by category", user, iter(by_turns))
            walk.interview("ask", user, None)
        singles = walk.singles(ranked)
        first = engine.ask("somebody new", 1, now=now)[0]
    whose = sorted(people.new)
    ours = walk.found["ask"]
    return {
        "data": name,
        "seed": seed,
        "people": len(whose),
        **{
            metric: {
                arm: {n: round(float(np.mean(values)), 4) for n, values in by.items()}
                for arm, by in found.items()
            }
            for metric, found in (("NDCG@10", walk.found), ("Recall@10", walk.recall))
        },
        "yes": {
            arm: {n: round(float(np.mean(values)), 2) for n, values in by.items()}
            for arm, by in walk.yes.items()
        },
        "ask_against": {
            arm: {n: interval(ours[n], walk.found[arm][n], whose) for n in AFTER[1:]}
            for arm in walk.found
            if arm != "ask"
        },
        "single": {
            "asked first": first.title,
            "of 40": 1 + [item for _, item in singles].index(first.item_id)
            if first.item_id in {item for _, item in singles}
            else None,
            "best": round(singles[0][0], 4),
            "median": round(singles[len(singles) // 2][0], 4),
        },
        "milliseconds": round(1000 * float(np.median(walk.seconds)), 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("names", nargs="+")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    options = parser.parse_args()
    p = protocol(*(name for name in options.names if name != "demo"))
    for name in options.names:
        for seed in options.seeds:
            print(json.dumps(measured(p, name, seed)), flush=True)


if __name__ == "__main__":
    main()
