"""Prints what learning between two trainings is worth: one line of JSON per data set and arm.

    python benchmarks/online.py mind_sample online_retail

Prequential: a shelf is trained at effort fast on the past; then the log is walked, and each request
is answered by the engine, its slate logged, and what the person did then recorded with the slate it
answers. Each arm is the engine as it ships but for one part, against the engine as it ships, on the
same requests (paired, whole people drawn again).

online_retail: trained before the 0.9 quantile of the protocol, then `recommend(k=10)` at each
moment of a person (arm "next"), told what they bought. `new_items` is NDCG@10 of the items that the
training never saw, where some were bought. `explored` are how many of the explored lines were
bought, and shown: a log cannot say what would have come of showing something else, so an arm that
explores pays here and is not paid.

mind_sample: trained on the click histories and the first three days, then `rank` of each
impression's list, told the click. NDCG@10 and AUC of each impression, averaged. Lists are as long
as they were, and were shown in an order that says nothing.

Arms with "context told" say with each request what the log tells of its circumstances: the part of
the day and whether it is a weekend, of online_retail the country too.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

import penchant
import penchant.rank.pipeline as pipeline
from bar import protocol
from penchant.measure.intervals import bootstrap, paired
from penchant.rank.feedback.feedback import Feedback
from penchant.rank.feedback.following import RATE
from penchant.rank.rerankers.exploration import PROPENSITY, Exploration
from penchant.store.vectors import Vectors
from penchant.types import Policy

DAY = 86_400.0
TRAINED_DAYS = 3  # of mind_sample, of six
pipeline.DEADLINE = 60.0  # a busy machine must not make an arm answer without a source


@dataclass(frozen=True)
class Arm:
    """The engine as it ships, but for this. `seeds` where there is chance."""

    name: str
    policy: Policy = field(default_factory=Policy)
    settings: dict[str, float] = field(default_factory=dict)
    told: bool = True  # co-visitation hears of what is recorded
    texts: bool = True  # texts tell what is expected of an item nobody has seen
    seeds: tuple[int, ...] = (0,)
    context: bool = False  # requests say in what circumstances they are made


SHIPPED = Policy()
ALWAYS = replace(SHIPPED, answers="always")
ONE = replace(SHIPPED, explore=1)
ARMS = (
    Arm("as it ships"),
    Arm("co-visitation not told", told=False),
    Arm("answers never followed", replace(SHIPPED, answers="never")),
    Arm("answers always followed", ALWAYS),
    Arm("context told", context=True),
    Arm("answers always followed, context told", ALWAYS, context=True),
    Arm("answers followed, taste too", ALWAYS, {"taste": 1.0}),
    Arm("one place explored", ONE, seeds=(0, 1, 2)),
    Arm("one place explored, not by text", ONE, texts=False, seeds=(0, 1, 2)),
)
ONLY = {  # arms that say nothing: a list has no place for others, the catalogue is no list
    "mind_sample": ("always", "explored"),
    "online_retail": ("never",),
}


@dataclass
class Walked:
    """What an arm was worth, request by request."""

    ndcg: list[float] = field(default_factory=list)
    users: list[str] = field(default_factory=list)
    auc: list[float] = field(default_factory=list)
    new: list[float] = field(default_factory=list)
    rate_alone: list[float] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)


def main() -> None:
    """Train once for each data set, walk each arm, print the lines."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", nargs="*", default=["mind_sample", "online_retail"])
    parser.add_argument("--limit", type=int, default=600, help="requests of each arm")
    parser.add_argument("--arms", default="", help="only arms with one of these words, a|b")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--keep", type=Path, help="where trained shelves are kept, or found")
    options = parser.parse_args()
    bar = protocol(*options.data)
    for name in options.data:
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary) if options.keep is None else options.keep / name
            build, walk = {
                "mind_sample": (build_mind, walk_mind),
                "online_retail": (build_retail, walk_retail),
            }[name]
            if not (folder / "trained").exists():
                folder.mkdir(parents=True, exist_ok=True)
                build(bar, folder / "trained")
            measure(name, folder, lambda e, c, walk=walk: walk(bar, e, c, options.limit), options)


def measure(
    name: str,
    folder: Path,
    walk: Callable[[penchant.Engine, bool], Walked],
    options: argparse.Namespace,
) -> None:
    """Walk every arm on a copy of the trained shelf, and print it against the first."""
    wanted = [word for word in options.arms.split("|") if word]
    shipped: Walked | None = None
    for arm in ARMS:
        if any(word in arm.name for word in ONLY.get(name, ())):
            continue
        if wanted and shipped is not None and not any(word in arm.name for word in wanted):
            continue
        for seed in arm.seeds[: options.seeds]:
            began = time.perf_counter()
            with copied(folder, arm, seed) as (engine, feedback):
                found = walk(engine, arm.context)
                if feedback is not None:
                    found.facts |= facts(feedback)
            lines = {"data": name, "arm": arm.name, "seed": seed, **summed(found, shipped)}
            lines["seconds"] = round(time.perf_counter() - began)
            print(json.dumps(lines), flush=True)
            shipped = shipped or found


@contextmanager
def copied(folder: Path, arm: Arm, seed: int) -> Iterator[tuple[penchant.Engine, Feedback | None]]:
    """Open a copy of the trained shelf, with its feedback, as an arm has it."""
    copy = folder / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(folder / "trained", copy)
    policy = "".join(f"{key} = {json.dumps(value)}\n" for key, value in vars(arm.policy).items())
    settings = "".join(f"{key} = {value}\n" for key, value in arm.settings.items())
    (copy / "penchant.toml").write_text(f"[recommend]\n{policy}\n[feedback]\n{settings}")
    with penchant.open(copy) as engine:
        served = engine._replica.follow()
        if served.feedback is not None:
            texts = served.vectors if arm.texts else Vectors()
            popularity = served.pipeline.recall.popularity
            explore = Exploration(served.feedback, popularity, texts, seed)
            served.pipeline.rerankers = tuple(
                explore if one.name == explore.name else one for one in served.pipeline.rerankers
            )
        if not arm.told:
            for source in served.pipeline.recall.sources:
                if source.name in ("after", "together"):
                    source.fold = lambda tail, *, anew=False: None  # type: ignore[method-assign]
        yield engine, served.feedback
    shutil.rmtree(copy)


def tell(engine: penchant.Engine, slate: penchant.Slate, items: list[str], kind: str) -> None:
    """Record what a person did with a slate, once it is there to be answered."""
    rows = [
        {
            "user_id": slate.user_id,
            "item_id": item,
            "event": kind,
            "timestamp": slate.now,
            "slate_id": slate.id,
        }
        for item in items
    ]
    engine._store.impressions.flush()
    if rows:
        engine.record(rows, now=slate.now)


def build_retail(bar: Any, folder: Path) -> None:
    """Train on what the protocol trains on."""
    task = bar.task("online_retail", most=2**31)
    with penchant.open(folder, effort="fast") as engine:
        engine.add(task.items)
        bought = task.train.with_columns(event=pl.lit("purchase"))
        engine.record(bought, now=float(task.train["timestamp"].max()))
        engine.train()


def walk_retail(bar: Any, engine: penchant.Engine, context: bool, limit: int) -> Walked:
    """Ask at each moment, then tell what was bought."""
    task = bar.task("online_retail", most=2**31)
    events = pl.read_parquet(bar.DATA / "online_retail" / "events.parquet")
    countries = dict(events.select("user_id", "country").unique("user_id").iter_rows())
    out = Walked()
    shown: set[str] = set()
    explored: list[bool] = []
    for user, at, basket, _ in task.moments[:limit]:
        said = circumstances(at) | {"country": countries[user]} if context else None
        slate = engine.recommend(user, 10, now=float(at), context=said)
        ranked = [one.item_id for one in slate]
        bought = set(basket)
        new = {item for item in bought if item not in task.popular}
        out.users.append(user)
        out.ndcg.append(gain([item in bought for item in ranked], len(bought)))
        out.new.append(gain([item in new for item in ranked], len(new)) if new else np.nan)
        shown |= set(ranked)
        pool = slate.trace.pool
        if pool is not None and PROPENSITY in pool.names:
            chance = pool.features[: len(ranked), pool.names.index(PROPENSITY)]
            explored += [ranked[place] in bought for place in np.flatnonzero(chance < 1)]
        tell(engine, slate, basket, "purchase")
    out.facts["new_items_shown"] = len({i for i in shown if i not in task.popular})
    out.facts["items_shown"] = len(shown)
    if explored:
        out.facts["explored"] = [sum(explored), len(explored)]  # bought, shown
    return out


def read_mind(bar: Any) -> tuple[pl.DataFrame, float]:
    """Return the impressions, and the time from which on they are asked for."""
    events = pl.read_parquet(bar.DATA / "mind_sample" / "events.parquet")
    events = events.sort("timestamp", "impression_id", "slot")
    start = events["timestamp"].min()
    assert isinstance(start, int)
    return events, start + TRAINED_DAYS * DAY


def build_mind(bar: Any, folder: Path) -> None:
    """Train on the click histories, spread over the four weeks before, and the first days."""
    events, cut = read_mind(bar)
    start = cut - TRAINED_DAYS * DAY
    past = (
        pl.read_parquet(bar.DATA / "mind_sample" / "histories.parquet")
        .filter(pl.col("history").list.len() > 0)
        .with_columns(place=pl.int_ranges(1, pl.col("history").list.len() + 1))
        .with_columns(n=pl.col("history").list.len() + 1)
        .explode("history", "place")
        .select(
            "user_id",
            pl.col("history").alias("item_id"),
            timestamp=start - 28 * DAY * (1 - pl.col("place") / pl.col("n")),
        )
        .unique(["user_id", "item_id"], keep="first", maintain_order=True)
    )
    clicked = events.filter((pl.col("value") > 0) & (pl.col("timestamp") < cut))
    clicks = clicked.select("user_id", "item_id", pl.col("timestamp").cast(pl.Float64))
    items = pl.read_parquet(bar.DATA / "mind_sample" / "items.parquet")
    items = items.select("item_id", "title", "description", "category")
    untold = events.select("item_id").unique(maintain_order=True).join(items, "item_id", "anti")
    with penchant.open(folder, effort="fast") as engine:
        engine.add(pl.concat([items, untold], how="diagonal"))
        engine.record(pl.concat([past, clicks]).with_columns(event=pl.lit("click")), now=cut)
        engine.train()


def walk_mind(bar: Any, engine: penchant.Engine, context: bool, limit: int) -> Walked:
    """Rank each list, then tell what was clicked."""
    events, cut = read_mind(bar)
    lists = (
        events.filter(pl.col("timestamp") >= cut)
        .group_by("impression_id", maintain_order=True)
        .agg(pl.col("user_id", "timestamp").first(), "item_id", "value")
    )
    out = Walked()
    for _, user, at, items, values in lists.head(limit).iter_rows():
        said = circumstances(at) if context else None
        slate = engine.rank(user, items, now=float(at), context=said)
        clicked = {item for item, value in zip(items, values, strict=True) if value > 0}
        ranked = [one.item_id for one in slate]
        hits = [item in clicked for item in ranked]
        out.users.append(user)
        out.ndcg.append(gain(hits, len(clicked)))
        out.auc.append(above(hits))
        pool = slate.trace.pool
        if pool is not None and RATE in pool.names:
            best = np.argsort(-pool.features[:, pool.names.index(RATE)], kind="stable")
            out.rate_alone.append(gain([hits[place] for place in best], len(clicked)))
        tell(engine, slate, [item for item in ranked if item in clicked], "click")
    return out


def circumstances(at: float) -> dict[str, str]:
    """Return what the time of a request says of its circumstances."""
    moment = datetime.fromtimestamp(at, UTC)
    part = ("night", "morning", "afternoon", "evening")[moment.hour // 6]
    return {"time": part, "day": "weekend" if moment.weekday() >= 5 else "workday"}


def gain(hits: list[bool], wanted: int, k: int = 10) -> float:
    """Return NDCG@k of a list, ideal over what was wanted."""
    discount = 1 / np.log2(np.arange(k) + 2)
    found = np.array(hits[:k], dtype=float)
    return float((found * discount[: len(found)]).sum() / discount[: min(k, wanted)].sum())


def above(hits: list[bool]) -> float:
    """Return AUC of a list: how often a clicked line stands above one that was not."""
    places = np.arange(len(hits))
    yes, no = places[np.array(hits)], places[~np.array(hits)]
    return float((yes[:, None] < no).mean()) if len(yes) and len(no) else float("nan")


def summed(found: Walked, shipped: Walked | None) -> dict[str, Any]:
    """Return the figures of an arm, and how far they are above those of another."""
    out: dict[str, Any] = {"requests": len(found.ndcg)}
    for name, values in (
        ("NDCG@10", found.ndcg),
        ("AUC", found.auc),
        ("new_items", found.new),
        ("rate_alone", found.rate_alone),
    ):
        if not values or np.isnan(values).all():
            continue
        figure = bootstrap(values, found.users)
        out[name] = round(figure.mean, 4)
        out[f"{name}_interval"] = [round(figure.low, 4), round(figure.high, 4)]
        other = [] if shipped is None else getattr(shipped, _FIELDS.get(name, ""), [])
        if other:
            ahead = paired(values, other, found.users)
            out[f"{name}_ahead"] = round(ahead.mean, 4)
            out[f"{name}_ahead_interval"] = [round(ahead.low, 4), round(ahead.high, 4)]
    return out | found.facts


_FIELDS = {"NDCG@10": "ndcg", "AUC": "auc", "new_items": "new"}


def facts(feedback: Feedback) -> dict[str, Any]:
    """Return what was joined, and where the weights have gone."""
    weights = feedback.following.at(float("inf"))
    return {
        "joined": feedback.attribution.tally.joined,
        "weights": [round(weights.said, 2), round(weights.rate, 2), round(weights.context, 2)],
    }


if __name__ == "__main__":
    main()
