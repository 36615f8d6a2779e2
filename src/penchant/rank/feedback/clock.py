"""The time of a log: the latest of its times, however wrong a few of them are."""

from __future__ import annotations


class Clock:
    """A reading of a log's times in their order; the same times give the same readings.

    It goes forward with the latest time. A time more than `jump` seconds ahead of it is believed
    once `ahead` in a row say so, one as far behind once `behind` do: one request about next year
    moves nothing, and a machine whose clock was wrong for a while is followed back.
    """

    __slots__ = ("_ahead", "_behind", "_believed", "_jump", "now")

    def __init__(self, jump: float, ahead: int = 5, behind: int = 5) -> None:
        self._jump = jump
        self._believed = ahead, behind
        self._ahead: list[float] = []
        self._behind: list[float] = []
        self.now = float("-inf")

    def kept(self) -> tuple[float, list[float], list[float]]:
        """Return what `resume` takes up again."""
        return self.now, list(self._ahead), list(self._behind)

    def resume(self, kept: tuple[float, list[float], list[float]]) -> None:
        """Go on from where another clock was."""
        self.now, ahead, behind = kept
        self._ahead, self._behind = list(ahead), list(behind)

    def read(self, time: float) -> float:
        """Return the time of the log after one more row of it."""
        gap = time - self.now
        if -self._jump <= gap <= self._jump:
            self._ahead, self._behind = [], []
            if gap > 0:
                self.now = time
        elif self.now == float("-inf"):
            self.now = time
        elif gap > 0:
            self._behind = []
            self._ahead.append(time)
            if len(self._ahead) >= self._believed[0]:
                self.now, self._ahead = min(self._ahead), []
        else:
            self._ahead = []
            self._behind.append(time)
            if len(self._behind) >= self._believed[1]:
                self.now, self._behind = max(self._behind), []
        return self.now
