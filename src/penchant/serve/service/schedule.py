"""When to train next: by a clock that nobody can set.

What was begun last is known from before a restart only by the clock of the wall; a wall that jumps
may shift the next training by one interval at most, and can never make two follow each other.
"""

from __future__ import annotations

import time
from collections.abc import Callable


class Schedule:
    """Says when something is due that is done `every` so many seconds; 0 is never.

    `ago` is how many seconds ago it was begun last, as the wall clock says; None if it never was,
    or nobody knows. A process that is started again and again waits `least` seconds at least.
    """

    def __init__(
        self,
        every: float,
        ago: float | None = None,
        *,
        least: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.every = every
        self._clock = clock
        left = every if ago is None else every - min(max(ago, 0.0), every)
        self._at = clock() + max(left, min(least, every))

    def left(self) -> float | None:
        """Return in how many seconds it is due, 0 and below if it is; None for never."""
        return self._at - self._clock() if self.every > 0 else None

    def due(self) -> bool:
        """Return whether it is to be done now."""
        left = self.left()
        return left is not None and left <= 0

    def begun(self) -> None:
        """Begin counting again: the next is `every` seconds from now, however long this takes."""
        self._at = self._clock() + self.every
