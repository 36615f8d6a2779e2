"""Where items are, by their attributes, and how far from there people stand."""

from __future__ import annotations

import json

import numpy as np
import numpy.typing as npt

from penchant.interests.context.values import NAMED_PLACE, PLACE, where
from penchant.store.columns import ItemColumns
from penchant.types import Ids

EARTH = 6371.0  # kilometres from its centre to where people stand
Degrees = npt.NDArray[np.float64]
_NOWHERE = (np.nan, np.nan)
_MARKS = tuple(f'"{name}"' for name in (PLACE, *NAMED_PLACE))


def kilometres(here: tuple[float, float], places: Degrees) -> Degrees:
    """Return float64[n], the great-circle distance from (latitude, longitude) to float64[n, 2].

    In degrees; NaN where a place is unknown (the haversine formula).
    """
    a, o = np.radians(here)
    b, p = np.radians(places).T
    half = np.sin((b - a) / 2) ** 2 + np.cos(a) * np.cos(b) * np.sin((p - o) / 2) ** 2
    return np.asarray(2 * EARTH * np.arcsin(np.sqrt(np.clip(half, 0, 1))))


class Places:
    """Where the items of a catalogue are: attributes `latitude` and `longitude`, or `place`."""

    def __init__(self, columns: ItemColumns) -> None:
        self._columns = columns
        # What was read, with the attributes it was read of: those that change are other objects.
        self._read: dict[int, tuple[str, tuple[float, float]]] = {}

    def of(self, items: Ids) -> Degrees:
        """Return float64[n, 2] (latitude, longitude) in degrees, NaN where an item is nowhere."""
        out = np.full((len(items), 2), np.nan)
        read = self._read
        for at, number in enumerate(items.tolist()):
            text = self._columns.attributes_of(number)
            known = read.get(number)
            if known is None or known[0] is not text:
                known = read[number] = (text, _place(text))
            out[at] = known[1]
        return out


def _place(attributes: str) -> tuple[float, float]:
    if not any(mark in attributes for mark in _MARKS):
        return _NOWHERE
    found = json.loads(attributes)
    place = where(found) if isinstance(found, dict) else None
    return _NOWHERE if place is None else place
