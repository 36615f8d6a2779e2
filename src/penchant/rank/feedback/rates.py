"""Rates: how often an item is answered when it is shown, decayed, and put right for its place.

Whole numbers per hour, item and group of places; decay is applied on reading, so that a rate can be
asked for at any moment, and is the same however the logs were read. What counts of an exposure is
how far its place is looked at (`examination`): the rate is clicks over expected clicks (Zhang and
Jones, 2007). An item shown little has the rate of its category, a category shown little that of
all: `SHAPE` answers of the mean are added to each (a gamma prior on the rate of a Poisson count).
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from penchant.rank.feedback.examination import examination, group
from penchant.rank.feedback.hours import ClosedHour, OpenHour, later, nothing, rows, shut, taken
from penchant.types import Floats, Ids, Times

HOUR = 3600.0
SHAPE = 1.0
KEPT = 10.0  # half-lives after which an hour counts no more: a thousandth
OPEN = 2  # of the newest hours, those that still change often
_SUMS = 3  # how many sums are kept for readers of other moments


@dataclass(frozen=True, slots=True)
class Rate:
    """The rates of some items at a moment, float32[n] each.

    `answers` and `exposures` are decayed, exposures counted by how far they were looked at;
    `prior` is the rate expected of such an item, and `mean` that of all items.
    """

    answers: Floats
    exposures: Floats
    prior: Floats
    mean: float

    @property
    def value(self) -> Floats:
        """The expected answers to a look, float32[n]."""
        expected: Floats = self.exposures + np.float32(SHAPE) / self.prior
        return (self.answers + np.float32(SHAPE)) / expected

    @property
    def lift(self) -> Floats:
        """The log of the rate against the mean of all, float32[n]: 0 where nothing is known."""
        lift: Floats = np.log(self.value / np.float32(self.mean))
        return lift


@dataclass(frozen=True, slots=True)
class _Sums:
    """What lies before an hour, decayed to its beginning."""

    seen: Floats
    exposed: Floats
    answered: Floats
    of_category: tuple[Floats, Floats]
    exposed_all: float
    answered_all: float


class Rates:
    """Counts of exposures and answers, with a half-life in seconds. Safe for threads."""

    def __init__(self, half_life: float) -> None:
        self._half = half_life
        self._kept = int(np.ceil(KEPT * half_life / HOUR))
        self._lock = threading.Lock()
        self._open: dict[int, OpenHour] = {}
        self._closed: dict[int, ClosedHour] = {}
        self._sums: OrderedDict[int, _Sums] = OrderedDict()
        self._seen: OrderedDict[int, Floats] = OrderedDict()
        # The hour where they began, the hour they end before, and the sums.
        self._settled: tuple[int, int, Floats, Floats] | None = None
        self._categories: npt.NDArray[np.integer] = np.zeros(0, dtype=np.int32)
        self._newest = -(2**62)

    def show(self, items: Ids, places: npt.NDArray[np.int32], times: Times) -> None:
        """Count exposures: `items` stood in `places` (0 the first) at `times`."""
        self._count(items, places, times, answers=False)

    def answer(self, items: Ids, places: npt.NDArray[np.int32], times: Times) -> None:
        """Count answers to items in places, at the times of the answers."""
        self._count(items, places, times, answers=True)

    def categorise(self, categories: npt.NDArray[np.integer]) -> None:
        """Take over the category of each item, -1 for none; what it was is forgotten."""
        with self._lock:
            if len(categories) != len(self._categories) or (categories != self._categories).any():
                self._categories = categories.copy()
                self._sums.clear()

    def at(self, items: Ids, now: float) -> Rate | None:
        """Return the rates of items at `now`, from what happened by then.

        None where nothing did, and where `now` is so long ago that it is forgotten.
        """
        with self._lock:
            hour = _hour(now)
            if self._start(hour) < self._oldest():
                return None
            sums = self._sum(hour)
            exposed, answered = taken(sums.exposed, items), taken(sums.answered, items)
            exposed_all, answered_all = sums.exposed_all, sums.answered_all
            found = self._open.get(hour)
            # An hour of which `now` is not the end holds what came later: it is left out whole.
            if found is not None and found.latest <= now:
                exposed = exposed + rows(found.exposures, items) @ sums.seen
                answered = answered + rows(found.answers, items).sum(axis=1)
                exposed_all += float(found.all_exposures @ sums.seen)
                answered_all += found.all_answers
            if answered_all <= 0 or exposed_all <= 0:
                return None
            mean = answered_all / exposed_all
            prior = np.full(len(items), mean, dtype=np.float32)
            category = np.full(len(items), -1)
            known = items < len(self._categories)
            category[known] = self._categories[items[known]]
            own = category >= 0
            if own.any():
                shown, wanted = sums.of_category
                at = category[own]
                prior[own] = (wanted[at] + SHAPE) / (shown[at] + SHAPE / mean)
            return Rate(answered.astype(np.float32), exposed.astype(np.float32), prior, mean)

    def table(self, now: float) -> tuple[int, Floats, Floats]:
        """Return an hour, and the decayed looks and answers of each item before it, float32[n].

        They are the same for every `now` in that hour, until something late is counted.
        """
        with self._lock:
            sums = self._sum(_hour(now))
            return _hour(now), sums.exposed, sums.answered

    def looked(self, now: float) -> Floats:
        """Return float32[GROUPS]: how far each group of places is looked at, the first being 1."""
        with self._lock:
            return self._looked(_hour(now)).copy()

    def kept(self) -> dict[str, npt.NDArray[Any]]:
        """Return what `resume` takes up again: the counts of every hour."""
        with self._lock:
            hours = {**self._closed, **{hour: shut(one) for hour, one in self._open.items()}}
            ordered = [hours[hour] for hour in sorted(hours)]
            empty = shut(OpenHour())
            return {
                "newest": np.array([self._newest]),
                "hours": np.array(sorted(hours), dtype=np.int64),
                "sizes": np.array([len(one.at) for one in ordered], dtype=np.int64),
                "widths": np.array([one.width for one in ordered], dtype=np.int64),
                "latest": np.array([one.latest for one in ordered], dtype=np.float64),
                "at": np.concatenate([empty.at, *(one.at for one in ordered)]),
                "exposures": np.concatenate([empty.exposures, *(o.exposures for o in ordered)]),
                "answers": np.concatenate([empty.answers, *(one.answers for one in ordered)]),
            }

    def resume(self, kept: Mapping[str, npt.NDArray[Any]]) -> None:
        """Go on from where other rates were."""
        with self._lock:
            self._newest = int(kept["newest"][0])
            self._open, self._closed, self._settled = {}, {}, None
            self._sums.clear()
            self._seen.clear()
            ends = np.cumsum(kept["sizes"])
            for n, hour in enumerate(kept["hours"].tolist()):
                own = slice(int(ends[n] - kept["sizes"][n]), int(ends[n]))
                self._closed[hour] = ClosedHour(
                    kept["at"][own],
                    kept["exposures"][own],
                    kept["answers"][own],
                    int(kept["widths"][n]),
                    float(kept["latest"][n]),
                )
            for hour in [one for one in self._closed if one > self._newest - OPEN]:
                self._reopen(hour)

    def _count(
        self, items: Ids, places: npt.NDArray[np.int32], times: Times, *, answers: bool
    ) -> None:
        if not len(items):
            return
        hours = np.floor(times / HOUR).astype(np.int64)
        cell = group(places)
        with self._lock:
            for hour in np.unique(hours).tolist():
                own = hours == hour
                self._add(hour, items[own], cell[own], float(times[own].max()), answers=answers)

    def _add(
        self, hour: int, items: Ids, cells: npt.NDArray[np.intp], latest: float, *, answers: bool
    ) -> None:
        if hour > self._newest:
            # What was read ahead of the log came there at once: hour by hour it rounds otherwise.
            for kept in (self._sums, self._seen):
                for ahead in [one for one in kept if one > self._newest]:
                    del kept[ahead]
            self._newest = hour
            for old in [one for one in self._open if one <= hour - OPEN]:
                self._close(old)
            for old in [one for one in self._closed if one < self._oldest()]:
                del self._closed[old]
        if hour < self._oldest():
            return
        over = hour <= self._newest - OPEN
        if over:
            self._reopen(hour)
        found = self._open.setdefault(hour, OpenHour())
        found.add(items, cells, answers=answers)
        found.latest = max(found.latest, latest)
        if over:
            self._close(hour)
            self._settled = None
        for after in [one for one in self._sums if one > hour]:
            del self._sums[after]
        for after in [one for one in self._seen if one > hour + 1]:
            del self._seen[after]

    def _oldest(self) -> int:
        """Return the first hour that is kept."""
        return self._start(self._newest) - self._kept

    def _start(self, hour: int) -> int:
        """Return the hour from which on sums that end before `hour` count.

        It moves seldom: sums that are carried on and sums that are made anew begin at the same one,
        and are the same to the last bit.
        """
        return (hour // self._kept - 1) * self._kept

    def _close(self, hour: int) -> None:
        self._closed[hour] = shut(self._open.pop(hour))

    def _reopen(self, hour: int) -> None:
        closed = self._closed.pop(hour, None)
        if closed is not None:
            found = self._open[hour] = OpenHour()
            found.widen(closed.width)
            found.exposures.ravel()[closed.at] = closed.exposures
            found.answers.ravel()[closed.at] = closed.answers
            found.latest = closed.latest
            found.all_exposures = found.exposures.sum(axis=0, dtype=np.int64)
            found.all_answers = int(found.answers.sum())

    def _sum(self, hour: int) -> _Sums:
        found = self._sums.get(hour)
        if found is None:
            exposures, answers = self._until(hour)
            seen = self._looked(hour)
            exposed, answered = exposures @ seen, answers.sum(axis=1)
            n = len(exposed)
            category = np.full(n, -1, dtype=np.int64)
            category[: len(self._categories)] = self._categories[:n]
            own, many = category >= 0, int(self._categories.max(initial=-1)) + 1
            by = [
                np.bincount(category[own], weights=of[own], minlength=many).astype(np.float32)
                for of in (exposed, answered)
            ]
            found = self._sums[hour] = _Sums(
                seen,
                exposed,
                answered,
                (by[0], by[1]),
                float(exposed.sum(dtype=np.float64)),
                float(answered.sum(dtype=np.float64)),
            )
            if len(self._sums) > _SUMS:
                self._sums.popitem(last=False)
        return found

    def _looked(self, hour: int) -> Floats:
        """Return the examination for an hour: told by what was over an hour before it began."""
        seen = self._seen.get(hour)
        if seen is None:
            seen = self._seen[hour] = examination(*self._until(hour - 1))
            if len(self._seen) > _SUMS:
                self._seen.popitem(last=False)
        return seen

    def _until(self, hour: int) -> tuple[Floats, Floats]:
        """Return exposures and answers before an hour, decayed to its beginning."""
        fade = np.float32(2.0 ** (-HOUR / self._half))
        start = self._start(hour)
        last = max(start, min(hour, self._newest - OPEN + 1))  # what is over, is summed once
        settled = self._settled
        if settled is None or settled[0] != start or settled[1] > last:
            settled = (start, start, nothing(), nothing())
        _, at, exposures, answers = settled
        while at < last:
            exposures, answers = later(exposures, answers, self._closed.get(at), fade)
            at += 1
        if last == self._newest - OPEN + 1:
            self._settled = (start, last, exposures, answers)
        while at < hour:
            found = self._open.get(at)
            if found is None and at > self._newest:
                # Nothing comes any more: the rest of the way at once.
                rest = np.float32(2.0 ** (-(hour - at) * HOUR / self._half))
                return exposures * rest, answers * rest
            part = None
            if found is not None:
                flat = found.exposures.ravel()
                width, every = len(found.exposures), np.arange(len(flat))
                part = ClosedHour(every, flat, found.answers.ravel(), width, found.latest)
            exposures, answers = later(exposures, answers, part, fade)
            at += 1
        return exposures, answers


def _hour(time: float) -> int:
    return int(np.floor(time / HOUR))
