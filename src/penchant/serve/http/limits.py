"""Limits: how many requests a key or an address may make, and how many events a person may have.

The generic cell rate algorithm (ATM Forum, 1996): of each one a single moment is kept, the one at
which all that was taken would have been earned. It equals a token bucket and forgets by itself.
"""

from __future__ import annotations

import threading

from penchant.serve.http.problems import Problem

FEW = 10_000  # so many are kept before anybody looks for those to forget


class Limit:
    """A rate a second for each of many, by name; each may save up `burst` seconds of it."""

    def __init__(self, rate: float, burst: float) -> None:
        self.rate = rate
        self.burst = max(burst, 1.0 / rate) if rate else burst
        self._earned: dict[str, float] = {}
        self._look = FEW
        self._guard = threading.Lock()

    def take(self, name: str, now: float, cost: float = 1.0) -> float:
        """Return 0 where `cost` is granted at `now` (seconds), else how many seconds to wait.

        What costs more than can be saved up takes all there is.
        """
        if not self.rate:
            return 0.0
        price = min(cost / self.rate, self.burst)
        with self._guard:  # large bodies are parsed, and counted, in other threads
            earned = max(self._earned.get(name, 0.0), now) + price
            # The clock has its own precision: what was saved up in full is granted in full.
            wait = earned - now - self.burst
            if wait > 1e-9:
                return wait
            self._earned[name] = earned
            if len(self._earned) > self._look:
                self._forget(now)
        return 0.0

    def __len__(self) -> int:
        return len(self._earned)

    def _forget(self, now: float) -> None:
        """Drop everybody who has saved up all there is: a newcomer has the same."""
        self._earned = {name: earned for name, earned in self._earned.items() if earned > now}
        self._look = max(FEW, 2 * len(self._earned))


def grant(limit: Limit, name: str, now: float, what: str, cost: float = 1.0) -> None:
    """Raise a problem 429 where `name` has taken too much; `what` says what is counted."""
    wait = limit.take(name, now, cost)
    if wait:
        raise Problem(
            429,
            f"expected at most {limit.rate:g} {what} a second; ask again in {wait:.1f} s, or have "
            "the limit raised in section [http] of penchant.toml",
            retry_after=wait,
        )
