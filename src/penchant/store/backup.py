"""A copy of a whole store while it is in use, and a store from such a copy.

A backup is a directory that can be opened as it is, whichever database the original lies in: tables
in SQLite files, snapshots, settings, rating scales, and the key of the pseudonyms unless it is left
out.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import URL, Connection, Table, delete, func, select, text
from sqlalchemy.exc import SQLAlchemyError

from penchant.store import schema
from penchant.store.database import Database
from penchant.store.faults import StoreDamaged, StoreError, fault
from penchant.store.migrate import migrate
from penchant.store.open import IMPRESSIONS_FILE, LOG_FILE, SNAPSHOTS, Store
from penchant.store.place import (
    HEADLINES_FILE,
    KEY_FILE,
    SCALES_FILE,
    STOPS_FILE,
    as_path,
    prepare,
)
from penchant.store.settings import FILE
from penchant.store.snapshots import CURRENT, Snapshots

CHUNK = 5_000
_SHOWN = (schema.impressions,)
_LOGGED = tuple(t for t in schema.metadata.sorted_tables if t is not schema.impressions)
_FILES = ((LOG_FILE, _LOGGED), (IMPRESSIONS_FILE, _SHOWN))


def backup(store: Store, target: str | Path, *, key: bool = True) -> Path:
    """Return the directory that now holds a copy of the store; it must not exist or be empty.

    Everything acknowledged before is in it; nothing is half in it. Others may write meanwhile. With
    `key` the key of the pseudonyms is in it, where there is one: without it the copy knows nobody
    again, with it whoever has the copy can try ids out.
    """
    goal = as_path(target, "the target of a backup").absolute()
    if not store.read_only:
        store.impressions.flush()
    with _building(goal) as fresh:
        for database, (name, tables) in zip(store.databases, _FILES, strict=True):
            if database.file is not None:
                _copy_file(database.file, fresh / name)
            else:
                _copy_out(database, fresh / name, tables)
        _copy_rest(store.directory, fresh, key=key)
    return goal


def restore(source: str | Path, directory: str | Path, url: str | None = None) -> Path:
    """Return the directory that is now a store with everything the backup `source` holds.

    The directory must not exist or be empty, and so must the database at `url`, if one is given.
    """
    source, directory = Path(source).absolute(), Path(directory).absolute()
    missing = [name for name, _ in _FILES if not (source / name).is_file()]
    if missing:
        raise StoreError(f"{source} is not a backup: {', '.join(missing)} missing")
    prepare(directory.parent, read_only=False, local=False)
    with _building(directory) as fresh:
        for name, _ in _FILES:
            _check(source / name)
            _copy_file(source / name, fresh / name)
        _copy_rest(source, fresh)
        if url is not None:
            for name, tables in _FILES:
                _copy_in(fresh / name, url, tables)
                (fresh / name).unlink()
    return directory


@contextmanager
def _building(target: Path) -> Iterator[Path]:
    """Give a fresh folder that becomes `target` when all went well, and vanishes otherwise."""
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise StoreError(f"{target} exists and is not an empty directory; choose another")
    fresh = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        fresh.mkdir(parents=True)
        yield fresh
        if target.exists():
            target.rmdir()
        fresh.rename(target)
    except (OSError, sqlite3.Error, SQLAlchemyError) as error:
        raise fault(error, str(target)) from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _copy_file(source: Path, target: Path) -> None:
    with (
        closing(sqlite3.connect(f"{source.as_uri()}?mode=ro", uri=True, timeout=60)) as old,
        closing(sqlite3.connect(target)) as new,
    ):
        # In one step: a copy in several begins again whenever somebody writes.
        old.backup(new)
        # One plain file, which can also be read where nothing can be written.
        new.execute("PRAGMA journal_mode=DELETE")
    with target.open("rb") as file:
        os.fsync(file.fileno())


def _check(path: Path) -> None:
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as raw:
        try:
            found = raw.execute("PRAGMA quick_check(1)").fetchone()[0]
        except sqlite3.DatabaseError as error:
            found = str(error)
    if found != "ok":
        raise StoreDamaged(f"{path} is damaged ({found}); restore another backup")


def _copy_rest(source: Path, target: Path, *, key: bool = True) -> None:
    for name in (FILE, SCALES_FILE, STOPS_FILE, HEADLINES_FILE):
        if (source / name).exists():
            shutil.copy2(source / name, target / name)
    if key and (source / KEY_FILE).exists():
        # Nobody but its owner may read it, at no moment.
        handle = os.open(target / KEY_FILE, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write((source / KEY_FILE).read_bytes())
    (target / SNAPSHOTS).mkdir()
    # `current` is read before the folders: what it names is then among them.
    pointer = source / SNAPSHOTS / CURRENT
    current = pointer.read_bytes() if pointer.exists() else b""
    for name in Snapshots(source / SNAPSHOTS, read_only=True).list():
        try:
            shutil.copytree(source / SNAPSHOTS / name, target / SNAPSHOTS / name)
        except shutil.Error:
            # Pruned meanwhile; the current one never is.
            shutil.rmtree(target / SNAPSHOTS / name, ignore_errors=True)
    if current:
        (target / SNAPSHOTS / CURRENT).write_bytes(current)


def _copy_out(database: Database, path: Path, tables: tuple[Table, ...]) -> None:
    with _sqlite(path) as file, file.alone() as new, database.connect() as old:
        # One snapshot of the database for all tables.
        old = old.execution_options(isolation_level="REPEATABLE READ")
        with old.begin():
            _copy_tables(old, new, tables)


def _copy_in(path: Path, url: str, tables: tuple[Table, ...]) -> None:
    database = Database(url)
    try:
        migrate(database)
        with _sqlite(path) as file, database.alone() as new, file.connect() as old:
            for table in tables:
                held = new.execute(select(func.count()).select_from(table)).scalar()
                if held and (table is not schema.heads or _used(new)):
                    raise StoreError(
                        f"{database.name} holds a store already ({table.name}); choose an empty one"
                    )
            _copy_tables(old, new, tables)
            for table in (schema.links, schema.quarantine, schema.impressions):
                if table in tables:
                    # The database's own counter does not know the numbers that were copied.
                    new.execute(
                        text(
                            f"SELECT setval(pg_get_serial_sequence('{table.name}', 'number'), "  # noqa: S608  names of ours
                            f"(SELECT COALESCE(MAX(number), 0) + 1 FROM {table.name}), false)"
                        )
                    )
    finally:
        database.close()


@contextmanager
def _sqlite(path: Path) -> Iterator[Database]:
    file = Database(URL.create("sqlite", database=str(path)))
    try:
        migrate(file)
        yield file
    finally:
        file.close()
        path.with_suffix(".lock").unlink(missing_ok=True)


def _used(connection: Connection) -> bool:
    head = connection.execute(select(schema.heads)).one()
    return bool(sum(head) - head.number)


def _copy_tables(old: Connection, new: Connection, tables: tuple[Table, ...]) -> None:
    for table in tables:
        new.execute(delete(table))
        rows = old.execution_options(yield_per=CHUNK).execute(select(table))
        for part in rows.mappings().partitions(CHUNK):
            new.execute(table.insert(), [dict(row) for row in part])
