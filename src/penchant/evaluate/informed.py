"""A baseline that leaves out what the user met in other ways than the events it learns from.

A baseline is told wishes only. The engine also knows what somebody skipped, returned or rated
badly, and does not show it again; without this, a baseline would lose by that alone.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Sequence

import polars as pl

from penchant.evaluate.system import System


class Informed:
    """A system, and everything users `met`: user_id, item_id, timestamp in seconds."""

    def __init__(self, system: System, met: pl.DataFrame) -> None:
        self._system = system
        self._times: dict[str, list[float]] = defaultdict(list)
        self._items: dict[str, list[str]] = defaultdict(list)
        for user, item, time in met.sort("timestamp", maintain_order=True).iter_rows():
            self._times[user].append(time)
            self._items[user].append(item)

    def record(self, user_id: str, item_ids: Sequence[str], timestamp: float) -> None:
        """Tell the system."""
        self._system.record(user_id, item_ids, timestamp)

    def recommend(
        self, user_id: str, k: int, now: float, exclude: Collection[str] = ()
    ) -> list[str]:
        """Return the system's answer without what the user met strictly before `now`."""
        if user_id not in self._times:
            return self._system.recommend(user_id, k, now, exclude)
        met = self._items[user_id][: bisect_left(self._times[user_id], now)]
        return self._system.recommend(user_id, k, now, [*exclude, *met])
