"""The engine as a system: told the log's own rows in time, and heard source by source."""

from __future__ import annotations

import polars as pl
import pytest

from penchant.evaluate.informed import Informed
from penchant.evaluate.past import read_past, rebuild
from penchant.evaluate.plan import plan
from penchant.evaluate.replay import walk
from penchant.evaluate.trial import Trial
from penchant.store.open import open_store
from penchant.store.tail import Position

from . import shop


@pytest.fixture
def scene(tmp_path):
    past = read_past(shop.make(tmp_path / "shop"))
    made = plan(past.positives, past.items["item_id"].to_list(), quantile=0.92)
    keep = past.before(made)
    rebuild(past, keep, tmp_path / "then")
    return past, made, tmp_path / "then", past.events.filter(~keep)


def logged(directory):
    with open_store(directory, read_only=True) as store:
        return len(store.tail(Position()).events)


def test_a_walk_tells_the_engine_everything_and_hears_its_sources(scene):
    past, made, directory, later = scene
    with Trial(directory, later, sources=3) as trial:
        done = walk(trial, made, 5)
    assert logged(directory) == past.events.height
    assert (done.ranked[:, 0] >= 0).all()
    beside = trial.beside(made)
    assert "trending_7d alone" in beside
    for one in beside.values():
        assert one.ranked.shape == (len(made.requests), 3)
        assert one.ranked.max() < len(made.items)
    # Nobody is shown what they had, by the engine or by a source of it.
    had = {
        (u, i)
        for u, i in zip(made.user[made.split.train], made.item[made.split.train], strict=True)
    }
    for ranked in (done.ranked, *(one.ranked for one in beside.values())):
        shown = {(int(u), int(i)) for u, row in zip(made.askers, ranked, strict=True) for i in row}
        assert not shown & had


def test_a_trial_that_is_not_live_hears_the_rest_with_the_moment(scene):
    _, made, directory, later = scene
    before = logged(directory)
    user, time = made.users[made.askers[-1]], made.times[-1]
    rows = later.filter(pl.col("user_id") == user)
    assert rows["event"].to_list() == ["dislike", "click"]
    with Trial(directory, later, live=False) as trial:
        trial.recommend(user, 5, time)
        assert logged(directory) == before
        trial.record(user, [rows["item_id"][1]], time)
        assert logged(directory) == before + 2
        trial.record(user, [rows["item_id"][1]], time)
        assert logged(directory) == before + 2


def test_a_live_trial_hears_the_rest_before_it_answers(scene):
    _, made, directory, later = scene
    before = logged(directory)
    user, time = made.users[made.askers[-1]], made.times[-1]
    with Trial(directory, later) as trial:
        trial.recommend(user, 5, time)
        assert logged(directory) == before + 1


def test_a_question_is_asked_in_the_context_of_what_is_then_done(scene):
    _, made, directory, later = scene
    user, time = made.users[made.askers[-1]], made.times[-1]
    rain = pl.when(pl.col("event") == "click").then(pl.lit('{"weather": "rain"}'))
    told = later.with_columns(context=rain.otherwise(pl.lit("[1]")))
    with Trial(directory, told) as trial:
        asked = []
        answer = trial._engine.recommend
        trial._engine.recommend = lambda *who, **how: (asked.append(how), answer(*who, **how))[1]
        assert trial.recommend(user, 5, time)
        assert trial.recommend(user, 5, time + 1.0)
        assert trial.recommend("nobody", 5, time)
    assert [how["context"] for how in asked] == [{"weather": "rain"}, None, None]


def test_what_is_excluded_is_not_shown(scene):
    _, made, directory, later = scene
    with Trial(directory, later) as trial:
        first = trial.recommend("u1", 3, made.times[0])
        assert not set(first) & set(trial.recommend("u1", 3, made.times[0], exclude=first))


def test_the_informed_leave_out_what_was_met_until_then():
    class Everything:
        def __init__(self):
            self.told = []

        def record(self, user_id, item_ids, timestamp):
            self.told.append((user_id, item_ids, timestamp))

        def recommend(self, user_id, k, now, exclude=()):
            return [item for item in "wxyz" if item not in exclude][:k]

    met = pl.DataFrame(
        [("a", "x", 5.0), ("a", "w", 9.0), ("b", "z", 1.0)],
        schema=["user_id", "item_id", "timestamp"],
        orient="row",
    )
    inner = Everything()
    system = Informed(inner, met)
    assert system.recommend("a", 2, 5.0) == ["w", "x"]
    assert system.recommend("a", 2, 6.0) == ["w", "y"]
    assert system.recommend("a", 2, 10.0, exclude=["y"]) == ["z"]
    assert system.recommend("c", 1, 10.0) == ["w"]
    system.record("a", ["y"], 3.0)
    assert inner.told == [("a", ["y"], 3.0)]
