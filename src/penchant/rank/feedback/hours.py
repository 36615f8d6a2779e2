"""Hours of exposures and answers: whole numbers by item and group of places."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from penchant.rank.feedback.examination import GROUPS
from penchant.types import Floats, Ids

Whole = npt.NDArray[np.int32]


class OpenHour:
    """Exposures and answers of one hour, int32[n, GROUPS] each, their sums, and its latest time."""

    __slots__ = ("all_answers", "all_exposures", "answers", "exposures", "latest")

    def __init__(self) -> None:
        self.exposures: Whole = np.zeros((0, GROUPS), dtype=np.int32)
        self.answers: Whole = np.zeros((0, GROUPS), dtype=np.int32)
        self.all_exposures = np.zeros(GROUPS, dtype=np.int64)
        self.all_answers = 0
        self.latest = float("-inf")

    def add(self, items: Ids, cells: npt.NDArray[np.intp], *, answers: bool) -> None:
        """Count an exposure, or an answer, of each item in the group of places beside it."""
        self.widen(int(items.max()) + 1)
        np.add.at(self.answers if answers else self.exposures, (items, cells), 1)
        if answers:
            self.all_answers += len(items)
        else:
            self.all_exposures += np.bincount(cells, minlength=GROUPS)

    def widen(self, n: int) -> None:
        """Have room for `n` items."""
        more = n - len(self.exposures)
        if more > 0:
            self.exposures = np.pad(self.exposures, ((0, more), (0, 0)))
            self.answers = np.pad(self.answers, ((0, more), (0, 0)))


@dataclass(frozen=True, slots=True)
class ClosedHour:
    """An hour that is over: what is not zero in it. `at` are places in the flat [n, GROUPS]."""

    at: npt.NDArray[np.int64]
    exposures: Whole
    answers: Whole
    width: int
    latest: float


def shut(hour: OpenHour) -> ClosedHour:
    """Return an hour as it is kept when it is over."""
    exposures, answers = hour.exposures.ravel(), hour.answers.ravel()
    at = np.flatnonzero(exposures | answers)
    return ClosedHour(at, exposures[at], answers[at], len(hour.exposures), hour.latest)


def later(
    exposures: Floats, answers: Floats, hour: ClosedHour | None, fade: np.float32
) -> tuple[Floats, Floats]:
    """Return the sums with one hour more, decayed by an hour."""
    if hour is None:
        return exposures * fade, answers * fade
    more = max(0, hour.width - len(exposures))
    exposures, answers = (np.pad(one, ((0, more), (0, 0))) for one in (exposures, answers))
    exposures.ravel()[hour.at] += hour.exposures
    answers.ravel()[hour.at] += hour.answers
    return exposures * fade, answers * fade


def nothing() -> Floats:
    """Return sums of no item, float32[0, GROUPS]."""
    return np.zeros((0, GROUPS), dtype=np.float32)


def taken(values: Floats, items: Ids) -> Floats:
    """Return the value of each item, float32[len(items)]; 0 beyond the end."""
    out: Floats = np.zeros(len(items), dtype=np.float32)
    inside = items < len(values)
    out[inside] = values[items[inside]]
    return out


def rows(values: Whole, items: Ids) -> Floats:
    """Return the row of each item, float32[len(items), GROUPS]; 0 beyond the end."""
    out: Floats = np.zeros((len(items), GROUPS), dtype=np.float32)
    inside = items < len(values)
    out[inside] = values[items[inside]]
    return out
