"""A small file beside the tables, replaced whole, which every request may look at.

Who changes it may be another process than those that read it. They ask the file system whether the
file is another one than before, which costs a microsecond, so that a change holds from the next
request on.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Generic, TypeVar

from penchant.store.durable import replaced
from penchant.store.faults import StoreError, StoreReadOnly
from penchant.store.lock import FileLock

T = TypeVar("T")


class Sidecar(Generic[T]):
    """One file as a value: `parse` makes it of bytes, `render` bytes of it, `nothing` is no file.

    `parse` decides what a file means that cannot be read: it is given the OSError.
    """

    def __init__(
        self,
        path: Path,
        parse: Callable[[bytes | OSError], T],
        render: Callable[[T], bytes],
        nothing: T,
        *,
        read_only: bool = False,
    ) -> None:
        self.path = path
        self._parse, self._render, self._nothing = parse, render, nothing
        self._read_only = read_only
        # Replaced as one: what the file looked like, and what it said.
        self._known: tuple[tuple[int, ...], T] = ((), nothing)

    def read(self) -> T:
        """Return what the file says at this moment, whatever process wrote it."""
        mark = self._mark()
        known, value = self._known
        if mark == known:
            return value
        value = self._nothing if not mark else self._parsed()
        self._known = (mark, value)
        return value

    @contextmanager
    def changing(self) -> Iterator[Callable[[T], None]]:
        """Yield what writes a new value; one process at a time is within.

        Raises StoreReadOnly for a directory that was opened to read, StoreError where the file
        cannot be written.
        """
        if self._read_only:
            raise StoreReadOnly(f"{self.path.parent} was opened to read; open it to write")
        lock = FileLock(self.path.with_suffix(".lock"))
        with closing(lock), lock.held():
            yield self._write

    def _write(self, value: T) -> None:
        try:
            with replaced(self.path) as file:
                file.write(self._render(value))
            # A file of the same tick may look like the one before.
            self._known = ((-2,), self._nothing)
        except OSError as error:
            raise StoreError(
                f"{self.path} cannot be written ({error.strerror}), so nothing was changed; free "
                "space or give this process the right to write there, and try again"
            ) from error

    def _parsed(self) -> T:
        try:
            return self._parse(self.path.read_bytes())
        except FileNotFoundError:
            return self._nothing
        except OSError as error:
            return self._parse(error)

    def _mark(self) -> tuple[int, ...]:
        try:
            found = os.stat(self.path)
        except FileNotFoundError:
            return ()
        except OSError:
            return (-1,)
        return (found.st_ino, found.st_mtime_ns, found.st_size)
