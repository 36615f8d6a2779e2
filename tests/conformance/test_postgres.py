"""What only a server can do to a store: go away, come back, be shared by strangers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from conformance.test_impressions import shown
from penchant.store.faults import StoreError, StoreReadOnly
from penchant.store.open import open_store
from penchant.store.tail import Position
from store.frames import events


def _cut_off(url: str) -> None:
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def test_a_restarted_server_is_found_again(
    fresh_database: Callable[[], str], tmp_path: Path
) -> None:
    url = fresh_database()
    with open_store(tmp_path / "s", url) as store:
        store.log.append(events(("u", "i", 1)))
        store.impressions.add(shown("s"))
        store.impressions.flush()
        position = store.tail(Position()).position
        _cut_off(url)
        assert store.log.history(0, 9, 9).times.tolist() == [1]
        _cut_off(url)
        assert not store.moved(position)
        _cut_off(url)
        assert store.log.append(events(("u", "j", 2))).new == 1
        _cut_off(url)
        store.impressions.add(shown("t"))
        store.impressions.flush()
        assert store.impressions.failed == 0
        assert len(store.tail(position).events) == 1


def test_a_server_that_accepts_no_writes_says_so(
    fresh_database: Callable[[], str], tmp_path: Path
) -> None:
    url = fresh_database()
    open_store(tmp_path / "s", url).close()
    option = "&options=-c%20default_transaction_read_only%3Don"
    with (
        open_store(tmp_path / "s", url + option) as store,
        pytest.raises(StoreReadOnly, match="connect to the primary"),
    ):
        store.log.append(events(("u", "i", 1)))


def test_two_stores_in_two_schemas_of_one_database_do_not_mix(
    fresh_database: Callable[[], str], tmp_path: Path
) -> None:
    import psycopg

    url = fresh_database()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA one")
        connection.execute("CREATE SCHEMA two")
    stores = [
        open_store(tmp_path / name, f"{url}&options=-csearch_path%3D{name}")
        for name in ("one", "two")
    ]
    for k, store in enumerate(stores):
        store.log.append(events(*[("u", "i", t) for t in range(k + 1)]))
    assert [len(store.log.scan(0, 9)) for store in stores] == [1, 2]
    for store in stores:
        store.close()


def test_tables_of_somebody_else_are_refused(
    fresh_database: Callable[[], str], tmp_path: Path
) -> None:
    import psycopg

    url = fresh_database()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE events (mine text)")
    with pytest.raises(StoreError, match="choose an empty database"):
        open_store(tmp_path / "s", url)
