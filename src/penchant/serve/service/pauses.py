"""How long to wait before something that ended is started again."""

from __future__ import annotations

FIRST, MOST, GROWTH = 0.1, 30.0, 2.0
SOUND = 60.0  # seconds after which an end is no consequence of the start


class Pauses:
    """Pauses that grow as long as every start ends soon: 0.1, 0.2, 0.4, ... 30 seconds."""

    def __init__(self) -> None:
        self._next = FIRST

    def after(self, lived: float) -> float:
        """Return the pause after something that lived so many seconds."""
        if lived >= SOUND:
            self._next = FIRST
        pause, self._next = self._next, min(MOST, self._next * GROWTH)
        return pause
