"""What a detector is told and asked: the contract of this folder."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from penchant.evaluate.watch.finding import Finding
from penchant.evaluate.watch.recent import Recent


@dataclass(frozen=True, slots=True)
class Look:
    """One look at the log: the present (tick, in ten minutes since the epoch), and what is near.

    `held` are the keys of the findings that last: for them a detector is content with less, so that
    a finding does not come and go. `item` gives an item its name for a sentence.
    """

    tick: int
    recent: Recent
    held: Collection[tuple[str, str]]
    item: Callable[[int], str]

    @property
    def now(self) -> float:
        """The end of the tick that is looked at, in seconds."""
        return self.tick * 600.0


class Detector(Protocol):
    """One kind of change. Its state is a fold; what it says at a tick is a function of that."""

    def judge(self, look: Look) -> Iterator[Finding]:
        """Yield what is not as it was in the time before the tick."""

    def close(self, day: int, recent: Recent) -> None:
        """Take in a day (days since the epoch) that is over, after the last of its ticks."""

    def state(self) -> dict[str, Any]:
        """Return what must outlive the process, as JSON holds it."""

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what `state` gave."""
