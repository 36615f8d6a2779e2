"""Experiments end to end: real requests, real events, a guard-rail that stops at every worker."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

import penchant
import world
from penchant import Event
from penchant.evaluate.experiment import following
from penchant.evaluate.experiment.measured import Measured, check, read_results, results
from penchant.evaluate.experiment.results import Result, result
from penchant.rank.answer.stops import Stopped, Stops
from penchant.serve.cli import app
from penchant.store.impressions import Impression
from penchant.store.open import open_store
from penchant.types import Slate
from shelves import MUTE, filled, ids, mute

from . import traffic

START = float(world.NOW)
KEEPING = f"""
[experiments.again]
start = {START}
guards = {{ click-through = 0.0 }}
least = 50
[experiments.again.variants.kept]
share = 0.5
recommend = {{ seen = "keep" }}
"""


class Crowd:
    """People who come again and again, and never want twice what they had."""

    def __init__(self, engine: penchant.Engine, seed: int = 0) -> None:
        self.engine = engine
        self.random = random.Random(seed)
        self.time = START
        self.had: dict[str, set[str]] = {}

    def meet(self, n: int) -> list[str]:
        """Make people known before they do anything."""
        people = [f"person-{i}" for i in range(n)]
        self.engine.add(users=[{"user_id": one} for one in people])
        return people

    def visit(self, user: str) -> Slate:
        """Ask for somebody; they click the first thing they have not had, mostly."""
        self.time += 60.0
        slate = self.engine.recommend(user, k=2, now=self.time)
        had = self.had.setdefault(user, set())
        fresh = [item for item in ids(slate) if item not in had]
        if fresh and self.random.random() < 0.8:
            had.add(fresh[0])
            self.engine.record(
                Event(user, fresh[0], "click", self.time + 10.0, slate_id=slate.id), now=self.time
            )
        return slate


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    directory = filled(tmp_path / "shelf")
    return mute(directory, MUTE + KEEPING)


def one(found: tuple[Result, ...]) -> Result:
    assert len(found) == 1
    return found[0]


def test_a_guard_rail_stops_a_harmful_variant_everywhere_and_by_hand_it_runs_again(
    shelf: Path,
) -> None:
    with (
        penchant.open(shelf) as engine,
        penchant.open(shelf) as other,
        open_store(shelf) as store,
    ):
        crowd, measured = Crowd(engine), Measured(store)
        decisions = ()
        visits = 0
        people = crowd.meet(160)
        while not decisions and visits < 1500:
            crowd.visit(crowd.random.choice(people))
            visits += 1
            if visits % 40 == 0:
                engine._store.impressions.flush()
                decisions = check(store, crowd.time, measured)
        assert visits < 1500
        (decision,) = decisions
        assert (decision.experiment, decision.variant) == ("again", "kept")
        assert decision.effect.treated < decision.effect.control
        # Who was in it gets what everybody gets, from whatever worker.
        variants = engine._asking._variants
        treated = next(p for p in people if p in crowd.had and crowd.had[p] and _kept(measured, p))
        for asked in (engine, other):
            assert variants.ask(treated, None, crowd.time)[1] == ""
            assert not crowd.had[treated] & set(ids(asked.recommend(treated, k=13, now=crowd.time)))
        assert check(store, crowd.time, measured) == ()
        (kept,) = read_results(shelf)
        assert kept["state"] == "stopped"
        stop = kept["stops"]["kept"]
        assert stop["by"] == "click-through"
        rows = [row for row in stop["evidence"]["comparisons"] if row["decides"]]
        assert rows[0]["effect"]["people"] == list(decision.effect.people)
        # A fresh look at the whole log says the same of whom there is.
        engine._store.impressions.flush()
        fresh = one(results(store, crowd.time))
        assert fresh.people == kept["people"]
        assert fresh.stops["kept"].why == decision.why
        assert Stops(shelf).lift("again", "kept", crowd.time + 1.0)
        assert variants.ask(treated, None, crowd.time)[1] == "again=kept"
        # What was lifted is not stopped again by what was seen before.
        assert check(store, crowd.time + 2.0, measured) == ()
        assert sum(one(measured.results(crowd.time)).people.values()) == 0


def _kept(measured: Measured, user: str) -> bool:
    return measured._experiments[0].variant(user) == "kept"


def test_what_is_followed_is_what_a_fresh_look_finds(shelf: Path) -> None:
    with penchant.open(shelf) as engine, open_store(shelf) as store:
        crowd, measured = Crowd(engine, 1), Measured(store)
        people = crowd.meet(37)
        for step in range(120):
            crowd.visit(people[step % 37])
            if step % 17 == 0:
                # Two hours of the log pass in the time that a slate takes to the disk.
                engine._store.impressions.flush()
                measured.follow()
            if step == 60:
                assert engine.forget("person-3") > 0
            if step == 70:
                assert engine.merge("person-4", into="person-5") > 0
        engine._store.impressions.flush()
        measured.follow(settle=True)
        followed, fresh = one(measured.results(crowd.time)), one(results(store, crowd.time))
        assert followed.as_data() == fresh.as_data()
        assert sum(fresh.people.values()) in (35, 36, 37)
        # Who was forgotten or merged is unknown when they come again, so takes part in nothing
        # until they do something.
        slates = sum(1 for one in engine._store.impressions.scan() if one.variant)
        assert 110 < slates < 120
        ledger = measured._ledgers[0]
        shown = sum(ledger.figures("click-through", v, 0.0).bottoms.sum() for v in ledger.names)
        assert shown == slates


def test_somebody_takes_part_once_they_are_known(shelf: Path) -> None:
    with penchant.open(shelf) as engine:

        def told() -> str:
            slate = engine.recommend("somebody", now=START, context={"session_id": "s"})
            engine._store.impressions.flush()
            stored = engine._store.impressions.get(slate.id)
            assert stored is not None
            return stored.variant

        assert told() == ""
        engine.record(Event("somebody", "w1", "click", START - 1.0), now=START)
        assert told() in ("again=control", "again=kept")


def test_both_logs_are_read_side_by_side_in_pieces_of_any_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Slates and events of ten days in a store: neither log is read far ahead of the other."""
    experiment_ = traffic.experiment(3)
    shown, events = traffic.traffic(
        traffic.Shop(people=150, visits=6.0, clicks=0.1, before=3), experiment_, 3
    )
    settings = (
        f"[experiments.{experiment_.name}]\nstart = {traffic.START}\n"
        f"[experiments.{experiment_.name}.variants.new]\nshare = 0.5\n"
        "[feedback]\nslates = 300\n"
    )
    directory = mute(tmp_path / "shelf", MUTE + settings)
    with penchant.open(directory) as engine:
        engine.add([{"item_id": f"i{n}"} for n in range(traffic.ITEMS)])
        engine.add(users=[{"user_id": f"u{n}"} for n in range(150)])
        frame = {
            "user_id": [f"u{n}" for n in events.users],
            "item_id": [f"i{n}" for n in events.items],
            "event": [events.kind_names[n] for n in events.kinds],
            "timestamp": events.times,
            "value": pl.Series(events.values.astype(float), nan_to_null=True),
            "event_id": [str(n) for n in events.offsets],
        }
        assert engine.record(pl.DataFrame(frame), now=traffic.START + 1e7)["new"] == len(events)
        store = engine._store
        assert store.people.numbers(["u0", "u149"]).tolist() == [0, 149]
        for n, slate in enumerate(shown.slates):
            at = slice(int(shown.starts[n]), int(shown.starts[n + 1]))
            store.impressions.add(
                Impression(
                    slate_id=slate,
                    user=int(shown.users[n]),
                    now=float(shown.times[n]),
                    snapshot="none",
                    items=shown.items[at],
                    scores=np.zeros(traffic.K, dtype=np.float32),
                    propensities=shown.propensities[at],
                    features=np.zeros((traffic.K, 0), dtype=np.float32),
                    variant=shown.variants[n],
                )
            )
        store.impressions.flush()
        now = traffic.START + 30 * 86_400.0
        truth = result(traffic.folded(experiment_, shown, events), Stopped(), now)
        for size in (20, 5_000):
            monkeypatch.setattr(following, "PART", size)
            found = one(results(store, now))
            assert found.people == truth.people
            for mine, its in zip(found.comparisons, truth.comparisons, strict=True):
                assert mine.metric == its.metric
                assert mine.effect.treated == pytest.approx(its.effect.treated, nan_ok=True)
                assert mine.effect.low == pytest.approx(its.effect.low, nan_ok=True)


def test_experiments_that_do_not_run_cost_nothing(tmp_path: Path) -> None:
    with open_store(mute(tmp_path / "shelf")) as store:
        assert results(store, 0.0) == ()
        assert check(store, 0.0) == ()
        assert read_results(store.directory) == []


def test_the_command_shows_stops_and_lifts(shelf: Path) -> None:
    with penchant.open(shelf) as engine:
        crowd = Crowd(engine, 2)
        people = crowd.meet(23)
        for step in range(60):
            crowd.visit(people[step % 23])

    def run(*arguments: str) -> tuple[int, str, str]:
        done = CliRunner().invoke(app, ["experiment", str(shelf), *arguments])
        return done.exit_code, done.stdout, done.stderr

    code, text, _ = run("--now", str(crowd.time))
    assert code == 0
    for part in ("again", "running", "click-through *", "too few", "kept", "control", "50.0%"):
        assert part in text
    code, text, _ = run("again", "--now", str(crowd.time), "--json")
    (found,) = json.loads(text)
    assert code == 0
    assert sum(found["people"].values()) == 23
    assert found["trusted"] is True
    assert run("agian")[0] == 2
    assert "no experiment 'agian'" in run("agian")[2]
    assert "name the experiment" in run("--stop", "kept")[2]
    assert "has no variant 'control'" in run("again", "--stop", "control")[2]
    code, text, _ = run("again", "--stop", "kept", "--why", "looks odd", "--now", str(crowd.time))
    assert code == 0
    assert "by hand: looks odd" in text
    assert "was stopped before" in run("again", "--stop", "kept")[2]
    assert Stops(shelf).read().of("again")["kept"].evidence["people"] == found["people"]
    code, text, _ = run("again", "--lift", "kept", "--now", str(crowd.time))
    assert code == 0
    assert "running" in text
    assert "was not stopped" in run("again", "--lift", "kept")[2]
