"""The watch over a real shelf: what it finds, where it stands after a kill, and what it forgets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

import penchant
from penchant.evaluate.simulate.traffic import DAY, KINDS, START, traffic, until
from penchant.evaluate.watch import replaying
from penchant.evaluate.watch.config import WatchConfig
from penchant.evaluate.watch.finding import Finding
from penchant.evaluate.watch.findings import FILE, Findings
from penchant.evaluate.watch.watching import STATE, Watch
from penchant.store.open import open_store
from shelves import MUTE, mute

QUIET = WatchConfig(replay=0)
WARM, SINCE = START + 21 * DAY, START + 21.5 * DAY
LOG = traffic(5, days=23, visits=300.0, people=400, items=200, fault="person floods", since=SINCE)


def frame(begin: float, end: float) -> pl.DataFrame:
    part = until(LOG, begin, end)
    return pl.DataFrame(
        {
            "user_id": [f"u{n}" for n in part.users.tolist()],
            "item_id": [None if n < 0 else f"i{n}" for n in part.items.tolist()],
            "event": [KINDS[n] for n in part.kinds.tolist()],
            "timestamp": part.times,
            "text": [f"words about {n}" if n % 4 == 3 else None for n in part.kinds.tolist()],
        },
        schema_overrides={"item_id": pl.String, "text": pl.String},
    )


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[tuple[Path, penchant.Engine]]:
    settings = MUTE + '[cleaning]\noff = ["near_duplicate", "burst"]\n'
    with penchant.open(mute(tmp_path / "shelf", settings)) as engine:
        engine.add([{"item_id": f"i{n}", "category": f"c{n % 7}"} for n in range(200)])
        engine.record(frame(0.0, WARM), now=WARM)
        yield tmp_path / "shelf", engine


def steps(engine: penchant.Engine, watch: Watch, hours: int, begin: int = 0) -> list[Finding]:
    """Record and look every twenty minutes, counted from `WARM`; return what was told."""
    told: list[Finding] = []
    for n in range(3 * begin + 1, 3 * hours + 1):
        now = WARM + 1200.0 * n
        part = frame(now - 1200.0, now)
        if part.height:
            engine.record(part, now=now)
        told += watch.look(now + 300.0)
    return told


def test_a_flood_is_found_told_kept_and_dropped_with_the_person(
    shelf: tuple[Path, penchant.Engine],
) -> None:
    directory, engine = shelf
    with Watch(directory, config=QUIET) as watch:
        assert watch.look(WARM + 300.0) == ()
        told = steps(engine, watch, 15)
        (person,) = [one for one in told if one.kind == "person"]
        assert person.since < SINCE + 3 * 3600.0
        assert person.person is not None
        kept = Findings.load(directory)
        assert kept.rows == watch.findings.rows
        with open_store(directory, read_only=True) as store:
            name = store.people.get([person.person])["user_id"][0]
        quiet = [one.key for one in watch.findings.open if one.person is None]
        assert engine.forget(name) > 500
        now = WARM + 15 * 3600.0 + 1500.0
        after = watch.look(now)
        assert [one for one in after if one.over is None] == []  # forgetting raises no alarm
        assert not any(one.person == person.person for one in watch.findings.rows)
        assert {one.key for one in watch.findings.open} <= set(quiet)
        assert f"person:{person.person}" not in (directory / FILE).read_text()
        # Nor does it look like a slump in the hours after.
        later = steps(engine, watch, 19, begin=15)
        assert [one for one in later if one.over is None] == []


def test_the_state_after_a_kill_is_that_of_one_that_lived_on(
    shelf: tuple[Path, penchant.Engine], tmp_path: Path
) -> None:
    directory, engine = shelf
    living = Watch(directory, config=QUIET)
    living.look(WARM + 300.0)
    states = []
    for n in range(1, 50):
        now = WARM + 1200.0 * n
        part = frame(now - 1200.0, now)
        if part.height:
            engine.record(part, now=now)
        if n % 10 == 0:
            # Killed between two looks: nothing is written at the end.
            before = (directory / STATE).read_text(), (directory / FILE).read_text()
            one = living.look(now + 300.0)
            kept = (directory / STATE).read_text()
            (directory / STATE).write_text(before[0])
            (directory / FILE).write_text(before[1])
            with Watch(directory, config=QUIET) as again:
                assert again.look(now + 300.0) == one
            states.append((kept, (directory / STATE).read_text()))
        else:
            living.look(now + 300.0)
    living.close()
    assert len(states) == 4
    for kept, again in states:
        assert json.loads(kept) == json.loads(again)


def test_undone_events_raise_no_alarm(shelf: tuple[Path, penchant.Engine]) -> None:
    directory, engine = shelf
    rows = frame(WARM, WARM + 6 * 3600.0).with_row_index("event_id")
    rows = rows.with_columns(pl.col("event_id").cast(pl.String))
    with Watch(directory, config=QUIET) as watch:
        watch.look(WARM + 300.0)
        engine.record(rows, now=WARM + 6 * 3600.0)
        watch.look(WARM + 6 * 3600.0 + 300.0)
        for event_id in rows["event_id"].to_list():
            engine.undo(event_id)
        assert watch.look(WARM + 6 * 3600.0 + 900.0) == ()
        assert len(watch._course.recent.between(WARM, WARM + 6 * 3600.0)) == 0


def test_a_clock_that_was_ahead_does_not_end_the_watch(
    shelf: tuple[Path, penchant.Engine],
) -> None:
    directory, _ = shelf
    with Watch(directory, config=QUIET) as watch:
        watch.look(WARM + 300.0)
        watch.look(WARM + 400 * DAY)
        assert watch.look(WARM + 900.0) == ()
        assert watch._course.judged == int((WARM + 600.0) // 600)
        assert watch._course.counts.table.sum() > 1000


@pytest.mark.parametrize("damage", ["{", '{"version": 1}', '{"version": 1, "judged": "x"}', "[]"])
def test_a_damaged_state_is_made_anew_from_the_log(
    shelf: tuple[Path, penchant.Engine], damage: str
) -> None:
    directory, _ = shelf
    with Watch(directory, config=QUIET) as watch:
        watch.look(WARM + 300.0)
    sound = json.loads((directory / STATE).read_text())
    (directory / STATE).write_text(damage)
    with Watch(directory, config=QUIET) as watch:
        watch.look(WARM + 300.0)
    again = json.loads((directory / STATE).read_text())
    assert again["counts"] == sound["counts"]


def test_another_log_in_its_place_is_read_anew(
    shelf: tuple[Path, penchant.Engine], tmp_path: Path
) -> None:
    directory, _ = shelf
    with Watch(directory, config=QUIET) as watch:
        watch.look(WARM + 300.0)
    other = mute(tmp_path / "other")
    with penchant.open(other) as engine:
        engine.record(frame(0.0, START + 2 * DAY), now=WARM)
    (other / "watch").mkdir()
    (other / STATE).write_text((directory / STATE).read_text())
    with Watch(other, config=QUIET) as watch:
        watch.look(WARM + 300.0)
        assert watch._position.event_offset < 5000
        assert watch._course.counts.table.sum() < 5000


def test_an_empty_shelf_has_nothing_to_say(tmp_path: Path) -> None:
    penchant.open(mute(tmp_path / "empty")).close()
    with Watch(tmp_path / "empty") as watch:
        assert watch.look(WARM) == ()
        assert watch.look(WARM + DAY) == ()
        assert watch.findings.open == ()


def test_answers_are_replayed_through_the_engine_and_slates_are_joined(
    shelf: tuple[Path, penchant.Engine],
) -> None:
    directory, engine = shelf
    config = WatchConfig(replay=15)
    with Watch(directory, config=config) as watch:
        watch.look(WARM + 300.0)
        for n in range(1, 7):
            now = WARM + 3600.0 * n
            part = frame(now - 3600.0, now)
            for user in part["user_id"].unique().sort().to_list()[:9]:
                engine.recommend(user, now=now - 3600.0)
            if part.height:
                engine.record(part, now=now)
            engine._store.impressions.flush()
            watch.look(now + 300.0)
            assert watch._replaying._process is None  # it would hold what a worker does
        state = watch._course.state()["detectors"]
    for name, fewest in (("replayed", 40), ("shown", 5)):
        rows = [sums for row in state[name]["hours"].values() for sums in row.values()]
        count, total = sum(row[0] for row in rows), sum(row[1] for row in rows)
        assert count >= fewest, name
        assert 0.0 < total < count
        assert state[name]["snapshot"] == "untrained"
    # Asked as of its time, with nothing later, and nothing logged.
    with open_store(directory, read_only=True) as store:
        assert len(store.impressions) <= 6 * 9


def test_a_replayed_answer_knows_nothing_of_its_moment(
    shelf: tuple[Path, penchant.Engine],
) -> None:
    directory, engine = shelf
    engine.record(penchant.Event("u1", "i0", "click", timestamp=WARM + 10.0), now=WARM + 10.0)
    with Watch(directory, config=QUIET) as watch:
        with open_store(directory, read_only=True) as store:
            user = int(store.people.numbers(["u1"])[0])
            had = store.log.seen(user, WARM + 10.0)
            item = int(store.catalogue.numbers(["i0"])[0])
            was_new = item not in store.log.seen(user, WARM + 9.0)
        answer = watch._ask(user, WARM + 10.0, 200)
        assert answer is not None
        assert item in had
        assert (item in answer[1]) == was_new
        assert len(np.intersect1d(answer[1], had)) == int(was_new)


def test_undoing_one_event_of_a_flood_tells_nothing_twice(
    shelf: tuple[Path, penchant.Engine],
) -> None:
    directory, engine = shelf
    with Watch(directory, config=QUIET) as watch:
        watch.look(WARM + 300.0)
        rows = [
            {
                "user_id": "loud",
                "item_id": f"i{n % 200}",
                "event": "view",
                "timestamp": WARM + 5.0 * n,
                "event_id": f"e{n}",
            }
            for n in range(400)
        ]
        engine.record(pl.DataFrame(rows), now=WARM + 2100.0)
        (first,) = [one for one in watch.look(WARM + 2700.0) if one.kind == "person"]
        assert engine.undo("e7")
        engine.record(penchant.Event("other", "i1", timestamp=WARM + 2800.0), now=WARM + 2800.0)
        again = watch.look(WARM + 3300.0)
        assert [one for one in again if one.kind == "person"] == []
        assert [one.key for one in watch.findings.open if one.kind == "person"] == [first.key]
        assert watch.forgotten == ()


def test_a_replay_that_fails_leaves_the_rest(
    shelf: tuple[Path, penchant.Engine],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    directory, engine = shelf
    with Watch(directory, config=WatchConfig(replay=2)) as watch:
        watch.look(WARM + 300.0)
        monkeypatch.setattr(replaying, "sys", SimpleNamespace(executable="/bin/false"))
        engine.record(frame(WARM, WARM + 1200.0), now=WARM + 1200.0)
        assert watch.look(WARM + 1500.0) == ()
        assert watch._course.judged == int((WARM + 1200.0) // 600)
    assert "could not be replayed" in caplog.text
