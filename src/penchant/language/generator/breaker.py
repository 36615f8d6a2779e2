"""Leaving a generator alone that fails, for longer each time."""

from __future__ import annotations

import time
from collections.abc import Callable

from penchant.types import InvalidInput


class Breaker:
    """After `failures` in a row it is left alone for `pause` seconds, then for twice that, and on.

    No pause is longer than `longest`. When one is over, a single call may try; others wait for what
    comes of it, or for another such pause. One success ends it all. Not safe between threads:
    `Guarded` holds it under its lock.
    """

    def __init__(
        self,
        failures: int = 3,
        pause: float = 30.0,
        longest: float = 3600.0,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if failures < 1 or not 0 < pause <= longest:
            raise InvalidInput(
                "expected at least one failure, and a pause above 0, not the longest"
            )
        self.in_a_row = 0
        self._failures = failures
        self._pause = pause
        self._longest = longest
        self._clock = clock
        self._until = 0.0

    def wait(self) -> float:
        """Return for how many seconds it is to be left alone; 0 where it may be asked."""
        if self.in_a_row < self._failures:
            return 0.0
        return max(0.0, self._until - self._clock())

    def begin(self) -> None:
        """Note that it is asked: after a pause, nobody else does for as long again."""
        if self.in_a_row >= self._failures:
            self._until = self._clock() + self._length()

    def succeed(self) -> None:
        """Note that it answered."""
        self.in_a_row = 0

    def fail(self) -> None:
        """Note that it failed."""
        self.in_a_row += 1
        if self.in_a_row >= self._failures:
            self._until = self._clock() + self._length()

    def _length(self) -> float:
        times = min(self.in_a_row - self._failures, 60)
        return min(self._longest, self._pause * 2.0**times)
