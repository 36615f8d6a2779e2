"""How much a generator may be asked in a window of time."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable

from penchant.types import InvalidInput

SLOTS = 60  # a window is counted in


class Budget:
    """Calls, tokens and seconds within the last `window` seconds; safe between threads.

    None for no limit. A call is counted when it begins, its tokens and seconds when it ends: what
    is under way at one time can go over by as much as it costs.
    """

    def __init__(
        self,
        calls: int | None = None,
        tokens: int | None = None,
        seconds: float | None = None,
        *,
        window: float = 3600.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        for name, limit in (("calls", calls), ("tokens", tokens), ("seconds", seconds)):
            if limit is not None and not limit > 0:
                raise InvalidInput(f"a budget of {name} is above 0, or None for no limit")
        self._limits = [math.inf if one is None else one for one in (calls, tokens, seconds)]
        self._window = window
        self._clock = clock
        self._lock = threading.Lock()
        self._slots: deque[tuple[int, list[float]]] = deque()

    def take(self) -> float:
        """Count a call and return 0; where there is no room, seconds until there is, uncounted."""
        with self._lock:
            if wait := self._wait():
                return wait
            self._slot()[0] += 1
            return 0.0

    def spend(self, tokens: float, seconds: float) -> None:
        """Count what a call cost, now that it is known."""
        with self._lock:
            slot = self._slot()
            slot[1] += tokens
            slot[2] += seconds

    def wait(self) -> float:
        """Return in how many seconds there is room for a call; 0 where there is some."""
        with self._lock:
            return self._wait()

    def state(self) -> dict[str, float]:
        """Return what is counted in the window, and `wait`."""
        with self._lock:
            wait = self._wait()
            calls, tokens, seconds = self._used()
        return {"calls": calls, "tokens": tokens, "seconds": round(seconds, 3), "wait": wait}

    def _slot(self) -> list[float]:
        number = int(self._clock() // (self._window / SLOTS))
        if not self._slots or self._slots[-1][0] < number:
            self._slots.append((number, [0.0, 0.0, 0.0]))
        return self._slots[-1][1]

    def _used(self) -> list[float]:
        return [sum(used[i] for _, used in self._slots) for i in range(3)]

    def _wait(self) -> float:
        length, now = self._window / SLOTS, self._clock()
        # A slot counts until all of it has left the window: rather late than too much.
        while self._slots and (self._slots[0][0] + 1) * length + self._window <= now:
            self._slots.popleft()
        used, free = self._used(), now
        for number, counted in self._slots:
            if all(one < limit for one, limit in zip(used, self._limits, strict=True)):
                break
            used = [one - gone for one, gone in zip(used, counted, strict=True)]
            free = (number + 1) * length + self._window
        return max(0.0, free - now)
