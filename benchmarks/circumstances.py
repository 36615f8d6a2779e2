"""Prints what context is worth: the same shelf with circumstances learned and told, and without.

    python benchmarks/circumstances.py frappe --seeds 3 --limit 6000 --fields --plot fields.png
    python benchmarks/circumstances.py sts_travel online_retail

`frappe`: uses of apps, told with daytime, weekday, weekend, home or work, weather, country and
city; rows at random, 80% to train on and 20% to ask for (the app that was used, of all apps, also
those the person had). It has no times: rows are a minute apart in random order, and the clock's own
fields are noise there, which a training has to find out. `cost` says whether the app that was used
is paid for, so it is no circumstance, and left out for everybody. NDCG@10, and AUC over all asked
rows with two random apps for each. Peers on the same rows: benchmarks/peers/circumstances.py.

`sts_travel`: places with fourteen fields, 80% and 20% of the ratings at random; asked for are those
of 4 and 5, of places that the person had not rated. `online_retail`: the accuracy protocol, arm
"next", with the country told, the price paid (which a training must find to be of the item) and
the clock.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

import penchant
from bar import protocol
from penchant.measure.intervals import paired
from rows import TOLD, auc, split


def shelf(
    folder: Path, items: pl.DataFrame, train: pl.DataFrame, settings: str, effort: str, seed: int
) -> dict[str, Any]:
    """Make and train a shelf; return what the training says of circumstances."""
    folder.mkdir(parents=True)
    (folder / "penchant.toml").write_text(settings)
    with penchant.open(folder, effort=effort) as engine:
        engine.add(items)
        engine.record(train, now=float(train["timestamp"].max()))  # type: ignore[arg-type]
        report = engine.train(seed=seed)
    print(report, file=sys.stderr)
    return dict(report.data["context"] or {})


def frappe(bar: Any, options: argparse.Namespace) -> None:
    """Measure each seed on and off, and what each field earned of the first."""
    events = pl.read_parquet(bar.DATA / "frappe" / "events.parquet")
    items = pl.read_parquet(bar.DATA / "frappe" / "items.parquet").select(
        "item_id", "title", "category"
    )
    pooled: dict[str, list[np.ndarray]] = {}
    people: list[str] = []
    for seed in range(options.seeds):
        train, asked = split(events, seed)
        asked = asked.head(options.limit)
        people += asked["user_id"].to_list()
        for arm in options.arms.split(","):
            told = () if arm == "off" else TOLD
            columns = ["user_id", "item_id", "timestamp", "event", *told]
            settings = f'[recommend]\nseen = "keep"\n[context]\nlearn = {str(bool(told)).lower()}\n'
            with tempfile.TemporaryDirectory() as temporary:
                began, folder = time.time(), Path(temporary) / "shelf"
                rows = train.select(columns)
                found = shelf(folder, items, rows, settings, options.effort, seed)
                trained = time.time()
                with penchant.open(folder) as engine:
                    ndcg, areas = answer(engine, asked, told, seed)
                    line = {"data": "frappe", "arm": arm, "seed": seed, "effort": options.effort}
                    line |= {"NDCG@10": round(float(ndcg.mean()), 4), **areas}
                    line |= {"asked": len(ndcg), "train_s": round(trained - began)}
                    line |= {"answer_s": round(time.time() - trained), **found}
                    print(json.dumps(line), flush=True)
                    if told and options.fields and seed == 0:
                        few = asked.head(3000)
                        earned(engine, few, ndcg[: len(few)], options.plot)
            pooled.setdefault(arm, []).append(ndcg)
    _compare({arm: np.concatenate(gains) for arm, gains in pooled.items()}, _codes(people))


def earned(
    engine: penchant.Engine, asked: pl.DataFrame, whole: np.ndarray, plot: Path | None
) -> None:
    """Print what NDCG@10 loses where one field is not told, and has where only that one is."""
    people, found = _codes(asked["user_id"].to_list()), []
    nothing, _ = answer(engine, asked, (), 0)
    for field in TOLD:
        less, _ = answer(engine, asked, [name for name in TOLD if name != field], 0)
        alone, _ = answer(engine, asked, (field,), 0)
        lost, won = paired(whole, less, people), paired(alone, nothing, people)
        line = {"field": field}
        for name, one in (("loses without", lost), ("has alone", won)):
            line[name] = [round(x, 4) for x in (one.mean, one.low, one.high)]  # type: ignore[assignment]
        print(json.dumps(line), flush=True)
        found.append((field, lost, won))
    if plot is not None:
        import matplotlib as mpl

        mpl.use("Agg")
        from matplotlib import pyplot

        figure, axes = pyplot.subplots(1, 2, figsize=(9, 3.2), sharey=True)
        for axis, at, title in zip(
            axes, (1, 2), ("NDCG@10 lost without it", "NDCG@10 gained by it alone"), strict=True
        ):
            values = [line[at] for line in found]
            middle = [one.mean for one in values]
            spread = [
                [one.mean - one.low for one in values],
                [one.high - one.mean for one in values],
            ]
            axis.barh([line[0] for line in found], middle, xerr=spread, color="#4477aa")
            axis.set_title(title, fontsize=10)
            axis.axvline(0, color="black", linewidth=0.8)
        figure.tight_layout()
        figure.savefig(plot, dpi=110)


def travel(bar: Any, options: argparse.Namespace) -> None:
    """Measure each seed on and off."""
    events = pl.read_parquet(bar.DATA / "sts_travel" / "events.parquet")
    items = pl.read_parquet(bar.DATA / "sts_travel" / "items.parquet")
    told = events.columns[events.columns.index("value") + 1 :]
    pooled: dict[str, list[float]] = {}
    people: list[str] = []
    for seed in range(options.seeds):
        train, asked = split(events.drop("timestamp"), seed)
        train = train.with_columns(event=pl.lit("rating"))
        had = set(train.select("user_id", "item_id").iter_rows())
        wanted = asked.filter(pl.col("value") >= 4)
        rows = [
            row
            for row in wanted.iter_rows(named=True)
            if (row["user_id"], row["item_id"]) not in had
        ]
        people += [row["user_id"] for row in rows]
        for arm in options.arms.split(","):
            on = arm != "off"
            columns = ["user_id", "item_id", "timestamp", "event", "value", *(told if on else ())]
            with tempfile.TemporaryDirectory() as temporary:
                folder = Path(temporary) / "shelf"
                settings = f"[context]\nlearn = {str(on).lower()}\n"
                found = shelf(folder, items, train.select(columns), settings, options.effort, seed)
                now = float(asked["timestamp"].min())  # type: ignore[arg-type]
                gains = []
                with penchant.open(folder) as engine:
                    for row in rows:
                        context = {name: row[name] for name in told} if on else None
                        slate = engine.recommend(
                            row["user_id"], 10, context=context, now=now, log=False
                        )
                        gains.append(gain([line.item_id for line in slate], {row["item_id"]}))
            pooled.setdefault(arm, []).extend(gains)
            line = {
                "data": "sts_travel",
                "arm": arm,
                "seed": seed,
                "NDCG@10": round(float(np.mean(gains)), 4),
            }
            print(json.dumps({**line, "asked": len(gains), **found}), flush=True)
    _compare({arm: np.array(values) for arm, values in pooled.items()}, _codes(people))


def retail(bar: Any, options: argparse.Namespace) -> None:
    """Measure each seed on and off, by the protocol."""
    task = bar.task("online_retail", "next", most=min(options.limit, 6000))
    events = pl.read_parquet(bar.DATA / "online_retail" / "events.parquet")
    events = events.select("user_id", "item_id", "timestamp", "unit_price", "country").unique(
        ["user_id", "item_id", "timestamp"], keep="first", maintain_order=True
    )
    keys = ["user_id", "item_id", "timestamp"]
    train = task.train.join(events, on=keys, how="left").with_columns(event=pl.lit("click"))
    country = dict(events.select("user_id", "country").unique("user_id").iter_rows())
    price = dict(events.select("item_id", "unit_price").unique("item_id").iter_rows())
    gains: dict[str, np.ndarray] = {}
    for arm in options.arms.split(","):
        on = arm != "off"
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary) / "shelf"
            settings = f"[context]\nlearn = {str(on).lower()}\n"
            found = shelf(folder, task.items, train, settings, options.effort, 0)
            lists: list[list[str]] = [[] for _ in task.requests]
            with penchant.open(folder) as engine:
                for user, now, basket, marks in task.moments:
                    context = {"country": country[user]} if on else None
                    if marks[0] >= 0:
                        slate = engine.recommend(user, 10, now=now, context=context, log=False)
                        lists[marks[0]] = [line.item_id for line in slate]
                    told = [
                        {"user_id": user, "item_id": item, "timestamp": now, "event": "click",
                         "country": country[user], "unit_price": price[item]}
                        for item in basket
                    ]  # fmt: skip
                    engine.record(pl.DataFrame(told), now=float(now))
        gains[arm] = np.array(
            [bar.gains(r, ranked) for r, ranked in zip(task.requests, lists, strict=True)]
        )
        line = {"data": "online_retail", "arm": arm, "NDCG@10": round(float(gains[arm].mean()), 4)}
        print(json.dumps({**line, "asked": len(task.requests), **found}), flush=True)
    _compare(gains, _codes([request.user for request in task.requests]))


def gain(ranked: Sequence[str], wanted: set[str]) -> float:
    """Return the NDCG@10 of a list."""
    got = sum(1 / np.log2(place + 2) for place, item in enumerate(ranked[:10]) if item in wanted)
    return float(got / sum(1 / np.log2(place + 2) for place in range(min(10, len(wanted)))))


def _codes(people: Sequence[str]) -> np.ndarray:
    return np.unique(np.array(people), return_inverse=True)[1]


def answer(
    engine: penchant.Engine, asked: pl.DataFrame, told: Sequence[str], seed: int
) -> tuple[np.ndarray, dict[str, float]]:
    """Return the NDCG@10 of each row, and the AUC of all with two random apps for each.

    By the probability, which means the same of everybody, and by the score, which is of a list.
    """
    rng = np.random.default_rng(seed)
    now = float(asked["timestamp"].min())  # type: ignore[arg-type]
    ids = [item.item_id for item in engine.items(asked["item_id"].unique().to_list())]
    ndcg: list[float] = []
    right: dict[str, list[float]] = {"AUC": [], "AUC of scores": []}
    wrong: dict[str, list[float]] = {"AUC": [], "AUC of scores": []}
    for row in asked.iter_rows(named=True):
        context = {name: row[name] for name in told}
        slate = engine.recommend(row["user_id"], 10, context=context, now=now, log=False)
        found = [line.rank for line in slate if line.item_id == row["item_id"]]
        ndcg.append(1 / np.log2(found[0] + 1) if found else 0.0)
        drawn = [row["item_id"], *(ids[at] for at in rng.integers(0, len(ids), 2))]
        for line in engine.rank(row["user_id"], drawn, context=context, now=now, log=False):
            side = right if line.item_id == row["item_id"] else wrong
            side["AUC"].append(line.score if line.probability is None else line.probability)
            side["AUC of scores"].append(line.score)
    areas = {name: round(auc(np.array(right[name]), np.array(wrong[name])), 4) for name in right}
    return np.array(ndcg), areas


def _compare(gains: Mapping[str, np.ndarray], people: np.ndarray) -> None:
    off = gains.get("off")
    for arm, values in gains.items():
        if off is not None and arm != "off":
            found = paired(values, off, people)
            print(
                json.dumps(
                    {
                        "arm": arm,
                        "ratio": round(float(values.mean() / off.mean()), 3),
                        "difference": [round(found.low, 4), round(found.high, 4)],
                    }
                ),
                flush=True,
            )


def main() -> None:
    """Measure each data set."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", nargs="+")
    parser.add_argument("--arms", default="off,on")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--effort", default="fast")
    parser.add_argument("--fields", action="store_true", help="what each field of frappe earned")
    parser.add_argument("--plot", type=Path, help="where the picture of that is written")
    parser.add_argument("--limit", type=int, default=1_000_000, help="requests of each arm")
    options = parser.parse_args()
    bar = protocol(*options.data)
    for name in options.data:
        {"frappe": frappe, "sts_travel": travel, "online_retail": retail}[name](bar, options)


if __name__ == "__main__":
    main()
