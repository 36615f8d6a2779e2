"""Brings the tables of a database to the version of this code: made new, or upgraded in place."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from penchant.store.database import Database
from penchant.store.faults import StoreDamaged, StoreError
from penchant.store.schema import VERSION, heads, metadata

MIGRATIONS = Path(__file__).parent / "migrations"


def migrate(database: Database) -> None:
    """Make the tables where there are none; upgrade them where an older version made them.

    Alembic takes longer to import than most stores take to open, so it is imported only where
    the stamped version differs from this code's.
    """
    with database.connect() as connection:
        stamped = version(connection)
        if stamped == VERSION:
            return
        if stamped is None and inspect(connection).has_table("events"):
            raise StoreDamaged(
                f"{database.name} has tables that no version of Penchant stamped; "
                "choose an empty database, or restore a backup"
            )
    if database.read_only:
        if stamped is None:
            raise StoreError(f"{database.name} is not a store yet; open it once to write")
        raise StoreError(
            f"{database.name} is of version {stamped}, this code of {VERSION}; "
            "open it once to write, which upgrades it"
        )
    with database.alone() as connection:
        stamped = version(connection)  # another process may have been faster
        if stamped is None:
            create(connection)
        elif stamped != VERSION:
            upgrade(connection, database.name)


def version(connection: Connection) -> str | None:
    """Return the version stamped in the database, None where there is none."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    row = connection.execute(text("SELECT version_num FROM alembic_version")).fetchone()
    return None if row is None else str(row[0])


def create(connection: Connection) -> None:
    """Make all tables at once and stamp them: the same as running every migration, but quick."""
    metadata.create_all(connection)
    connection.execute(
        heads.insert().values(
            number=1, event_offset=0, item_change=0, user_change=0, link_change=0, retraction=0
        )
    )
    connection.execute(
        text(
            "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL, "
            "CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
        )
    )
    connection.execute(text("INSERT INTO alembic_version VALUES (:version)"), {"version": VERSION})


def upgrade(connection: Connection, name: str) -> None:
    """Run the migrations that are missing, in the transaction of `connection`."""
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise StoreError(
            f"{name} was made by another version of Penchant that this one ({VERSION}) does not "
            f"know ({error}); install the newer version, or restore a backup"
        ) from error
