"""Retention and settling on a real store; a clock that jumps costs nothing."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import penchant
import world
from penchant.serve.service.upkeep import DAY, Retention, Settling
from penchant.store.open import open_store
from shelves import filled


class Clock:
    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def shown(directory: Path, *days: float) -> Path:
    """Return a shelf that showed something so many days after the world's now."""
    with penchant.open(filled(directory)) as engine:
        for day in days:
            engine.recommend("ann", 3, now=world.NOW + day * DAY)
    return directory


def test_what_was_shown_long_ago_is_removed(tmp_path: Path) -> None:
    with open_store(shown(tmp_path / "shelf", 0, 5, 9)) as store:
        wall, steady = Clock(world.NOW + 10 * DAY), Clock(50.0)
        assert Retention(store, 0.0, wall=wall, steady=steady)() == 0
        retention = Retention(store, 4.0, wall=wall, steady=steady)
        assert retention() == 2
        assert len(store.impressions) == 1
        wall.now += 4 * DAY
        steady.now += 4 * DAY
        assert retention() == 1


def test_a_clock_that_jumps_removes_nothing_until_it_went_on_for_a_day(tmp_path: Path) -> None:
    with open_store(shown(tmp_path / "shelf", 0)) as store:
        wall, steady = Clock(world.NOW + 1 * DAY), Clock(50.0)
        retention = Retention(store, 30.0, wall=wall, steady=steady)
        assert retention() == 0
        wall.now += 3650 * DAY
        for _ in range(10):
            steady.now += 3600
            wall.now += 3600
            assert retention() == 0
        wall.now -= 3650 * DAY  # it was set right
        for _ in range(30):
            steady.now += 3600
            wall.now += 3600
            assert retention() == 0
        assert len(store.impressions) == 1


def test_settling_takes_the_log_in_while_others_write_and_read(tmp_path: Path) -> None:
    with penchant.open(filled(tmp_path / "shelf")) as engine, open_store(engine.directory) as store:
        settling = Settling(store, thorough_every=2)
        for turn in range(4):
            event = {"user_id": "ann", "item_id": "w6", "event_id": f"e{turn}"}
            engine.record({**event, "timestamp": world.NOW}, now=world.NOW)
            settling()
        assert engine.record({**event, "timestamp": world.NOW}, now=world.NOW)["known"] == 1
        assert len(engine.recommend("ann", 3, now=world.NOW)) == 3
        # Everything lies in the file itself: a copy of it alone is whole.
        alone = Path(shutil.copy(engine.directory / "penchant.db", tmp_path / "alone.db"))
        with closing(sqlite3.connect(alone)) as copy:
            found = copy.execute("SELECT count(*) FROM events WHERE event_key IS NOT NULL")
            assert found.fetchone()[0] == len(world.events()) + 4
