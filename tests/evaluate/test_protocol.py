"""Plan, walk and score are those of the project's accuracy protocol, to the last digit."""

from __future__ import annotations

import importlib.util
import os
import pathlib
import sys

import numpy as np
import polars as pl
import pytest

from penchant.evaluate.plan import plan
from penchant.evaluate.replay import Walk, walk
from penchant.evaluate.score import score

ROOT = pathlib.Path(__file__).parents[2]
DATA = pathlib.Path(os.environ.get("PENCHANT_DATA", ROOT.parent / "shared" / "data"))
FILE = pathlib.Path(os.environ.get("PENCHANT_PROTOCOL", ROOT.parent / "shared" / "protocol.py"))
pytestmark = pytest.mark.data


@pytest.fixture(scope="module")
def protocol():
    if not FILE.exists() or not (DATA / "ml_100k").exists():
        pytest.skip(f"needs {FILE} and {DATA / 'ml_100k'}")
    os.environ.setdefault("PENCHANT_DATA", str(DATA))
    spec = importlib.util.spec_from_file_location("penchant_protocol", FILE)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def ours(protocol, name, arm, most=6000):
    events = pl.read_parquet(DATA / name / "events.parquet").filter(protocol.POSITIVE[name])
    items = pl.read_parquet(DATA / name / "items.parquet")["item_id"].cast(pl.String).to_list()
    return plan(events, items, arm=arm, most=most)


@pytest.mark.parametrize("name", ["ml_100k", "online_retail"])
@pytest.mark.parametrize("arm", ["next", "cart"])
def test_requests_and_scores_equal_the_protocols(protocol, name, arm):
    task, mine = protocol.task(name, arm), ours(protocol, name, arm)
    assert len(mine.requests) == len(task.requests)
    assert mine.train.height == task.train.height
    for n, request in enumerate(task.requests):
        assert mine.users[mine.askers[n]] == request.user
        assert mine.times[n] == request.now
        assert [mine.items[i] for i in mine.wanted[n]] == request.targets
        assert mine.history[n] == len(request.history)

    # Lists that hit often: some targets, mixed with items drawn by popularity.
    rng = np.random.default_rng(3)
    chance = mine.counts / mine.counts.sum()
    ranked = np.stack(
        [rng.choice(len(mine.items), 10, replace=False, p=chance) for _ in task.requests]
    )
    for n in rng.choice(len(ranked), len(ranked) // 3, replace=False):
        target = mine.wanted[n][0]
        ranked[n, ranked[n] == target] = ranked[n, 0]
        ranked[n, rng.integers(10)] = target
        ranked[n] = [i if i not in ranked[n, :p] else -1 for p, i in enumerate(ranked[n])]
    theirs = protocol.score(task, [[mine.items[i] for i in row if i >= 0] for row in ranked])
    packed = np.array([sorted(row, key=lambda i: i < 0) for row in ranked])
    got = score(mine, Walk(packed, np.zeros(len(packed)), 0.0))
    main = got.metrics["NDCG@10"]
    assert round(main.mean, 4) == theirs["NDCG@10"]
    assert [round(main.low, 4), round(main.high, 4)] == theirs["interval"]
    assert round(got.metrics["HR@10"].mean, 4) == theirs["HR@10"]
    assert round(got.coverage, 3) == theirs["coverage"]
    for slice_, key in {
        "known user": "known_user",
        "new user": "new_user",
        "cold item": "cold_item",
        "tail item": "tail",
    }.items():
        if theirs[key] is None:
            assert got.slices[slice_].n == 0
        else:
            assert round(got.slices[slice_].mean, 4) == theirs[key], slice_


@pytest.mark.parametrize("arm", ["next", "cart"])
def test_the_walk_tells_exactly_the_history_of_each_request(protocol, arm):
    task, mine = protocol.task("ml_100k", arm, most=300), ours(protocol, "ml_100k", arm, most=300)
    told: dict[str, list[tuple[str, int]]] = {}
    for user, item, time in mine.train.iter_rows():
        told.setdefault(user, []).append((item, int(time)))
    seen = []

    class Listening:
        def record(self, user_id, item_ids, timestamp):
            told.setdefault(user_id, []).extend((item, int(timestamp)) for item in item_ids)

        def recommend(self, user_id, k, now, exclude=()):
            seen.append((user_id, int(now), list(told.get(user_id, ()))))
            return []

    walk(Listening(), mine)
    assert seen == [(r.user, r.now, r.history) for r in task.requests]
