"""News: what many read now is told at once, and is forgotten soon.

    PENCHANT_DATA=... python examples/news.py

Impressions and clicks of MSN News (a sample of MIND, not shipped). Each list is put into order
twice: as of the end of the day before, and as of that second. Nothing is trained.
"""

import os
import tempfile
from pathlib import Path

import numpy as np
import polars as pl

import penchant

DATA = Path(os.environ.get("PENCHANT_DATA", "data")) / "mind_sample"
DAY = 86_400


def place(slate, clicked):
    """Return the share of the list that stands above what was clicked: 0 is the best."""
    at = [line.rank - 1 for line in slate if line.item_id in clicked]
    return float(np.mean(at)) / (len(slate) - 1)


def replay(engine, shown, began):
    """Return float[n, 2]: places of what was clicked, by the day before and by the second.

    A list is put into order first, and what was clicked in it is told afterwards.
    """
    places, keys = [], ("impression_id", "user_id", "timestamp")
    for (_, user, now), rows in shown.group_by(keys, maintain_order=True):
        items, clicked = rows["item_id"].to_list(), rows.filter(pl.col("value") > 0)["item_id"]
        before = engine.rank(user, items, now=began, log=False)
        live = engine.rank(user, items, now=now)
        for item in clicked:
            engine.record(penchant.Event(user, item, "click", now, slate_id=live.id), now=now)
        if 0 < len(clicked) < len(items):
            places.append((place(before, set(clicked)), place(live, set(clicked))))
    return np.array(places)


def breaking(engine, now, readers=30, deep=100):
    """Return the place that a new article has for a stranger after each reader, None for none."""
    engine.add([{"item_id": "breaking", "title": "Something happened a minute ago"}])
    places = []
    for n in range(readers):
        engine.record(penchant.Event(f"reader {n}", "breaking", "click", now + n), now=now + n)
        order = [x.item_id for x in engine.recommend("a stranger", deep, now=now + n, log=False)]
        places.append(order.index("breaking") + 1 if "breaking" in order else None)
    return places


def prove(folder, impressions=1000):
    """Return what `replay` finds in the first impressions of the last day, and `breaking` then."""
    events = pl.read_parquet(DATA / "events.parquet").sort("timestamp", maintain_order=True)
    began = events["timestamp"].max() // DAY * DAY
    today = events.filter(pl.col("timestamp") >= began)
    first = today["impression_id"].unique(maintain_order=True)[:impressions]
    shown = today.filter(pl.col("impression_id").is_in(first.implode()))
    read = events.filter(pl.col("timestamp") < began, pl.col("value") > 0)
    with penchant.open(folder) as engine:
        engine.add(pl.read_parquet(DATA / "items.parquet"))
        engine.record(read.select("user_id", "item_id", "timestamp", event=pl.lit("click")))
        return replay(engine, shown, began), breaking(engine, shown["timestamp"].max() + 60)


if __name__ == "__main__":
    if not DATA.exists():
        raise SystemExit(f"skipped: there is no {DATA}; say where the data is in PENCHANT_DATA")
    with tempfile.TemporaryDirectory() as folder:
        places, rise = prove(folder)
    (before, live), gain = places.mean(axis=0), places[:, 0] - places[:, 1]
    print(f"Of {len(places)} lists, the share that stands above what was clicked:")
    print(f"{before:.3f} as of the day before, {live:.3f} as of the second when it was shown,")
    print(f"{gain.mean():.3f} less, 95% within {1.96 * gain.std() / len(gain) ** 0.5:.3f}")
    print("A new article's place in a stranger's list after 1, 2, 3... readers:", rise)
