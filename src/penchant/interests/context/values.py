"""What somebody wrote in a context, as a value of a kind: category, number, time, place, list.

Nothing here raises: what cannot be read as the kind it should be says nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

Kind = Literal["category", "number", "time", "place", "list"]
PLACE = "place"
"""The field that the keys `latitude` and `longitude` of a context make together."""

LETTERS = 64  # of a category; what is longer is a text
LONGEST = 8  # values of a list that are read
_LATITUDES, _LONGITUDES = ("latitude", "lat"), ("longitude", "lon", "lng")
NAMED_PLACE = frozenset((*_LATITUDES, *_LONGITUDES))
_NOTHING = frozenset(("", "unknown", "none", "null", "nan", "n/a", "na", "?"))


def kind_of(value: object) -> Kind | None:
    """Return what kind of thing a value is, None where it says nothing."""
    if isinstance(value, bool):
        return "category"
    if isinstance(value, int | float):
        return "number" if math.isfinite(value) else None
    if isinstance(value, str):
        if category(value) is None:
            return None
        return "time" if moment(value) is not None else "category"
    if place(value) is not None:
        return "place"
    if isinstance(value, list | tuple):
        return "list" if listed(value) else None
    return None


def category(value: object) -> str | None:
    """Return a value as the name of a category; whole numbers and truth values are written out."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        if not value.is_integer():
            return str(value) if math.isfinite(value) else None
        value = int(value)
    if isinstance(value, int):
        return str(value) if abs(value) < 10**15 else None
    if not isinstance(value, str):
        return None
    text = value.strip()
    return text if len(text) <= LETTERS and text.casefold() not in _NOTHING else None


def number(value: object) -> float:
    """Return a value as a number, NaN where it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return math.nan
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return math.nan
    return found if math.isfinite(found) else math.nan


def moment(value: object) -> datetime | None:
    """Return a value as the date and time that it writes out (ISO 8601), None where it is none."""
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str) or not 10 <= len(value) <= LETTERS or value[4:5] != "-":
        return None
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        return None


def listed(value: object) -> tuple[str, ...]:
    """Return the categories of a list, each once; one value alone is a list of one."""
    many = value if isinstance(value, list | tuple) else (value,)
    found = (category(one) for one in many[:LONGEST])
    return tuple(dict.fromkeys(one for one in found if one is not None))


def place(value: object) -> tuple[float, float] | None:
    """Return (latitude, longitude) in degrees of a mapping or a pair, None where it is none."""
    if isinstance(value, Mapping):
        return pair(value)
    if isinstance(value, list | tuple) and len(value) == 2:
        if any(isinstance(one, str) for one in value):
            return None
        return _on_earth(number(value[0]), number(value[1]))
    return None


def pair(context: Mapping[Any, Any]) -> tuple[float, float] | None:
    """Return (latitude, longitude) that two keys of a mapping say, None where they do not."""
    latitude, longitude = (
        next((number(context[key]) for key in keys if key in context), math.nan)
        for keys in (_LATITUDES, _LONGITUDES)
    )
    return _on_earth(latitude, longitude)


def where(context: Mapping[Any, Any]) -> tuple[float, float] | None:
    """Return where a context is, (latitude, longitude): by two keys, or by the key `place`."""
    found = pair(context)
    return place(context.get(PLACE)) if found is None else found


def _on_earth(latitude: float, longitude: float) -> tuple[float, float] | None:
    if abs(latitude) <= 90 and abs(longitude) <= 180:  # NaN is in neither
        return latitude, longitude
    return None
