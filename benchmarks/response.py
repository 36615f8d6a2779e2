"""Prints how true probabilities and expected values are, on answers that came later.

    python benchmarks/response.py ml_100k mind_sample

`ml_100k`: ratings, the newest tenth asked about in order, each recorded after it was; wanted are
those of 4 and 5, and the value is the number of stars. `mind_sample`: impressions with clicks, in
order of time. The calibration error (15 bins) of `probability`, beside that of the ranker's score
through a sigmoid, raw and after it was brought to mean 0 and deviation 1 of the list asked about.
The root mean square error of `value`, beside biases alone and matrix factorisation tuned on the
newest tenth before the cut; both read each person from all that they had said before, as live.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

import penchant
from bar import protocol
from penchant.learn.response import worth
from penchant.measure.calibration import calibration_error
from penchant.measure.intervals import paired

NEWEST = 0.1


def films(bar: Any, options: argparse.Namespace) -> None:
    """Ratings: the chance of a like, and the stars."""
    events = pl.read_parquet(bar.DATA / "ml_100k" / "events.parquet").sort("timestamp")
    items = pl.read_parquet(bar.DATA / "ml_100k" / "items.parquet")
    cut = float(events["timestamp"].quantile(1 - NEWEST))  # type: ignore[arg-type]
    past, later = (
        events.filter(pl.col("timestamp") < cut), events.filter(pl.col("timestamp") >= cut),
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as temporary:
        found = trained(Path(temporary), items, past, options)
        with penchant.open(Path(temporary)) as engine:
            told = list(asked(engine, later, options.limit))
    rows = later.head(len(told))
    stars = rows["value"].to_numpy()
    people = np.unique(rows["user_id"].to_numpy(), return_inverse=True)[1]
    of_chance("ml_100k", told, stars >= 4, found)
    said = np.array([one["value"] for one in told])
    others = factorised(past, rows)
    line: dict[str, Any] = {"data": "ml_100k", "value": round(_error(said, stars), 4)}
    for name, values in others.items():
        line[name] = round(_error(values, stars), 4)
        better = paired((values - stars) ** 2, (said - stars) ** 2, people)
        line[f"squared error beyond ours, {name}"] = [round(better.low, 4), round(better.high, 4)]
    print(json.dumps(line), flush=True)


def news(bar: Any, options: argparse.Namespace) -> None:
    """Impressions: the chance of a click."""
    events = pl.read_parquet(bar.DATA / "mind_sample" / "events.parquet").sort("timestamp")
    items = pl.read_parquet(bar.DATA / "mind_sample" / "items.parquet")
    known = items["item_id"].to_list()
    more = pl.DataFrame({"item_id": [i for i in events["item_id"].unique() if i not in set(known)]})
    items = pl.concat((items, more), how="diagonal")
    cut = float(events["timestamp"].quantile(1 - 2 * NEWEST))  # type: ignore[arg-type]
    histories = pl.read_parquet(bar.DATA / "mind_sample" / "histories.parquet")
    before = _histories(histories, set(items["item_id"]))
    past = events.filter(pl.col("timestamp") < cut)
    with tempfile.TemporaryDirectory() as temporary:
        found = trained(Path(temporary), items, pl.concat((before, shown(past))), options)
        told: list[dict[str, Any]] = []
        clicked: list[bool] = []
        with penchant.open(Path(temporary)) as engine:
            later = events.filter(pl.col("timestamp") >= cut)
            for (_, user, now), group in later.group_by(
                "impression_id", "user_id", "timestamp", maintain_order=True
            ):
                if len(told) >= options.limit:
                    break
                told += ranked(engine, user, group["item_id"].to_list(), float(now))  # type: ignore[arg-type]
                clicked += (group["value"] == 1).to_list()
                engine.record(shown(group), now=float(now) + 2)  # type: ignore[arg-type]
    of_chance("mind_sample", told, np.array(clicked), found)


def shown(events: pl.DataFrame) -> pl.DataFrame:
    """Return impressions, and clicks a second after them, as events."""
    columns = ["user_id", "item_id", "timestamp", "event"]
    seen = events.with_columns(event=pl.lit("impression")).select(columns)
    clicks = events.filter(pl.col("value") == 1).with_columns(
        event=pl.lit("click"), timestamp=pl.col("timestamp") + 1
    )
    return pl.concat((seen, clicks.select(columns))).sort("timestamp", maintain_order=True)


def _histories(histories: pl.DataFrame, known: set[str]) -> pl.DataFrame:
    """Return what each person had clicked before their first impression, a minute apart.

    All of it before the first impression of anybody: when it was is not known.
    """
    first = histories.sort("timestamp").unique("user_id", keep="first", maintain_order=True)
    rows = first.explode("history").drop_nulls("history").filter(pl.col("history").is_in(known))
    back = pl.int_range(pl.len()).reverse().over("user_id") + 1
    return rows.select(
        "user_id",
        item_id="history",
        timestamp=pl.lit(int(histories["timestamp"].min())) - 60 * back,  # type: ignore[arg-type]
        event=pl.lit("click"),
    )


def trained(
    folder: Path, items: pl.DataFrame, past: pl.DataFrame, options: argparse.Namespace
) -> dict[str, Any]:
    """Train a shelf; return what the training measured of its own response."""
    with penchant.open(folder, effort=options.effort) as engine:
        engine.add(items)
        engine.record(past, now=float(past["timestamp"].max()))  # type: ignore[arg-type]
        began = time.time()
        report = engine.train()
    print(report, file=sys.stderr)
    return {"train_s": round(time.time() - began), "in training": report.data["response"]}


def asked(engine: penchant.Engine, later: pl.DataFrame, limit: int) -> Iterator[dict[str, Any]]:
    """Yield what is said of each rating before it is recorded."""
    for (user, now), group in later.head(limit).group_by(
        "user_id", "timestamp", maintain_order=True
    ):
        yield from ranked(engine, user, group["item_id"].to_list(), float(now))  # type: ignore[arg-type]
        engine.record(group, now=float(now))  # type: ignore[arg-type]


def ranked(
    engine: penchant.Engine, user: Any, items: list[str], now: float
) -> list[dict[str, Any]]:
    """Return what is said of each item, in the order given."""
    slate = engine.rank(user, items, now=now, log=False)
    scores = np.array([line.score for line in slate])
    z = (scores - scores.mean()) / max(float(scores.std()), 1e-9)
    by_item = {
        line.item_id: {"p": line.probability, "value": line.value, "score": line.score, "z": z[at]}
        for at, line in enumerate(slate)
    }
    return [by_item[item] for item in items]


def of_chance(
    name: str, told: list[dict[str, Any]], wanted: np.ndarray, found: dict[str, Any]
) -> None:
    """Print the calibration error of probabilities and of raw scores."""
    said = np.array([one["p"] for one in told], dtype=np.float64)
    raw, z = (1 / (1 + np.exp(-np.array([one[key] for one in told]))) for key in ("score", "z"))
    line = {
        "data": name,
        "asked": len(said),
        "rate": round(float(wanted.mean()), 4),
        "calibration error": round(calibration_error(said, wanted), 4),
        "of the raw score": round(calibration_error(raw, wanted), 4),
        "of the score by list": round(calibration_error(z, wanted), 4),
        "log loss": round(_loss(said, wanted), 4),
        "log loss of the rate": round(_loss(np.full(len(said), wanted.mean()), wanted), 4),
        **found,
    }
    print(json.dumps(line), flush=True)


def factorised(past: pl.DataFrame, later: pl.DataFrame) -> dict[str, np.ndarray]:
    """Return what biases alone and a tuned matrix factorisation say of each later rating."""
    both = pl.concat((past, later))
    users, items = (
        np.unique(both[name].to_numpy(), return_inverse=True)[1].astype(np.int32)
        for name in ("user_id", "item_id")
    )
    values = both["value"].to_numpy().astype(np.float32)
    n, n_items = len(past), int(items.max()) + 1
    known = (users[:n], items[:n], values[:n])
    cut, tuned = int(0.9 * n), []
    for d in (0, 8, 16, 32, 64):
        for ridge in (2.0, 5.0, 10.0, 20.0, 40.0) if d else (1.0,):
            early = worth.fit("rating", *(c[:cut] for c in known), n_items, d, ridge, 0)
            tuned.append((worth.error(early, *known, cut), d, ridge))
    best = min(one for one in tuned if one[1])
    print(json.dumps({"tuned": best[1:], "of the newest before the cut": best[0]}), flush=True)
    out = {}
    for name, (d, ridge) in {"biases": (0, 1.0), "factors": best[1:]}.items():
        model = worth.fit("rating", *known, n_items, d, ridge, 0)
        said = []
        for at in range(n, len(values)):
            mine = np.flatnonzero(users[:at] == users[at])
            bias, taste = model.person(items[mine], values[mine])
            item = int(items[at])
            said.append(model.mean + model.bias[item] + bias + float(model.rows[item] @ taste))
        out[name] = np.array(said)
    return out


def _error(said: np.ndarray, came: np.ndarray) -> float:
    return float(np.sqrt(np.mean((said - came) ** 2)))


def _loss(said: np.ndarray, came: np.ndarray) -> float:
    said = np.clip(said, 1e-7, 1 - 1e-7)
    return float(-np.where(came, np.log(said), np.log(1 - said)).mean())


def main() -> None:
    """Measure each data set."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", nargs="+")
    parser.add_argument("--effort", default="fast")
    parser.add_argument("--limit", type=int, default=1_000_000, help="exposures asked about")
    options = parser.parse_args()
    bar = protocol(*options.data)
    for name in options.data:
        {"ml_100k": films, "mind_sample": news}[name](bar, options)


if __name__ == "__main__":
    main()
