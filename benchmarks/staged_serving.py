"""Prints what a search in two stages would save of recommend(), and what it would lose.

    python benchmarks/staged_serving.py                         # 20,000, 200,000, 1,000,000 items
    python benchmarks/staged_serving.py --folder /tmp/shelves   # keeps what was built

Whole engines, trained at effort fast on a synthetic world of 300,000 events; titles are shared by
items, so that encoding them takes minutes and not hours. Each person is asked for twice: as the
engine answers, and with the sources `text` and `fresh` reading `staged.py` (sign bits, 400 compared
by whole rows) in place of the product with every item; other candidates of the pool get their exact
score. CPU time of the thread, medians; the share of the pool and of the slate that stays the same;
and of the product and the search alone, with the share of the 80 found that is as near as the
exact 80 (but for .001).
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import tempfile
import time
from collections import defaultdict
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np

import penchant
from penchant.evaluate.simulate import world
from penchant.interests.state import State
from penchant.recall.fresh import Fresh
from penchant.recall.source import Scores
from penchant.recall.text import Text
from penchant.types import Floats, Ids, Mask, Query
from staged import Staged

QUOTA, SURVIVORS = 80, 400


class Lazy:
    """An opinion whose best are searched for in two stages; who asks for an item gets the exact."""

    def __init__(self, staged: Staged, wanted: Floats) -> None:
        self._staged, self._wanted = staged, wanted

    def top(self, k: int, allowed: Mask | None) -> Ids:
        return self._staged.top(self._wanted, k, allowed)[0]

    def at(self, wanted: Ids) -> Floats:
        near: Floats = (self._staged.vectors.rows(wanted) @ self._wanted).astype(np.float32)
        return near


class StagedText:
    """What the source `text` says, searched in two stages."""

    def __init__(self, text: Text) -> None:
        self._text = text
        self.staged = Staged(text.vectors, survivors=SURVIVORS)

    def score(self, query: Query, state: State) -> Lazy | None:
        wanted = self._text.wanted(state)
        return None if wanted is None else Lazy(self.staged, wanted)


def fresh(source: Fresh, text: StagedText, query: Query, state: State) -> Scores | None:
    """Return the scores of the cold items that are nearest, and of those that are newest."""
    moment = source._popularity.moment(query.now, query.n_items)
    cold = moment.rare(source._few)
    values, near = source._newness(moment), text.score(query, state)
    allowed = cold if query.allowed is None else cold & query.allowed
    newest = Scores(np.where(cold, values, np.nan).astype(np.float32)).top(SURVIVORS, allowed)
    if near is None:
        return Scores(values[newest], newest)
    found = np.union1d(near.top(SURVIVORS, allowed), newest).astype(np.int32)
    return Scores(values[found] / 2 + np.nan_to_num(near.at(found)), found)


def build(folder: Path, items: int) -> None:
    made = world(n_users=20_000, n_items=items, n_events=300_000, seed=0)
    title = made.items["title"].str.replace(r" \d+$", "")
    folder.mkdir(parents=True)
    (folder / "penchant.toml").write_text(
        '[text]\nparts = ["{title}"]\n[learn]\nrequests = 600\n', encoding="utf-8"
    )
    end = made.events["timestamp"].max()
    with penchant.open(folder, effort="fast") as engine:
        engine.add(made.items.with_columns(title=title))
        engine.record(made.events, now=end)
        engine.train()
    people = made.events["user_id"].unique(maintain_order=True).sample(2000, seed=0)
    now = end.timestamp() + 60  # type: ignore[union-attr]
    (folder / "built.json").write_text(json.dumps({"now": now, "people": people.to_list()}))


def measured(folder: Path, requests: int) -> dict[str, float]:
    built = json.loads((folder / "built.json").read_text())
    rng, clock = np.random.default_rng(1), itertools.count(built["now"], 0.5)
    took: dict[str, list[float]] = defaultdict(list)

    def timed(name: str, began: float) -> None:
        took[name].append(1000 * (time.thread_time() - began))

    with penchant.open(folder) as engine:
        engine.recommend(built["people"][0], now=next(clock))
        served = engine._replica.follow()
        sources = {one.name: one for one in served.pipeline.recall.sources}
        text, cold = sources["text"], sources["fresh"]
        assert isinstance(text, Text)
        assert isinstance(cold, Fresh)
        two = StagedText(text)
        same: dict[str, list[float]] = defaultdict(list)
        for _ in range(requests):
            user, now = str(rng.choice(built["people"])), next(clock)
            pools, slates = [], []
            for way in ("recommend_ms", "staged_ms"):
                if way == "staged_ms":
                    vars(text)["score"] = two.score
                    vars(cold)["score"] = lambda q, s, c=cold: fresh(c, two, q, s)
                began = time.thread_time()
                slate = engine.recommend(user, 10, now=now, log=False)
                timed(way, began)
                vars(text).pop("score", None)
                vars(cold).pop("score", None)
                assert slate.trace.pool is not None
                pools.append(set(slate.trace.pool.items.tolist()))
                slates.append({line.item_id for line in slate})
            for name, (exact, found) in {"pool": pools, "slate": slates}.items():
                same[f"same {name}"].append(len(exact & found) / len(exact))
        n = served.columns.n
        for _ in range(requests):
            rows = text.vectors.rows(rng.integers(0, n, 5).astype(np.int32))
            wanted = np.nanmean(rows, axis=0, dtype=np.float32)
            wanted /= np.linalg.norm(wanted)
            began = time.thread_time()
            scores = Scores(text.vectors.dot(wanted, n))
            timed("product_ms", began)
            best = scores.top(QUOTA, None)
            timed("product and best 80_ms", began)
            began = time.thread_time()
            found = two.staged.top(wanted, QUOTA)[0]
            timed("two stages_ms", began)
            floor = scores.values[best].min() - 1e-3
            same["as near as the exact 80"].append(float((scores.values[found] >= floor).mean()))
    medians = {name: round(float(np.median(values)), 2) for name, values in took.items()}
    return medians | {name: round(float(np.mean(values)), 3) for name, values in same.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--items", type=int, nargs="*", default=[20_000, 200_000, 1_000_000])
    parser.add_argument("--requests", type=int, default=60)
    parser.add_argument("--folder", type=Path, default=None)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        root = options.folder or Path(scratch)
        for items in options.items:
            folder = root / f"fast-{items}-300000"
            if not (folder / "built.json").exists():
                build(folder, items)
            print(json.dumps({"items": items, **measured(folder, options.requests)}), flush=True)


if __name__ == "__main__":
    main()
