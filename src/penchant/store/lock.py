"""A lock between processes: a file that at most one holds, released by the kernel when one dies."""

from __future__ import annotations

import fcntl
import os
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from penchant.store.faults import StoreError, fault


class Held(StoreError):
    """A lock that another process, or another thread, holds."""


class FileLock:
    """Blocks until the file is ours; two locks on one file exclude each other in a process too."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._thread = threading.Lock()
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise fault(error, str(path)) from error
        # A forked child shares the open file: if its parent died holding the lock, the child would
        # keep everybody out for as long as it lives.
        mine = weakref.ref(self)
        os.register_at_fork(after_in_child=lambda: _drop(mine()))

    @contextmanager
    def held(self, *, wait: bool = True) -> Iterator[None]:
        """Hold the lock; waits for as long as another holds it, or raises `Held` at once."""
        with self._thread:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError as error:
                raise Held(f"another holds {self.path}; wait until it is done") from error
            try:
                yield
            finally:
                fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        """Close the file, which releases the lock."""
        with self._thread:
            if self._file >= 0:
                os.close(self._file)
                self._file = -1


def _drop(lock: FileLock | None) -> None:
    if lock is not None and lock._file >= 0:
        with suppress(OSError):
            os.close(lock._file)
        lock._file = -1
