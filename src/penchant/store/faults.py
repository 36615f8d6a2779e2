"""What can go wrong where bytes live, and how a driver's complaint becomes one of these."""

from __future__ import annotations

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from penchant.types import Error


class StoreError(Error):
    """The store could not do what was asked; the message says what to do about it."""


class StoreClosed(StoreError):
    """The store was closed, or is used in a process that was forked from the one that opened it."""


class StoreFull(StoreError):
    """The disk, or the quota, under the store is full; nothing of the batch was stored."""


class StoreReadOnly(StoreError):
    """Something was to be written, but the store or its directory can only be read."""


class StoreDamaged(StoreError):
    """The file is not a store, or its pages are damaged."""


_COMPLAINTS: tuple[tuple[str, type[StoreError], str], ...] = (
    (
        "disk is full",
        StoreFull,
        "no space is left; nothing of this batch was stored. Free space, then repeat it",
    ),
    (
        "no space left",
        StoreFull,
        "no space is left; nothing of this batch was stored. Free space, then repeat it",
    ),
    (
        "disk i/o error",
        StoreFull,
        "the disk refused a write or a read (full, over a quota, or failing); nothing of this "
        "batch was stored. Check the disk, then repeat it",
    ),
    (
        "readonly database",
        StoreReadOnly,
        "it can only be read. Give this process the right to write there, or open it with "
        "read_only=True",
    ),
    (
        "read-only transaction",
        StoreReadOnly,
        "the database accepts no writes now; connect to the primary server",
    ),
    (
        "unable to open database file",
        StoreError,
        "the file cannot be opened. Check that the directory exists, that this process may read "
        "and write it, and that the limit of open files is not reached",
    ),
    (
        "not a database",
        StoreDamaged,
        "the file is not a database. Restore a backup, or choose another directory",
    ),
    (
        "malformed",
        StoreDamaged,
        "the file is damaged. Restore a backup (`penchant restore`)",
    ),
    (
        "database is locked",
        StoreError,
        "another program held the write lock for longer than a minute. End it, then repeat",
    ),
)


def fault(error: BaseException, where: str) -> StoreError:
    """Return the error to raise for what a driver reported about the database at `where`."""
    if isinstance(error, StoreError):
        return error
    text = str(error.orig if isinstance(error, DBAPIError) else error).strip()
    lowered = text.lower()
    for mark, kind, advice in _COMPLAINTS:
        if mark in lowered:
            return kind(f"the store at {where}: {advice} (the driver said: {text})")
    if isinstance(error, OSError) and error.errno == 28:
        return StoreFull(f"the store at {where}: no space is left. Free space, then repeat it")
    return StoreError(f"the store at {where} failed: {text or type(error).__name__}")


def is_fault(error: BaseException) -> bool:
    """Return whether the error came from a driver or the disk rather than from a caller."""
    return isinstance(error, SQLAlchemyError | OSError)
