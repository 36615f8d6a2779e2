"""The contract of what can be evaluated: something that is told what happened, and answers."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol


class System(Protocol):
    """Told events in the order of time, asked for lists in between. Times are seconds, UTC."""

    def record(self, user_id: str, item_ids: Sequence[str], timestamp: float) -> None:
        """Take in what the user had at that time; told late, it comes with its own time."""

    def recommend(
        self, user_id: str, k: int, now: float, exclude: Collection[str] = ()
    ) -> list[str]:
        """Return at most k item ids, best first, none the user already had, none of `exclude`.

        Nothing later than `now` is used; what was recorded at `now` itself counts.
        """
