"""A walk asks before it tells, and the freshness arms differ only in when a system is told."""

from __future__ import annotations

from contextlib import nullcontext

import polars as pl
import pytest

from penchant.evaluate.plan import plan
from penchant.evaluate.replay import DAY, HeldBack, prequential, walk
from penchant.types import InvalidInput


class Diary:
    """A system that writes down what it hears and answers with all it knows in a fixed order."""

    def __init__(self, items=()):
        self.items = list(items)
        self.told = []

    def record(self, user_id, item_ids, timestamp):
        self.told.append((user_id, tuple(item_ids), timestamp))

    def recommend(self, user_id, k, now, exclude=()):
        return [item for item in self.items if item not in exclude][:k]


def log(rows):
    return pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row")


def test_a_walk_keeps_every_answer_by_number_and_tells_everything_once():
    events = log([("a", "x", 0), ("a", "y", 10), ("a", "z", 20), ("b", "z", 30)])
    made = plan(events, ["w"], quantile=0.5)
    diary, counted = Diary(["z", "w"]), []
    done = walk(diary, made, k=3, progress=lambda n, of: counted.append((n, of)))
    assert done.ranked.tolist() == [[made.items.index("z"), 0, -1]] * len(made.requests)
    assert (done.seconds > 0).all()
    assert diary.told == [("a", ("z",), 20.0), ("b", ("z",), 30.0)]
    assert counted == [(1, 2), (2, 2)]


def test_an_item_outside_the_catalogue_is_refused():
    made = plan(log([("a", "x", 0), ("a", "y", 10)]), quantile=0.5)
    with pytest.raises(InvalidInput, match="'elsewhere', which is not in the catalogue of 2"):
        walk(Diary(["elsewhere"]), made)


def test_frozen_is_never_told_but_leaves_out_what_the_user_had():
    diary = Diary("xyz")
    held = HeldBack(diary, "frozen")
    held.record("a", ["y"], 5.0)
    assert held.recommend("a", 2, 90 * DAY) == ["x", "z"]
    assert held.recommend("b", 2, 90 * DAY, ["x"]) == ["y", "z"]
    assert diary.told == []


def test_daily_is_told_at_midnight():
    diary = Diary("xyz")
    held = HeldBack(diary, "daily")
    held.record("a", ["y"], DAY + 5)
    held.record("b", ["x"], DAY + 6)
    held.recommend("a", 2, 2 * DAY - 1)
    assert diary.told == []
    assert held.recommend("a", 3, 2 * DAY) == ["x", "y", "z"]
    assert diary.told == [("a", ("y",), DAY + 5), ("b", ("x",), DAY + 6)]


def test_session_is_told_half_an_hour_after_the_last_event():
    diary = Diary("xyz")
    held = HeldBack(diary, "session")
    held.record("a", ["x"], 0.0)
    held.record("b", ["y"], 600.0)
    held.record("a", ["z"], 1200.0)
    held.recommend("a", 1, 2400.0)
    assert diary.told == []
    held.recommend("c", 1, 2401.0)
    assert diary.told == [("b", ("y",), 600.0)]
    held.recommend("a", 1, 3001.0)
    assert diary.told[1:] == [("a", ("x",), 0.0), ("a", ("z",), 1200.0)]


def test_event_is_told_at_once():
    diary = Diary("xyz")
    held = HeldBack(diary, "event")
    held.record("a", ["x"], 0.0)
    assert diary.told == [("a", ("x",), 0.0)]
    assert held.recommend("a", 1, 0.0) == ["x"]


def test_an_unknown_freshness_is_refused():
    with pytest.raises(InvalidInput, match="frozen, daily, session, event"):
        HeldBack(Diary(), "hourly")


def test_the_arms_hear_more_and_more():
    rows = [("a", f"i{n}", n * 3600) for n in range(60)] + [
        ("b", f"i{n}", n * 3600 + 60 * m) for n in range(30, 60) for m in range(1)
    ]
    made = plan(log(rows), quantile=0.5)
    diaries = {}
    seen = []

    def fresh(arm):
        diaries[arm] = Diary()
        return nullcontext(diaries[arm])

    walks = prequential(fresh, made, 5, progress=lambda arm, n, of: seen.append((arm, n, of)))
    assert list(walks) == ["frozen", "daily", "session", "event"]
    heard = [sum(len(told[1]) for told in diaries[arm].told) for arm in walks]
    assert heard[0] == 0
    assert heard == sorted(heard)
    assert heard[-1] == len(made.split.test)
    assert seen[-1] == ("event", len(made.requests), len(made.requests))


def test_an_arm_that_was_walked_already_is_not_walked_again():
    made = plan(log([("a", "x", 0), ("a", "y", 10), ("a", "z", 20)]), quantile=0.5)
    done = walk(Diary(), made)
    opened = []

    def fresh(arm):
        opened.append(arm)
        return nullcontext(Diary())

    assert prequential(fresh, made, given={"event": done})["event"] is done
    assert opened == ["frozen", "daily", "session"]
