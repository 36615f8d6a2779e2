"""Prints how well hidden categories are derived from texts: one line of JSON per catalogue.

    python benchmarks/categories.py amazon_beauty mind_sample frappe ml_100k demo
    python benchmarks/categories.py mind_sample --train

Half of the items lose their category. "held out" is what a training measures by itself, on items
that have one; "hidden" is the truth of those that lost it. With --train the engine learns from the
events too, and says what derived categories are worth as features on its newest requests.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

import penchant
from bar import protocol
from penchant.evaluate.simulate import simulate
from penchant.learn.categories import derive
from penchant.learn.release.publish import open_view
from penchant.serve.demo import story
from penchant.store.open import open_store

COLUMNS = ("item_id", "title", "description", "category")


def main() -> None:
    """Print the lines."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", nargs="*", default=["amazon_beauty", "mind_sample", "frappe"])
    parser.add_argument("--most", type=int, default=6000, help="items, drawn at random")
    parser.add_argument("--effort", default="fast")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--train", action="store_true")
    options = parser.parse_args()
    for name in options.data:
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(measure(name, Path(folder) / "shelf", options)), flush=True)


def measure(name: str, shelf: Path, options: argparse.Namespace) -> dict[str, object]:
    """Return the line of one catalogue."""
    items, events = read(name)
    rng = np.random.default_rng(options.seed)
    if items.height > options.most and not options.train:
        items = items[np.sort(rng.choice(items.height, options.most, replace=False))]
    hidden = rng.random(items.height) < 0.5
    shown = items.with_columns(
        category=pl.when(pl.Series(~hidden)).then("category").otherwise(None)
    )
    with penchant.open(shelf, effort=options.effort) as engine:
        engine.add(shown)
        report = None
        if options.train:
            engine.record(events, now=float(events["timestamp"].max()) + 1)  # type: ignore[arg-type]
            report = engine.train(seed=options.seed).data["categories"]
    with open_store(shelf) as store:
        view, raw, _ = open_view(store)
        assert raw is not None
        began = time.perf_counter()
        found = derive(view, raw, options.seed)
        took = round(time.perf_counter() - began, 1)
    assert found is not None
    line: dict[str, object] = {"data": name, **found.summary(), "seconds": took}
    if found.model is not None:
        truth = dict(zip(items["item_id"], items["category"], strict=True))
        said = np.flatnonzero(found.known >= 0)
        names = [found.model.names[place] for place in found.known[said]]
        right = [truth[view.columns.ids[n]] == one for n, one in zip(said, names, strict=True)]
        line["right of the hidden"] = round(float(np.mean(right)), 4)
        line["said of the hidden"] = round(len(said) / max(1, found.missing), 4)
    # Whether they count is found by a training alone.
    left = {} if report is None else {"counted": report["counted"], "gain": report["gain"]}
    return {k: v for k, v in line.items() if k not in ("counted", "gain")} | left


def read(name: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the items of a catalogue, and its events where they have a clock."""
    if name == "demo":
        world = story.unled(simulate(0))
        events = world.events.with_columns(pl.col("timestamp").dt.epoch("s"))
        return world.items.select(*COLUMNS, "tags"), events
    data = protocol(name).DATA / name
    items = pl.read_parquet(data / "items.parquet").select(COLUMNS)
    events = pl.read_parquet(data / "events.parquet")
    if name == "mind_sample":  # shown, and clicked where the value is 1
        events = events.filter(pl.col("value") > 0).with_columns(event=pl.lit("click"))
    return items, events.select("user_id", "item_id", "timestamp", "event")


if __name__ == "__main__":
    main()
