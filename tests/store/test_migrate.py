"""Versions: a store of any older version opens under this one; a newer one is refused."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import create_engine

from penchant.store.faults import StoreDamaged, StoreError
from penchant.store.migrate import MIGRATIONS, create, upgrade, version
from penchant.store.open import open_store
from penchant.store.schema import VERSION, metadata
from penchant.store.tail import Position
from store.frames import events

FIXTURES = Path(__file__).parents[1] / "fixtures"


def _schema(connection: object) -> dict[str, str]:
    rows = connection.exec_driver_sql("SELECT name, sql FROM sqlite_master")  # type: ignore[attr-defined]
    return {name: re.sub(r"\s*([(),])\s*|\s+", r"\1 ", sql or "") for name, sql in rows}


def test_running_every_migration_makes_what_a_fresh_store_has(tmp_path: Path) -> None:
    pytest.importorskip("alembic")
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    fresh = create_engine(f"sqlite:///{tmp_path}/fresh.db")
    upgraded = create_engine(f"sqlite:///{tmp_path}/upgraded.db")
    with fresh.begin() as connection:
        create(connection)
        wanted = _schema(connection)
        heads = connection.exec_driver_sql("SELECT * FROM heads").fetchall()
    with upgraded.begin() as connection:
        upgrade(connection, "test")
        assert version(connection) == VERSION
        assert _schema(connection) == wanted
        assert connection.exec_driver_sql("SELECT * FROM heads").fetchall() == heads
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    fresh.dispose()
    upgraded.dispose()


def test_migrations_are_numbered_without_gaps_and_the_last_is_this_version() -> None:
    files = sorted(path.name for path in (MIGRATIONS / "versions").glob("*.py"))
    assert [name[:4] for name in files] == [f"{k + 1:04d}" for k in range(len(files))]
    assert files[-1][:4] == VERSION


def rebuild(fixture: Path, directory: Path) -> None:
    """Make the directory that a version of the package left, from its committed text."""
    directory.mkdir()
    for dump in fixture.glob("*.sql"):
        with closing(sqlite3.connect(directory / f"{dump.stem}.db")) as connection:
            connection.executescript(dump.read_text(encoding="utf-8"))
            connection.execute("PRAGMA journal_mode=WAL")
    for path in fixture.rglob("*"):
        if path.is_file() and path.suffix != ".sql":
            target = directory / path.relative_to(fixture)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())


@pytest.mark.parametrize("fixture", sorted(FIXTURES.glob("version_*")), ids=lambda path: path.name)
def test_a_store_of_an_older_version_opens(fixture: Path, tmp_path: Path) -> None:
    rebuild(fixture, tmp_path / "s")
    with open_store(tmp_path / "s") as store:
        tail = store.tail(Position())
        assert tail.events.times.tolist() == [1000.25, 1000.5, 2000, 2001]
        assert [tail.events.kind_names[k] for k in tail.events.kinds] == [
            "click", "purchase", "search", "click",
        ]  # fmt: skip
        np.testing.assert_array_equal(tail.events.values, np.float32([np.nan, 9.5, np.nan, 1]))
        assert tail.events.items.tolist() == [0, 1, -1, 2]
        assert tail.events.texts == (None, None, "space opera 宇宙", None)
        assert tail.events.slates == ("slate-1", None, None, None)
        assert store.log.seen(0, 1e9).tolist() == [0, 1]
        catalogue = tail.items.sort("number")
        assert catalogue["item_id"].to_list() == ["item-1", "item-2", "unnamed"]
        assert catalogue["title"].to_list() == ["A long road", "Öde See", ""]
        assert catalogue["tags"].to_list() == [["west", "road"], [], []]
        assert catalogue["described"].to_list() == [True, True, False]
        assert catalogue["removed"].to_list() == [False, True, False]
        people = store.people.get(range(3))
        assert people["user_id"].to_list() == ["ann", None, "cy"]
        assert store.people.links().rows() == [("item-1", "directed_by", "somebody", 0.5)]
        again = [{"user_id": "cy", "timestamp": "2999"}]
        assert store.quarantine.add("time in the future", again) == 0
        assert store.quarantine.counts() == {"time in the future": 1}
        shown = store.impressions.get("slate-1")
        assert shown is not None
        assert (shown.items.tolist(), shown.names) == ([1, 0], ("popularity",))
        assert shown.features.tolist() == [[2.0], [1.0]]
        told = {"device": "tv"} if fixture.name >= "version_0003" else {}
        assert (dict(shown.context), shown.notes.get("context")) == (told, None)
        assert store.impressions.after(0, 9).contexts == ((told,) if told else ())
        current = store.snapshots.current()
        assert current is not None
        assert current.json("names") == ["one", "two"]
        assert store.settings.table("encoder") == {"batch": 16}
        assert store.snapshots.warnings == []
        # And it lives on: numbers continue, what was undone and known stays so.
        done = store.log.append(
            events(("ann", "item-2", 3000, "click", "undone"), ("bob", "item-9", 3000))
        )
        assert (done.new, done.known) == (1, 1)
        assert store.people.numbers(["bob"]).tolist() == [3]
    assert any(FIXTURES.glob("version_0001"))


def test_a_newer_store_is_refused_untouched(tmp_path: Path) -> None:
    open_store(tmp_path / "s").close()
    with closing(sqlite3.connect(tmp_path / "s" / "penchant.db")) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    for read_only in (False, True):
        with pytest.raises(StoreError, match=r"9999|newer version"):
            open_store(tmp_path / "s", read_only=read_only)
    with closing(sqlite3.connect(tmp_path / "s" / "penchant.db")) as connection:
        assert connection.execute("SELECT * FROM alembic_version").fetchall() == [("9999",)]


def test_tables_of_somebody_else_are_refused(tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    with closing(sqlite3.connect(tmp_path / "s" / "penchant.db")) as connection:
        connection.execute("CREATE TABLE events (mine TEXT)")
    with pytest.raises(StoreDamaged, match="no version of Penchant stamped"):
        open_store(tmp_path / "s")


def test_alembic_is_not_imported_where_nothing_is_to_be_migrated(tmp_path: Path) -> None:
    code = (
        "import sys; from penchant.store.open import open_store;"
        "open_store(sys.argv[1]).close(); open_store(sys.argv[1]).close();"
        "print(sorted(m for m in sys.modules if m.split('.')[0] in "
        "('alembic', 'mako', 'pandas', 'torch', 'psycopg')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "s")],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == "[]"
