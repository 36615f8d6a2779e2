"""Prints what tuning texts on behaviour is worth, for the text source alone: JSON, a line an arm.

    python benchmarks/tuned_text.py online_retail amazon_beauty            # three seeds
    python benchmarks/tuned_text.py amazon_beauty --dimension 384 --hidden 1024 --dropout 0.5
    python benchmarks/tuned_text.py --across                               # beauty serves retail

The source is the engine's own (`recall.text.Text`: cosine to the fading mean of the last ten wanted
items), over the whole catalogue, what was had left out. "raw" compares what the encoder made,
"frozen" whitens it, "tuned" is the learned layer. `online_retail` is arm "next" of the protocol,
`amazon_beauty` leave-one-out. "unseen": a random tenth of the items lost all their events before
anything was learned; their wishes alone count, against the whole catalogue and among themselves.
Intervals are paired, over people.
"""

from __future__ import annotations

import argparse
import copy
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

import penchant
from accuracy import DAY, clicks, protocol
from penchant.interests.history import stateless
from penchant.interests.state import State
from penchant.language.whitening import Whitening
from penchant.learn.config import ProjectionConfig
from penchant.learn.release.publish import open_view
from penchant.learn.threads import limited
from penchant.learn.tuning.projection import ProjectionLearner
from penchant.learn.view import View
from penchant.measure.intervals import paired
from penchant.measure.ranking import Lists, hits, ndcg
from penchant.recall.text import Lift, Text
from penchant.store.open import open_store
from penchant.store.vectors import Vectors
from penchant.types import Floats, Mask, Query

K = 10
REFIT = 0.2  # as `LearnConfig`
LAST_DAY = 1_400_000_000
LEAST_WIDTH = 0.03  # of the widest direction, as `Whitening`


@dataclass(frozen=True)
class Asked:
    """One request: who, their wanted items and times up to then, and what they wanted next."""

    user: int
    state: State
    targets: np.ndarray


@dataclass(frozen=True)
class World:
    """What a data set teaches with and is judged by."""

    name: str
    view: View
    raw: Floats
    asked: Sequence[Asked]


def opened(p: Any, name: str, folder: Path) -> World:
    """Return a data set as the engine reads it; the shelf in `folder` is made once."""
    items = pl.read_parquet(p.DATA / name / "items.parquet")
    if name == "amazon_beauty":
        events = pl.read_parquet(p.DATA / name / "events.parquet")
        ago = pl.col("position").max().over("user_id") - pl.col("position")
        train = events.filter(pl.col("split") != "test").with_columns(
            timestamp=LAST_DAY - ago * DAY
        )
        train = train.select("user_id", "item_id", "timestamp").sort("timestamp")
        task = None
    else:
        task = p.task(name, "next")
        train, items = task.train, task.items
    if not (folder / "penchant.db").exists():
        with penchant.open(folder, effort="fast") as engine:
            engine.add(items)
            engine.record(clicks(train), now=float(train["timestamp"].max()))
    with open_store(folder) as store:
        view, raw, _ = open_view(store)
    assert raw is not None
    number = {item: place for place, item in enumerate(view.columns.ids)}
    if task is not None:
        return World(name, view, raw, list(_walked(task, number)))
    test = dict(events.filter(pl.col("split") == "test").select("user_id", "item_id").iter_rows())
    asked = []
    for (user,), rows in train.group_by("user_id", maintain_order=True):
        had = np.array([number[item] for item in rows["item_id"]], dtype=np.int32)
        times = rows["timestamp"].to_numpy().astype(np.float64)
        targets = np.array([number[test[user]]], dtype=np.int32)
        asked.append(Asked(len(asked), _state(had, times, LAST_DAY + DAY), targets))
    return World(name, view, raw, asked)


def _walked(task: Any, number: dict[str, int]) -> Iterator[Asked]:
    people: dict[str, int] = {}
    for one in task.requests:
        had = np.array([number[item] for item, _ in one.history], dtype=np.int32)
        times = np.array([time for _, time in one.history], dtype=np.float64)
        targets = np.array([number[item] for item in one.targets], dtype=np.int32)
        yield Asked(people.setdefault(one.user, len(people)), _state(had, times, one.now), targets)


def _state(items: np.ndarray, times: np.ndarray, now: float) -> State:
    empty = stateless(items, now)
    return State(now, items, times, empty.strengths, empty.seen)


def measured(
    rows: Floats,
    world: World,
    wanted: Mask | None = None,
    among: Mask | None = None,
    lift: Lift | None = None,
) -> tuple[Floats, np.ndarray]:
    """Return NDCG@10 of each request and who asked; `wanted` items count, `among` compete."""
    source = Text("text", Vectors(rows), lift=lift)
    n = len(rows)
    ranked, targets, users = [], [], []
    for one in world.asked:
        right = one.targets if wanted is None else one.targets[wanted[one.targets]]
        if not len(right):
            continue
        allowed = np.ones(n, dtype=np.bool_) if among is None else among.copy()
        allowed[one.state.seen] = False
        scores = source.score(Query(now=one.state.now, n_items=n), one.state)
        best = np.zeros(0, np.int32) if scores is None else scores.top(K, allowed)
        ranked.append(np.pad(best, (0, K - len(best)), constant_values=-1))
        targets.append(right)
        users.append(one.user)
    lists = Lists.of(targets)
    gains = ndcg(hits(np.array(ranked, dtype=np.int64), lists), lists.lengths, K)
    return gains, np.array(users)


def compared(new: Floats, old: Floats, users: np.ndarray) -> dict[str, Any]:
    difference = paired(new, old, users)
    return {
        "tuned": round(float(new.mean()), 4),
        "frozen": round(float(old.mean()), 4),
        "gain": f"{new.mean() / max(old.mean(), 1e-9) - 1:+.0%}",
        "difference": [round(difference.low, 4), round(difference.high, 4)],
        "requests": len(new),
    }


def learned(world: World, view: View, config: ProjectionConfig, seed: int) -> ProjectionLearner:
    """Return what a training makes: learned from what is not held out, then from the rest."""
    learner = ProjectionLearner("tuned", config, world.raw, seed=seed)
    learner.fit(view.wanted())
    learner.fit(view.wanted(), REFIT)
    return learner


def arms(world: World, config: ProjectionConfig, seed: int) -> None:
    def show(arm: str, **content: Any) -> None:
        line = {"data": world.name, "seed": seed, "arm": arm, **content}
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()

    frozen = {
        "raw": world.raw,
        **{f"whitened to {d}": Whitening.fit(world.raw, d)(world.raw) for d in (128, 384)},
    }
    began = time.monotonic()
    whole = learned(world, world.view, config, seed)
    show("training", seconds=round(time.monotonic() - began, 1), lift=whole.lift)
    counts = np.bincount(world.view.wanted().items, minlength=len(world.raw))
    order = np.sort(counts[counts > 0])[::-1]
    tail = (counts > 0) & (counts < order[max(0, len(order) // 5 - 1)])
    # Drawn before anything is learned, another tenth for each seed.
    rng = np.random.default_rng(seed)
    unseen = np.zeros(len(world.raw), dtype=np.bool_)
    unseen[rng.choice(len(unseen), len(unseen) // 10, replace=False)] = True
    known = world.view.where(~unseen[world.view.items])
    held = learned(world, known, config, seed)
    for name, rows in frozen.items():
        for arm, new, only in (
            ("all items", whole, (None, None)),
            ("the least popular four fifths", whole, (tail, None)),
            ("unseen, against all", held, (unseen, None)),
            ("unseen, among themselves", held, (unseen, unseen)),
        ):
            lift = Lift(new.lift, new.tried)
            gains, users = measured(new.vectors(), world, *only, lift)
            show(arm, against=name, **compared(gains, measured(rows, world, *only)[0], users))


def across(source: World, target: World, config: ProjectionConfig, seed: int) -> None:
    """Print how texts tuned on one shop serve another, untouched and after a few of its events.

    "as it is" whitens the target's texts as the source's, "turned" by their own spread, turned into
    the directions that the layer knows. "plain" is a layer that has learned nothing before.
    """
    frozen = {
        "raw": target.raw,
        **{f"whitened to {d}": Whitening.fit(target.raw, d)(target.raw) for d in (128, 384)},
    }
    asked = {name: measured(rows, target) for name, rows in frozen.items()}
    learner = learned(source, source.view, config, seed)
    known, own = copy.deepcopy(learner.layer.state_dict()), learner.parts
    newest = np.argsort(target.view.times, kind="stable")[::-1]
    for start in ("as it is", "turned", "plain"):
        for events in (0, 100, 1_000, 10_000):
            begun = ProjectionLearner("tuned", config, target.raw, seed=seed)
            if start != "plain":
                begun.layer.load_state_dict(known)
                begun.parts = own if start == "as it is" else (turned(source.raw, target.raw),)
                begun.read(target.raw)
            elif not events:
                continue
            if events:
                few = np.zeros(len(target.view), dtype=np.bool_)
                few[newest[:events]] = True
                begun.fit(target.view.where(few).wanted())
            gains, users = measured(begun.vectors(), target)
            line = {"from": source.name, "data": target.name, "seed": seed}
            for name, (base, _) in asked.items():
                content = {"start": start, "events": events, "against": name}
                print(json.dumps({**line, **content, **compared(gains, base, users)}), flush=True)


def turned(source: Floats, target: Floats) -> Whitening:
    """Return a whitening by the spread of `target`, its directions named as those of `source`.

    Whitened in its own directions (ZCA, which moves a vector least), then turned into the
    directions of most spread of `source`, that a layer above them was learned in.
    """

    def spread(raw: Floats) -> tuple[Floats, Floats, Floats]:
        known = raw[np.isfinite(raw[:, 0])].astype(np.float64)
        values, directions = np.linalg.eigh(np.cov(known.T))
        order = np.argsort(-values)
        return known.mean(axis=0), directions[:, order], np.sqrt(np.maximum(values[order], 0.0))

    mean, directions, widths = spread(target)
    widths = np.maximum(widths, LEAST_WIDTH * widths[0])
    matrix = (directions / widths) @ directions.T @ spread(source)[1]
    return Whitening(mean.astype(np.float32), matrix.astype(np.float32))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", nargs="*")
    parser.add_argument("--across", action="store_true")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument(
        "--folder", type=Path, default=None, help="keeps the shelves, to go on with"
    )
    parser.add_argument("--threads", type=int, default=0)
    for name in ("dimension", "hidden", "epochs"):
        parser.add_argument(f"--{name}", type=int, default=None)
    for name in ("dropout", "rarity", "most_seconds"):
        parser.add_argument(f"--{name}", type=float, default=None)
    options = parser.parse_args()
    p = protocol()
    given = ("dimension", "hidden", "epochs", "dropout", "rarity", "most_seconds")
    changes = {n: getattr(options, n) for n in given if getattr(options, n) is not None}
    config = replace(ProjectionConfig(), **changes)
    print(json.dumps({"configuration": repr(config)}))
    with tempfile.TemporaryDirectory() as scratch, limited(options.threads, networks=True):
        root = options.folder or Path(scratch)
        for name in options.data:
            world = opened(p, name, root / name)
            for seed in options.seeds:
                arms(world, config, seed)
        if options.across:
            worlds = [opened(p, name, root / name) for name in ("amazon_beauty", "online_retail")]
            for seed in options.seeds:
                across(*worlds, config, seed)


if __name__ == "__main__":
    main()
