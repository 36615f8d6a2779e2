"""Prints what counting answers by context is worth where requests say what matters.

    python benchmarks/contexts.py --limit 6000

`frappe`: uses of apps on phones, with the part of the day, the weekday, home or work, the weather
and the country. The data have no times, and nobody was shown a list: the order of the rows is taken
for time, a minute apart, and each app that was used is put into a list with up to 39 others, drawn
by the root of their popularity. A shelf is trained at effort fast on the first 85%; then each list
is ranked with its context told and without, and the use recorded as the answer to it. Intervals are
over whole people.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

import online
import penchant
from bar import protocol

BEGIN, STEP = 1_500_000_000.0, 60.0  # seconds
PAST = 0.85  # of the rows: what is trained on
LINES = 40
TOLD = ("daytime", "weekday", "homework", "weather", "country")


def main() -> None:
    """Train once, walk the arms, print a line of JSON for each."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--limit", type=int, default=2_000, help="requests of each arm")
    parser.add_argument("--keep", type=Path, help="where the trained shelf is kept, or found")
    options = parser.parse_args()
    options.arms, options.seeds = "never followed|context told", 1
    events = read(protocol("frappe"))
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        if not (folder / "trained").exists():
            folder.mkdir(parents=True, exist_ok=True)
            build(events, protocol("frappe"), folder / "trained")
        online.ONLY["frappe"] = ("always",)
        online.measure(
            "frappe", folder, lambda e, told: walk(events, e, told, options.limit), options
        )


def read(bar: Any) -> pl.DataFrame:
    """Return the uses in the order of the rows, each with a time."""
    events = pl.read_parquet(bar.DATA / "frappe" / "events.parquet").with_row_index("row")
    time = BEGIN + STEP * pl.col("row").cast(pl.Float64)
    return events.with_columns(timestamp=time, event=pl.lit("click"))


def build(events: pl.DataFrame, bar: Any, folder: Path) -> None:
    """Train on the first of the uses."""
    items = pl.read_parquet(bar.DATA / "frappe" / "items.parquet")
    past = events.head(int(PAST * len(events)))
    with penchant.open(folder, effort="fast") as engine:
        engine.add(items.select("item_id", "title", "category"))
        told = past.select("user_id", "item_id", "timestamp", "event")
        engine.record(told, now=BEGIN + STEP * len(events))
        engine.train()


def walk(events: pl.DataFrame, engine: penchant.Engine, told: bool, limit: int) -> online.Walked:
    """Rank each list, then tell what was used."""
    rng, out = np.random.default_rng(0), online.Walked()
    begin = int(PAST * len(events))
    popular = events.head(begin).group_by("item_id").len().sort("item_id")
    apps = popular["item_id"].to_list()
    chance = np.sqrt(popular["len"].to_numpy())
    chance /= chance.sum()
    for row in events.slice(begin, limit).iter_rows(named=True):
        used = row["item_id"]
        drawn = [apps[place] for place in rng.choice(len(apps), LINES, replace=False, p=chance)]
        shown = [*[app for app in drawn if app != used][: LINES - 1], used]
        rng.shuffle(shown)
        said = {key: row[key] for key in TOLD if row[key] and row[key] != "unknown"}
        slate = engine.rank(
            row["user_id"], shown, now=row["timestamp"], context=said if told else None
        )
        hits = [line.item_id == used for line in slate]
        out.users.append(row["user_id"])
        out.ndcg.append(online.gain(hits, 1))
        out.auc.append(online.above(hits))
        online.tell(engine, slate, [used], "click")
    return out


if __name__ == "__main__":
    main()
