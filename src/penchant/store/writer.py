"""One thread that writes: it commits whatever waits as one group, under a lock between processes.

Plain commits from several processes starve each other in SQLite, and each costs a sync of the disk.
One thread a process, a blocking lock between them, and a commit for all who wait is the simple
sound answer: a caller waits for at most the group before it and its own.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sqlalchemy import Connection, RootTransaction
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

T = TypeVar("T")

# Bounds how long a single event waits behind a bulk load, and what a crash takes back.
GROUP_ROWS = 50_000
WAITING = 4096


@dataclass(slots=True)
class _Task:
    job: Callable[[Connection], Any]
    rows: int
    done: Future[Any] = field(default_factory=Future)


class Writer:
    """Runs jobs in one thread, in order, several in one transaction.

    `connect` opens the connection that writes, `locked` is held around each transaction,
    `begin` opens it, told how many rows it will have, `rolled_back` is told when one was taken
    back. Where nobody waits for what is written, it waits `linger` seconds for more of it: a
    transaction for each takes its time from those who answer.
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
        self._connection: Connection | None = None
        self._tasks: queue.Queue[_Task | None] = queue.Queue(WAITING)
        self._closing = threading.Lock()
        self._closed = False
        # A daemon: a program that forgets to close must still end. What was acknowledged is on
        # disk; what was only submitted is flushed by the owner's finaliser.
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(self, job: Callable[[Connection], T], rows: int = 1) -> Future[T]:
        """Return the future of the job's answer; it is resolved once the commit is durable."""
        task = _Task(job, rows)
        with self._closing:
            if self._closed:
                raise RuntimeError("closed")
            self._tasks.put(task)
        return task.done

    def close(self) -> None:
        """Write what waits, then end the thread."""
        with self._closing:
            if self._closed:
                return
            self._closed = True
            self._tasks.put(None)
        self._thread.join()

    def _run(self) -> None:
        going = True
        while going:
            group, going = self._waiting()
            if group:
                self._commit(group)
        self._disconnect()

    def _waiting(self) -> tuple[list[_Task], bool]:
        group: list[_Task] = []
        rows = 0
        task = self._tasks.get()
        if self._linger and task is not None:
            time.sleep(self._linger)
        while task is not None:
            group.append(task)
            rows += task.rows
            if rows >= GROUP_ROWS:
                return group, True
            try:
                task = self._tasks.get_nowait()
            except queue.Empty:
                return group, True
        return group, False

    def _commit(self, group: list[_Task]) -> None:
        answers: list[Any] = []
        rows = sum(task.rows for task in group)
        try:
            with self._locked():
                connection, transaction = self._begun(rows)
                with transaction:
                    answers = [task.job(connection) for task in group]
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
                self._commit([task])
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
