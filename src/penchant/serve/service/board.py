"""A few numbers that the workers of one service share: what each holds, and has to do.

They lie in a file that all map into memory, one line of numbers a worker, each written by one
process only. A number that is a moment old does no harm.
"""

from __future__ import annotations

import mmap
import struct
import time
from pathlib import Path

FILE = "board"
CLOSED = -1  # connections of a worker that accepts none
_HELD = struct.Struct("=qd")  # connections, and when its loop last turned (monotonic seconds)
_ASKED = struct.Struct("=q")  # questions that it works on, or that wait there
_SIZE = _HELD.size + _ASKED.size


class Board:
    """The lines of `workers` workers in the file of a runtime folder."""

    def __init__(self, runtime: Path, workers: int, *, create: bool = False) -> None:
        path = runtime / FILE
        if create:
            path.write_bytes((_HELD.pack(CLOSED, 0.0) + _ASKED.pack(0)) * workers)
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), workers * _SIZE)
        self.workers = workers

    def write(self, slot: int, connections: int) -> None:
        """Say how many connections a worker holds, and that it is alive."""
        _HELD.pack_into(self._memory, slot * _SIZE, connections, time.monotonic())

    def clear(self, slot: int) -> None:
        """Say that a worker accepts nothing."""
        _HELD.pack_into(self._memory, slot * _SIZE, CLOSED, 0.0)

    def connections(self, slot: int) -> int:
        """Return how many connections a worker holds; `CLOSED` where it accepts none."""
        return int(_HELD.unpack_from(self._memory, slot * _SIZE)[0])

    def beat(self, slot: int) -> float:
        """Return when a worker last wrote, in seconds of time.monotonic(); 0.0 before it did."""
        return float(_HELD.unpack_from(self._memory, slot * _SIZE)[1])

    def questions(self, slot: int, many: int) -> None:
        """Say how many questions a worker has."""
        _ASKED.pack_into(self._memory, slot * _SIZE + _HELD.size, many)

    def asked(self, slot: int) -> int:
        """Return how many questions a worker has."""
        return int(_ASKED.unpack_from(self._memory, slot * _SIZE + _HELD.size)[0])

    def fewest(self, besides: int) -> int | None:
        """Return the fewest connections that another worker holds, None where no other accepts."""
        others = [self.connections(slot) for slot in range(self.workers) if slot != besides]
        return min((many for many in others if many != CLOSED), default=None)

    def close(self) -> None:
        """Let go of the memory."""
        self._memory.close()
