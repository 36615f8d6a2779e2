"""Items and persons that do far more than they used to.

An item is counted by the people who had to do with it, so that one of them cannot lift it alone,
and measured against its share of the last weeks: of as many people as came, how many would it have
had? A person is counted by moments, a basket being one, and measured against their own days. Both
are Poisson rates known from a sample, so their predictive law is the gamma mixture, the negative
binomial; the limit is divided by how many were looked at (Bonferroni).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from penchant.evaluate.watch.config import WatchConfig
from penchant.evaluate.watch.counts import TICKS
from penchant.evaluate.watch.detector import Look
from penchant.evaluate.watch.finding import Finding
from penchant.evaluate.watch.packing import packed, unpacked
from penchant.evaluate.watch.recent import Happened, Recent
from penchant.measure.surprise import above

Own = Callable[[int, float], tuple[int, int]]
"""Moments and active days of a person (number) before a time, as far as they are looked up."""

WINDOWS = (1, 6, 24)  # hours
HALF = 28.0  # days after which what an item had counts half
FEWEST = 12  # people that make a surge of an item
TIMES = 3.0  # times as many as expected
_PRIOR = 0.5
_LIVELY = 0.98  # the quantile of items whose change from day to day is taken to be nobody's fault
_FOLLOW = 0.2  # how fast that follows the days
_ITEM_SPREAD = 0.5
MOMENTS = 40  # of a day, below which nobody floods
_STRANGER = 3.0  # days of an average person that stand for what is not known of one
_LOOKED_AT = 20


class ItemSurges:
    """Items that many people turn to at once."""

    def __init__(self, config: WatchConfig) -> None:
        self._config = config
        self._had: npt.NDArray[np.float64] = np.zeros(0)
        self._spread = _ITEM_SPREAD
        self._days = 0

    def judge(self, look: Look) -> Iterator[Finding]:
        """Yield the items that have more people than their share says."""
        told: set[int] = set()
        hourly = look.tick % TICKS == 0
        for hours in WINDOWS if self._days >= 3 else ():
            if hours > 1 and not hourly:
                continue
            pairs = people(look.recent.between(look.now - 3600.0 * hours, look.now))
            for item, came, due in self._odd(look, pairs, told):
                told.add(item)
                yield Finding(
                    "item",
                    f"item:{item}",
                    look.now - 3600.0 * hours,
                    "notice",
                    came,
                    round(due, 2),
                    f"{came:,} people turned to {look.item(item)} in {hours} h, where about "
                    f"{due:,.1f} were expected. If you know why (a campaign, the news), all is "
                    "well; if not, look who they are before they teach others: see [cleaning] "
                    "burst_moments, and `penchant forget` or undo for what is not real",
                )

    def close(self, day: int, recent: Recent) -> None:
        """Take in who turned to what on a day that is over."""
        pairs = people(recent.between(day * 86400.0, (day + 1) * 86400.0))
        self._grow(int(pairs.max(initial=-1)) + 1)
        if len(pairs):
            counted = np.bincount(pairs, minlength=len(self._had)).astype(np.float64)
            self._calibrate(counted)
            self._had = self._had * 0.5 ** (1.0 / HALF) + counted
            self._days += 1

    def state(self) -> dict[str, Any]:
        """Return what each item had, by number, decayed."""
        return {
            "had": packed(self._had.astype(np.float32)),
            "spread": self._spread,
            "days": self._days,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what `state` gave."""
        self._had = unpacked(state["had"]).astype(np.float64)
        self._spread, self._days = float(state["spread"]), int(state["days"])

    def _odd(
        self, look: Look, pairs: npt.NDArray[np.int32], told: set[int]
    ) -> Iterator[tuple[int, int, float]]:
        if not len(pairs):
            return
        self._grow(int(pairs.max()) + 1)
        counted = np.bincount(pairs, minlength=len(self._had))
        share, all_of = self._shares(), len(pairs)
        limit = float(np.log10(self._config.surprise / max(1, int((counted > 0).sum()))))
        for item in np.flatnonzero(counted >= FEWEST // 2).tolist():
            held = ("item", f"item:{item}") in look.held
            came, due = int(counted[item]), float(share[item]) * all_of
            times = TIMES / 2 if held else TIMES
            if item in told or came < (FEWEST // 2 if held else FEWEST) or came < times * due:
                continue
            spread = self._spread + 1.0 / (self._had[item] + _PRIOR)
            if above(came, max(due, 0.05), spread) <= (-2.0 if held else limit):
                yield item, came, due

    def _shares(self) -> npt.NDArray[np.float64]:
        known = self._had + _PRIOR
        share = known / known.sum()
        # Nobody knows how popular a new item will be: like the best known ones is no surprise.
        new = self._had == 0
        if (~new).any():
            share[new] = max(
                float(np.quantile(share[~new], _LIVELY)), float(share[new].max(initial=0))
            )
        return np.asarray(share, dtype=np.float64)

    def _calibrate(self, counted: npt.NDArray[np.float64]) -> None:
        if self._days < 3:
            return
        known = self._had + _PRIOR
        due = known / known.sum() * counted.sum()
        some = due >= 2.0
        if some.sum() < 20:
            return
        came, mean = counted[some], due[some]
        needed = ((came - mean) ** 2 / 2.33**2 - mean) / mean**2 - 1.0 / known[some]
        measured = max(0.05, float(np.quantile(needed, _LIVELY)))
        self._spread += _FOLLOW * (measured - self._spread)

    def _grow(self, n: int) -> None:
        if n > len(self._had):
            self._had = np.pad(self._had, (0, n - len(self._had)))


class PersonSurges:
    """Persons who are far busier than on their own days before."""

    def __init__(self, own: Own, config: WatchConfig) -> None:
        self._own, self._config = own, config
        self._mean, self._spread, self._days = 3.0, 1.0, 0

    def judge(self, look: Look) -> Iterator[Finding]:
        """Yield the persons of the last 24 hours who are."""
        if self._days < 3:
            return
        begin = look.now - 86400.0
        who, moments = busy(look.recent.between(begin, look.now))
        limit = float(np.log10(self._config.surprise / max(1, len(who))))
        held = {subject for kind, subject in look.held if kind == "person"}
        most = np.argsort(-moments, kind="stable")[:_LOOKED_AT]
        for place in most[moments[most] >= MOMENTS // 2].tolist():
            person, came = int(who[place]), int(moments[place])
            lasting = f"person:{person}" in held
            if not lasting and came < MOMENTS:
                continue
            past, days = self._own(person, begin)
            due = (past + _STRANGER * self._mean) / (days + _STRANGER)
            if above(came, due, self._spread) <= (-2.0 if lasting else limit):
                yield Finding(
                    "person",
                    f"person:{person}",
                    begin,
                    "warning",
                    came,
                    round(due, 2),
                    f"one person did something at {came:,} moments in 24 h, where about {due:,.0f} "
                    "were expected of them on a day. Often a robot or a client in a loop: look at "
                    "what they did (`penchant doctor` names them), and forget them if need be",
                )

    def close(self, day: int, recent: Recent) -> None:
        """Take in how busy people were on a day that is over."""
        _, moments = busy(recent.between(day * 86400.0, (day + 1) * 86400.0))
        if len(moments) < 5:
            return
        # The busiest do not say what is usual.
        some = np.sort(moments)[: max(4, int(0.99 * len(moments)))].astype(np.float64)
        mean = float(some.mean())
        spread = min(4.0, max(0.5, (float(some.var()) - mean) / mean**2))
        step = max(_FOLLOW, 1.0 / (self._days + 1))
        self._mean += step * (mean - self._mean)
        self._spread += step * (spread - self._spread)
        self._days += 1

    def state(self) -> dict[str, Any]:
        """Return what is usual; nothing of any person."""
        return {"mean": self._mean, "spread": self._spread, "days": self._days}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what `state` gave."""
        self._mean, self._spread = float(state["mean"]), float(state["spread"])
        self._days = int(state["days"])


def people(events: Happened) -> npt.NDArray[np.int32]:
    """Return the item of each distinct pair of person and item, int32."""
    some = events.items >= 0
    users, items = events.users[some].astype(np.int64), events.items[some].astype(np.int64)
    return np.asarray(np.unique(users << 32 | items) & 0xFFFFFFFF, dtype=np.int32)


def busy(events: Happened) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the persons and how many distinct seconds they did something in."""
    users, seconds = events.users.astype(np.int64), events.times.astype(np.int64)
    moments = np.unique(users << 34 | seconds & (1 << 34) - 1)
    who, count = np.unique(moments >> 34, return_counts=True)
    return who, count
