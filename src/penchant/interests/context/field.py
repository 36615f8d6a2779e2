"""One field of a context as a training learned it: its kind, and a small number for each value."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np

from penchant.interests.context import clock
from penchant.interests.context.values import Kind, category, listed, moment, number, place

LISTED = 3  # values of a list that count, the first it has
_TIME = ("hour", "weekday")

FieldKind = Kind | Literal["clock"]


@dataclass(frozen=True)
class Field:
    """A field and its values, which have codes from 1 on; 0 is for what says nothing.

    `values` names the values of a category, of a list and of the clock; `edges` are the borders
    between the ranges of a number, `centres` the (latitude, longitude) that places are near.
    `gain` is how much the field was found to tell, in nats a wish (`learn/context/telling.py`).
    """

    name: str
    kind: FieldKind
    values: tuple[str, ...] = ()
    edges: tuple[float, ...] = ()
    centres: tuple[tuple[float, float], ...] = ()
    gain: float = 0.0

    @property
    def size(self) -> int:
        """The number of codes, without the 0."""
        if self.kind == "number":
            return len(self.edges) + 1
        if self.kind == "place":
            return len(self.centres)
        if self.kind == "time":
            return sum(len(clock.VALUES[name]) for name in _TIME)
        return len(self.values)

    @property
    def slots(self) -> int:
        """How many codes a context has for this field at most."""
        return {"list": LISTED, "time": len(_TIME)}.get(self.kind, 1)

    def codes(self, value: Any) -> tuple[int, ...]:
        """Return the codes of a value, empty where it is unknown or says nothing."""
        if self.kind == "category":
            name = category(value)
            code = self._code.get(name, 0) if name is not None else 0
            return (code,) if code else ()
        if self.kind == "number":
            size = number(value)
            return () if size != size else (bisect_right(self.edges, size) + 1,)
        if self.kind == "list":
            known = (self._code.get(name, 0) for name in listed(value))
            return tuple(code for code in known if code)[:LISTED]
        if self.kind == "time":
            when = moment(value)
            if when is None:
                return ()
            hours = len(clock.VALUES["hour"])
            return (when.hour // 2 + 1, hours + when.weekday() + 1)
        if self.kind == "place":
            where = place(value)
            return () if where is None or not self.centres else (self._nearest(where),)
        return ()

    def says(self, code: int) -> str:
        """Return in words what a code stands for."""
        if self.kind == "number":
            low, high = (f"{edge:g}" for edge in self._around(code))
            if not self.edges:
                return "any"
            return f"under {high}" if code == 1 else f"{low} to {high}" if high != "inf" else (
                f"{low} and more"
            )  # fmt: skip
        if self.kind == "place":
            latitude, longitude = self.centres[code - 1]
            return f"near {latitude:.2f}, {longitude:.2f}"
        if self.kind == "time":
            return [name for field in _TIME for name in clock.VALUES[field]][code - 1]
        return self.values[code - 1]

    @cached_property
    def _code(self) -> dict[str, int]:
        return {name: place for place, name in enumerate(self.values, start=1)}

    @cached_property
    def _unit(self) -> np.ndarray:
        return on_sphere(np.array(self.centres, dtype=np.float64))

    def _nearest(self, where: tuple[float, float]) -> int:
        return int(np.argmax(self._unit @ on_sphere(np.array([where]))[0])) + 1

    def _around(self, code: int) -> tuple[float, float]:
        borders = (-np.inf, *self.edges, np.inf)
        return float(borders[code - 1]), float(borders[code])


def on_sphere(places: np.ndarray) -> np.ndarray:
    """Return float64[n, 3], unit vectors of float64[n, 2] (latitude, longitude) in degrees."""
    latitude, longitude = np.radians(places).T
    flat = np.cos(latitude)
    return np.stack((flat * np.cos(longitude), flat * np.sin(longitude), np.sin(latitude)), axis=1)
