"""Prints what expansion finds of new interests, beside popularity and the engine without it.

    python benchmarks/interests.py ml_100k online_retail demo lastfm_hetrec
    python benchmarks/interests.py demo --seeds 0 1 2

Each shelf is trained (effort fast) on what lies before the cut and then walked: the protocol's
arm "next" for `ml_100k` and `online_retail`; the newest fifth of the simulated viewers' own clicks
for `demo`; for `lastfm_hetrec`, which has no clock, a random fifth of each person's artists stands
for what came later. At each request the person is expanded, then asked for, then told.

"new" are the targets that bear a broad concept (a category or a cluster of the engine's own
vocabulary) which the person had never touched; Recall@20 is of those, over the requests that have
any, where each arm fills 20 places: the most popular items of concepts never touched (decayed by
half in 30 days), the engine without expansion, the same with nothing but items of concepts never
touched, and the items of the at most 20 concepts that each expander proposes (ten: "of ten"), in
the order of that engine; "chance" are concepts drawn from those never touched. The mixture learns
from what people take as it goes. "with" and "without" are slates of ten as they are shown.

In `demo` a quarter of the viewers drift to tastes that they had faintly all along. "latent" is the
share of the genres that a viewer really likes which each expander had named before the viewer's
first film of that genre, among ten proposals, each naming a genre where half of its films are of
it; beside it what ten concepts drawn from those never touched would have named.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import comb
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

import penchant
from accuracy import clicks, trained
from bar import protocol
from penchant.evaluate.simulate import Simulation, simulate
from penchant.interests.expansion.expander import CannotExpand, Expander, Expansion, Proposal
from penchant.interests.expansion.ground import Ground
from penchant.interests.expansion.open import expanders
from penchant.interests.expansion.portrait import Portrait, portrait
from penchant.measure.intervals import paired
from penchant.rank.answer.asking import Question
from penchant.serve.demo.story import unled

PLACES, K = 20, 10
CONCEPTS, TOLD = 20, 10  # that are proposed, and of those the ones that a person is told of
DAY = 86_400
FIFTH = 0.2


@dataclass
class Task:
    """What a shelf learns from, and who is asked for when, with what they then wanted."""

    name: str
    items: pl.DataFrame
    train: pl.DataFrame
    moments: list[tuple[str, int, list[str]]]
    asked: set[int]
    world: Simulation | None = None


def opened(p: Any, name: str, seed: int) -> Task:
    """Return a data set as a task."""
    if name in ("ml_100k", "online_retail"):
        task = p.task(name)
        asked = {n for n, (*_, marks) in enumerate(task.moments) if marks[0] >= 0}
        moments = [(user, now, basket) for user, now, basket, _ in task.moments]
        return Task(name, task.items, task.train, moments, asked)
    if name == "demo":
        world = unled(simulate(seed, n_users=400, n_events=60_000, drift="latent"))
        events = world.events.filter(
            pl.col("item_id").is_not_null() & (pl.col("event") == "click")
        ).select("user_id", "item_id", timestamp=pl.col("timestamp").dt.epoch("s"))
        items = world.items
        cut = float(events["timestamp"].quantile(1 - FIFTH))
        before = pl.col("timestamp") < cut
    else:
        world = None
        events = pl.read_parquet(p.DATA / name / "events.parquet").select("user_id", "item_id")
        items = pl.read_parquet(p.DATA / name / "items.parquet").select("item_id", "title")
        rng = np.random.default_rng(seed)
        last = 1_300_000_000
        later = rng.random(events.height) < FIFTH
        # Within the month before in any order: nothing is known of when it was.
        when = np.where(later, last + DAY, last - rng.integers(0, 30 * DAY, events.height))
        events = events.with_columns(timestamp=pl.Series(when))
        before = pl.col("timestamp") < last
    events = events.sort("timestamp", maintain_order=True).unique(
        ["user_id", "item_id"], keep="first", maintain_order=True
    )
    grouped = events.filter(~before).group_by("timestamp", "user_id", maintain_order=True)
    moments = [(u, t, b) for t, u, b in grouped.agg(pl.col("item_id")).iter_rows()]
    return Task(name, items, events.filter(before), moments, set(range(len(moments))), world)


class Chance:
    """Proposes any of the concepts that a person never touched."""

    name = id = "chance"
    remote = False

    def __init__(self, ground: Ground) -> None:
        self._ground, self._rng = ground, np.random.default_rng(0)

    def expand(self, portrait: Portrait, most: int) -> Expansion:
        """Return concepts drawn at random."""
        may = self._ground.proposable()
        ahead = self._rng.permutation(np.flatnonzero(may & ~portrait.touched[: len(may)]))
        return Expansion(tuple(Proposal(int(one), 1.0) for one in ahead[:most]))


class Walk:
    """One shelf, walked: figures by arm, one value a request, with who was asked for."""

    def __init__(self, engine: penchant.Engine, world: Simulation | None = None) -> None:
        self.engine = engine
        self.world = world
        self.latent: dict[str, list[bool]] = defaultdict(list)
        self.by_chance: dict[str, list[float]] = defaultdict(list)
        served = engine._replica.follow()
        self.ground = served.ground()
        single = expanders(self.ground)
        # The mixture learns from what people take, as a service does: its weights are those of the
        # expansions that `engine.expand` has made so far.
        self.mixture = engine._profiles._open(served)._mixture
        self.arms: list[Expander] = [*single, Chance(self.ground), self.mixture]
        self.recall: dict[str, list[float]] = defaultdict(list)
        self.whose: list[str] = []
        self.slates: dict[str, list[list[int]]] = defaultdict(list)
        self.gain: dict[str, list[float]] = defaultdict(list)
        self.people: list[str] = []
        self.seconds: dict[str, list[float]] = defaultdict(list)
        self.tokens: dict[str, list[int]] = defaultdict(list)
        self.targets = self.new = 0

    def ask(self, user: str, now: float, basket: list[str]) -> None:
        """Expand a person and ask for them in every arm."""
        question = self.engine._asking.ask(user, K, now)
        wanted = self.ground.columns.numbers(basket)
        self.engine.expand(user, now=now)
        for name, widen in (("without", 0), ("with", 1)):
            policy = replace(question.query.policy, widen=widen)
            slate = self._top(question, K, policy=policy)
            self.slates[name].append(slate)
            self.gain[name].append(ndcg(slate, wanted))
        self.people.append(user)
        state = question.state
        if not len(state.liked):
            return
        concepts = self.ground.concepts
        mine = portrait(state, self.ground)
        ahead = concepts.broad() & ~mine.touched
        bears = self._bearing(np.flatnonzero(ahead).tolist())
        assert question.query.allowed is not None
        new = wanted[bears[wanted]]
        if self.world is not None:
            self._latent(user, basket, mine)
        self.targets += len(wanted)
        self.new += len(new)
        if not len(new):
            return
        self.whose.append(user)
        allowed = question.query.allowed
        recall = question.served.pipeline.recall
        popular = recall.popularity.moment(now, len(allowed)).counts(
            np.arange(len(allowed), dtype=np.int32)
        )[2]
        order = np.argsort(-np.where(allowed & bears, popular, -1.0), kind="stable")[:PLACES]
        self._found("popular in new concepts", order.tolist(), new)
        plain = replace(question.query.policy, widen=0)
        self._found("engine", self._top(question, PLACES, policy=plain), new)
        only = self._top(question, PLACES, policy=plain, allowed=allowed & bears)
        self._found("engine in new concepts", only, new)
        for arm in self.arms:
            try:
                made = arm.expand(mine, CONCEPTS)
            except CannotExpand:
                self._found(arm.name, [], new)
                self._found(f"{arm.name} of ten", [], new)
                continue
            for name, most in ((arm.name, CONCEPTS), (f"{arm.name} of ten", TOLD)):
                mask = allowed & self._bearing([one.concept for one in made.proposals[:most]])
                top = self._top(question, PLACES, policy=plain, allowed=mask)
                self._found(name, top, new)
            self.seconds[arm.name].append(made.seconds)
            self.tokens[arm.name].append(made.tokens)

    def weights(self) -> dict[str, float]:
        """Return what share of the proposals of each expander is believed to be taken."""
        earned = self.mixture.earned
        return {one.name: round(earned.rate(one.name), 4) for one in self.mixture.expanders}

    def _latent(self, user: str, basket: list[str], mine: Portrait) -> None:
        """Note of each genre that the viewer likes and now first turns to, who had named it."""
        assert self.world is not None
        truth, concepts = self.world.truth, self.ground.concepts
        tastes = truth.viewers.tastes[truth.user_number[user]].max(axis=0)
        for item in basket:
            held = truth.facets.holds[truth.item_number[item]]
            for facet in np.flatnonzero((held > 0) & (tastes > 0)).tolist():
                kind, genre = truth.facets.names[facet]
                number = concepts.number(genre) if kind == "genre" else None
                if number is None or mine.touched[number]:
                    continue
                films = set(concepts.bearing(number).tolist())
                ahead = np.flatnonzero(self.ground.proposable() & ~mine.touched)
                names = [
                    one
                    for one in ahead.tolist()
                    if 2 * len(films & set(concepts.bearing(one).tolist()))
                    >= len(concepts.bearing(one))
                ]
                for arm in self.arms:
                    made = {one.concept for one in arm.expand(mine, TOLD).proposals}
                    self.latent[arm.name].append(bool(made & set(names)))
                    missed = comb(len(ahead) - len(names), len(made)) / comb(len(ahead), len(made))
                    self.by_chance[arm.name].append(1.0 - missed)

    def _top(self, question: Question, k: int, **changed: Any) -> list[int]:
        query = replace(question.query, k=k, **changed)
        if query.allowed is not None and not query.allowed.any():
            return []
        pool, _ = question.served.pipeline.run(query, question.state)
        return pool.items[:k].tolist()

    def _bearing(self, concepts: list[int]) -> np.ndarray:
        mask = np.zeros(self.ground.columns.n, dtype=np.bool_)
        for concept in concepts:
            mask[self.ground.concepts.bearing(concept)] = True
        return mask

    def _found(self, arm: str, items: list[int], new: np.ndarray) -> None:
        self.recall[arm].append(len(set(items) & set(new.tolist())) / len(new))


def ndcg(slate: list[int], wanted: np.ndarray) -> float:
    """Return NDCG@10 as the protocol takes it."""
    goal = set(wanted.tolist())
    got = sum(1 / np.log2(r + 2) for r, item in enumerate(slate[:K]) if item in goal)
    return got / sum(1 / np.log2(r + 2) for r in range(min(K, max(1, len(goal)))))


def shown(walk: Walk) -> Mapping[str, Any]:
    """Return how many concepts each person was shown, and the share of the catalogue."""
    concepts = walk.ground.concepts
    broad = concepts.broad()
    out: dict[str, Any] = {}
    for name, slates in walk.slates.items():
        of: dict[str, set[int]] = defaultdict(set)
        for user, slate in zip(walk.people, slates, strict=True):
            for item in slate:
                of[user].update(one for one in concepts.of(item).tolist() if broad[one])
        out[name] = {
            "NDCG@10": round(float(np.mean(walk.gain[name])), 4),
            "concepts_per_person": round(float(np.mean([len(one) for one in of.values()])), 2),
            "coverage": round(len({i for s in slates for i in s}) / walk.ground.columns.n, 4),
        }
    return out


def interval(one: list[float], other: list[float], whose: list[str]) -> list[float]:
    numbers = {user: n for n, user in enumerate(dict.fromkeys(whose))}
    found = paired(np.array(one), np.array(other), np.array([numbers[user] for user in whose]))
    return [round(found.low, 4), round(found.high, 4)]


def measured(p: Any, name: str, seed: int, limit: int) -> dict[str, Any]:
    """Return the figures of one data set."""
    task = opened(p, name, seed)
    with tempfile.TemporaryDirectory() as workspace:
        shelf = Path(workspace) / "shelf"
        took = trained(task, task.items, "fast", shelf, seed)
        with penchant.open(shelf, effort="fast") as engine:
            walk = Walk(engine, task.world)
            began, asked = time.time(), 0
            for n, (user, now, basket) in enumerate(task.moments):
                if n in task.asked and (not limit or asked < limit):
                    walk.ask(user, float(now), basket)
                    asked += 1
                rows = pl.DataFrame(
                    {"user_id": [user] * len(basket), "item_id": basket, "timestamp": now}
                )
                engine.record(clicks(rows), now=float(now))
                if limit and asked >= limit:
                    break
            took["walk_s"] = round(time.time() - began, 1)
    recall = {arm: round(float(np.mean(values)), 4) for arm, values in walk.recall.items()}
    best = walk.recall["mixture"]
    return {
        "data": name,
        "seed": seed,
        **took,
        "requests": asked,
        "new_share": round(walk.new / max(1, walk.targets), 3),
        "requests_with_new": len(walk.whose),
        "recall@20": recall,
        "mixture_against": {
            arm: {
                "ratio": round(recall["mixture"] / max(recall[arm], 1e-9), 2),
                "difference": interval(best, walk.recall[arm], walk.whose),
            }
            for arm in ("popular in new concepts", "engine", "engine in new concepts")
        },
        "slates": {
            **shown(walk),
            "ndcg_difference": interval(walk.gain["with"], walk.gain["without"], walk.people),
        },
        "latent": {
            arm: {
                "tastes": len(found),
                "named": round(float(np.mean(found)), 3),
                "by_chance": round(float(np.mean(walk.by_chance[arm])), 3),
            }
            for arm, found in walk.latent.items()
        },
        "weights": walk.weights(),
        "milliseconds_per_person": {
            arm: round(1000 * float(np.median(values)), 2) for arm, values in walk.seconds.items()
        },
        "tokens_per_person": {
            arm: round(float(np.mean(values)), 1) for arm, values in walk.tokens.items()
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("names", nargs="+")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--limit", type=int, default=0, help="requests at most, 0 for all")
    options = parser.parse_args()
    p = protocol(*(name for name in options.names if name != "demo"))
    for name in options.names:
        for seed in options.seeds:
            print(json.dumps(measured(p, name, seed, options.limit)), flush=True)


if __name__ == "__main__":
    main()
