"""What an import counts is what happened, also when it is repeated."""

from __future__ import annotations

from pathlib import Path

import polars as pl

import penchant
from shelves import mute

NOW = 1_704_110_400.0


def test_a_file_imported_again_keeps_nothing_twice(tmp_path: Path) -> None:
    table = tmp_path / "events.csv"
    pl.DataFrame(
        {
            "user_id": ["a", "", "b", "", None],
            "item_id": ["i", "i", "j", "i", "k"],
            "timestamp": [NOW - 9, NOW - 8, NOW * 9, NOW - 8, NOW - 7],
        }
    ).write_csv(table)
    items = [{"item_id": "i", "title": "One"}, {"item_id": "", "title": "None"}]
    with penchant.open(mute(tmp_path / "shelf")) as engine:
        first = engine.record(table, now=NOW)
        assert first["quarantined"] == 4
        assert "already_kept_aside" not in first
        kept = engine._store.quarantine.counts()
        assert sum(kept.values()) == 4
        again = engine.record(table, now=NOW)
        assert (again["new"], again["known"]) == (0, first["new"])
        assert (again["quarantined"], again["already_kept_aside"]) == (4, 4)
        assert engine._store.quarantine.counts() == kept
        assert engine.add(items)["quarantined"] == 1
        assert engine.add(items)["already_kept_aside"] == 1
        users = engine.add(users=[{"user_id": ""}])
        assert users["users_quarantined"] == 1
        assert engine.add(users=[{"user_id": ""}])["users_already_kept_aside"] == 1
        # A file that grew keeps aside what is new in it.
        with table.open("a") as file:
            file.write(f",z,{NOW - 6}\n")
        grown = engine.record(table, now=NOW)
        assert (grown["quarantined"], grown["already_kept_aside"]) == (5, 4)
        assert sum(engine._store.quarantine.counts().values()) == 4 + 1 + 1 + 1
