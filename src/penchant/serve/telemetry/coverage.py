"""How much of the catalogue is shown: distinct items of the last day, over all processes.

A fixed map of bytes that all processes share: each item has one place by its hash, which holds the
hour in which it was last shown. Places that two items share are made up for by linear counting
(Whang, Vander-Zanden and Taylor 1990): n = -m ln(share of places that are empty); its error is
below 1% up to a million items.
"""

from __future__ import annotations

import math
import mmap
import time
from collections.abc import Iterable
from hashlib import blake2b
from pathlib import Path

import numpy as np

PLACES = 1 << 20
HOURS = 24
FILE = "shown"
_AROUND = 255  # hours are counted from 1 to this, and again


class Coverage:
    """Distinct items shown lately. With `folder` together with the other processes there."""

    def __init__(self, folder: Path | None = None) -> None:
        if folder is None:
            self._memory: mmap.mmap | bytearray = bytearray(PLACES)
            return
        path = folder / FILE
        with path.open("a+b") as file:
            file.truncate(PLACES)
            self._memory = mmap.mmap(file.fileno(), PLACES)

    def show(self, items: Iterable[str], now: float | None = None) -> None:
        """Note that these items were shown."""
        hour = _hour(time.time() if now is None else now)
        memory = self._memory
        for item in items:
            name = item.encode("utf-8", "surrogatepass")
            # A checksum would be quicker, and puts ids that count upwards into the same places.
            place = int.from_bytes(blake2b(name, digest_size=4).digest(), "big") % PLACES
            memory[place] = hour

    def count(self, now: float | None = None) -> float:
        """Return how many distinct items were shown in the last `HOURS` hours."""
        hour = _hour(time.time() if now is None else now)
        places = np.frombuffer(self._memory, dtype=np.uint8).astype(np.int16)
        recent = (places > 0) & ((hour - places) % _AROUND < HOURS)
        empty = PLACES - int(np.count_nonzero(recent))
        return float(PLACES) if not empty else -PLACES * math.log(empty / PLACES)


def _hour(seconds: float) -> int:
    return int(seconds // 3600) % _AROUND + 1
