"""One thread that writes: it commits whatever waits as one group, under a lock between processes.

Plain commits from several processes starve each other in SQLite, and each costs a sync of the disk.
One thread a process, a blocking lock between them, and a commit for all who wait is the simple
sound answer: a caller waits for at most the group before it and its own.

A large load comes in pieces. Every commit writes each page that was touched, and the indexes of a
long log are touched everywhere; so the pieces share a transaction as long as nobody else waits.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sqlalchemy import Connection, RootTransaction
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

T = TypeVar("T")

# Tasks of so many rows are pieces of a load: they wait in a line of their own, behind the others.
PIECE_ROWS = 5_000
# Bounds how long a single event waits behind a group.
GROUP_ROWS = 50_000
# Seconds after which a load is committed even if nobody of this process waits: others may.
HOLD = 1.0
WAITING = 4096


@dataclass(slots=True)
class _Task:
    job: Callable[[Connection], Any]
    rows: int
    done: Future[Any] = field(default_factory=Future)


class Writer:
    """Runs jobs in one thread, several in one transaction: pieces of loads, and all else, in order.

    `connect` opens the connection that writes, `locked` is held around each transaction,
    `begin` opens it, told how many rows it will have, `rolled_back` is told when one was taken
    back. With `linger` it waits so many seconds for more to write, or until something is submitted
    `soon`, which somebody waits for: a transaction for each takes its time from those who answer.
    """

    def __init__(
        self,
        *,
        name: str,
        connect: Callable[[], Connection],
        locked: Callable[[], AbstractContextManager[None]],
        begin: Callable[[Connection, int], None],
        rolled_back: Callable[[], None],
        linger: float = 0.0,
    ) -> None:
        self._connect, self._locked, self._begin = connect, locked, begin
        self._rolled_back = rolled_back
        self._linger = linger
        self._hurry = threading.Event()
        self._connection: Connection | None = None
        self._single: deque[_Task] = deque()
        self._pieces: deque[_Task] = deque()
        self._changed = threading.Condition()
        self._turn = False  # of the pieces
        self._closed = False
        # A daemon: a program that forgets to close must still end. What was acknowledged is on
        # disk; what was only submitted is flushed by the owner's finaliser.
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(
        self, job: Callable[[Connection], T], rows: int = 1, *, soon: bool = False
    ) -> Future[T]:
        """Return the future of the job's answer; it is resolved once the commit is durable."""
        task = _Task(job, rows)
        with self._changed:
            line = self._pieces if rows >= PIECE_ROWS else self._single
            self._changed.wait_for(lambda: self._closed or len(line) < WAITING)
            if self._closed:
                raise RuntimeError("closed")
            line.append(task)
            if soon:
                self._hurry.set()
            self._changed.notify_all()
        return task.done

    @property
    def waiting(self) -> int:
        """Return how many jobs wait for their transaction."""
        return len(self._single) + len(self._pieces)

    def close(self) -> None:
        """Write what waits, then end the thread."""
        with self._changed:
            if self._closed:
                return
            self._closed = True
            self._hurry.set()
            self._changed.notify_all()
        self._thread.join()

    def _run(self) -> None:
        while group := self._waiting():
            self._commit(group)
        self._disconnect()

    def _waiting(self) -> list[_Task]:
        """Return what is to be committed next; nothing once the writer is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._single or self._pieces)
            linger = self._linger and self._single and not self._closed
        if linger:
            self._hurry.wait(self._linger)
        with self._changed:
            self._hurry.clear()
            # By turns, so that neither keeps the other waiting for ever.
            pieces = bool(self._pieces) and (self._turn or not self._single)
            self._turn = not pieces
            if pieces:
                return [self._taken(self._pieces)]
            group: list[_Task] = []
            rows = 0
            while self._single and rows < GROUP_ROWS:
                group.append(self._taken(self._single))
                rows += group[-1].rows
            return group

    def _another(self, since: float) -> _Task | None:
        """Return the next piece of a load, if it may go on in the transaction begun at `since`."""
        with self._changed:
            if self._single or not self._pieces or time.monotonic() - since > HOLD:
                return None
            return self._taken(self._pieces)

    def _taken(self, line: deque[_Task]) -> _Task:
        self._changed.notify_all()
        return line.popleft()

    def _commit(self, group: list[_Task], again: bool = False) -> None:
        answers: list[Any] = []
        rows = sum(task.rows for task in group)
        try:
            with self._locked():
                connection, transaction = self._begun(rows)
                since = time.monotonic()
                with transaction:
                    answers = [task.job(connection) for task in group]
                    growing = rows >= PIECE_ROWS and not again
                    while growing and (task := self._another(since)) is not None:
                        group.append(task)
                        answers.append(task.job(connection))
        except BaseException as error:
            self._rolled_back()
            if isinstance(error, DBAPIError):
                # Nobody can know what state the driver is in; a fresh connection has a known one.
                self._disconnect()
            if len(group) == 1:
                group[0].done.set_exception(error)
                return
            # One bad job must not fail the others that happened to wait with it.
            for task in group:
                self._commit([task], again=True)
            return
        for task, answer in zip(group, answers, strict=True):
            task.done.set_result(answer)

    def _begun(self, rows: int) -> tuple[Connection, RootTransaction]:
        for last in (False, True):
            if self._connection is None:
                self._connection = self._connect()
            try:
                transaction = self._connection.begin()
                self._begin(self._connection, rows)
                return self._connection, transaction
            except DBAPIError as error:
                # A server that was restarted since: nothing was done yet, so begin once more.
                self._disconnect()
                if last or not error.connection_invalidated:
                    raise
        raise AssertionError("unreachable")

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(SQLAlchemyError):
                connection.close()
