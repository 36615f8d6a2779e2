"""A shop: what is put into the basket changes the very next offer.

    PENCHANT_DATA=... python examples/shop.py

Two weeks of a gift shop (UCI Online Retail, Chen et al., 2012, not shipped). The baskets of the
third are filled once more: the engine is told half of each, and asked what else will be in it.
"""

import os
import tempfile
from pathlib import Path

import numpy as np
import polars as pl

import penchant

DATA = Path(os.environ.get("PENCHANT_DATA", "data")) / "online_retail"
WEEK, END = 7 * 86_400, 1_318_000_000  # October 2011


def sample(weeks=2, least=6):
    """Return products, what was bought and returned in some weeks, and the week's baskets after."""
    events = pl.read_parquet(DATA / "events.parquet").sort("timestamp", maintain_order=True)
    events = events.filter(pl.col("timestamp").is_between(END - (weeks + 1) * WEEK, END))
    items = pl.read_parquet(DATA / "items.parquet").filter(~pl.col("is_service_code"))
    last = events.filter(pl.col("timestamp") >= END - WEEK, pl.col("event") == "purchase")
    baskets = last.group_by("invoice", "user_id", maintain_order=True).agg(
        pl.col("timestamp").first(), pl.col("item_id").unique(maintain_order=True)
    )
    return (
        items.select("item_id", "title", price="median_price"),
        events.filter(pl.col("timestamp") < END - WEEK),
        baskets.filter(pl.col("item_id").list.len() >= least),
    )


def prove(folder, baskets=150, k=10, **sizes):
    """Return float[n_baskets, 3]: how many of k offers were in the other half of a basket.

    Offered are what sold most in the week before, what the engine says when it knows nothing of the
    basket, and what it says when half of it was put in.
    """
    items, past, filled = sample(**sizes)
    week = past.filter(pl.col("timestamp") >= END - 2 * WEEK, pl.col("event") == "purchase")
    best = week["item_id"].value_counts().sort("count", "item_id", descending=True)["item_id"]
    rng, rows = np.random.default_rng(0), []
    with penchant.open(folder, effort="fast") as engine:
        engine.add(items)
        engine.record(past.select("user_id", "item_id", "event", "timestamp", "value"))
        engine.train()
        for _, user, now, basket in filled.head(baskets).iter_rows():
            basket = rng.permutation(basket).tolist()  # the order of an invoice is no signal
            half, rest = basket[: len(basket) // 2], set(basket[len(basket) // 2 :])
            asked = {"seen": "keep", "exclude": half, "now": now, "log": False}
            before = engine.recommend(user, k, **asked)
            for item in half:
                engine.record(penchant.Event(user, item, "add_to_cart", now), now=now)
            after = engine.recommend(user, k, **asked)
            sold = [item for item in best.head(k + len(half)) if item not in half][:k]
            offers = sold, [x.item_id for x in before], [x.item_id for x in after]
            rows.append([len(rest & set(offer)) for offer in offers])
    return np.array(rows)


if __name__ == "__main__":
    if not DATA.exists():
        raise SystemExit(f"skipped: there is no {DATA}; say where the data is in PENCHANT_DATA")
    with tempfile.TemporaryDirectory() as folder:
        rows = prove(folder)
    gain = rows[:, 2] - rows[:, 1]
    print(f"Of ten offers, how many went into the basket ({len(rows)} baskets):")
    for name, mean in zip(
        ("best sellers", "before", "after half of it"), rows.mean(0), strict=True
    ):
        print(f"{name:18}{mean:.2f}")
    print(f"{gain.mean():+.2f} by the half, 95% within {1.96 * gain.std() / len(gain) ** 0.5:.2f}")
