"""Walking a log through a system: ask, then tell; and the same with the telling held back.

The weights never change during a walk; what grows is the log the system is told. Four freshness
arms differ only in when they are told, which is what a real-time claim has to be measured by
(prequential evaluation; Vinagre, Jorge and Gama, 2015).
"""

from __future__ import annotations

import math
import time as clock
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from penchant.evaluate.plan import Plan
from penchant.evaluate.system import System
from penchant.measure.moments import steps
from penchant.measure.slices import SESSION_GAP
from penchant.types import InvalidInput

DAY = 86400.0
Freshness = Literal["frozen", "daily", "session", "event"]
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Walk:
    """The answers of one system: `ranked` int64[r, k] item numbers, -1 behind the end of a list.

    `seconds` float64[r] is how long each answer took, `told` the seconds spent recording.
    """

    ranked: npt.NDArray[np.int64]
    seconds: npt.NDArray[np.float64]
    told: float


def walk(system: System, plan: Plan, k: int = 10, progress: Progress | None = None) -> Walk:
    """Return what the system answers along the plan: it is asked, then told, then time moves on.

    `progress` is called after each answer with how many are done and how many there are.
    """
    number = {item: n for n, item in enumerate(plan.items)}
    total = len(plan.requests)
    ranked = np.full((total, k), -1, dtype=np.int64)
    seconds = np.zeros(total)
    told = 0.0
    for step in steps(plan.moments, plan.requests):
        user = plan.users[step.user]
        if step.request >= 0:
            began = clock.perf_counter()
            answer = system.recommend(user, k, step.time)[:k]
            seconds[step.request] = clock.perf_counter() - began
            for place, item in enumerate(answer):
                if item not in number:
                    raise InvalidInput(
                        f"the system recommended {item!r}, which is not in the catalogue of "
                        f"{len(number)} items being evaluated; give both the same items"
                    )
                ranked[step.request, place] = number[item]
            if progress is not None:
                progress(step.request + 1, total)
        if len(step.events):
            began = clock.perf_counter()
            system.record(user, [plan.items[n] for n in plan.item[step.events]], step.time)
            told += clock.perf_counter() - began
    return Walk(ranked, seconds, told)


def prequential(
    fresh: Callable[[Freshness], AbstractContextManager[System]],
    plan: Plan,
    k: int = 10,
    given: Mapping[Freshness, Walk] | None = None,
    progress: Callable[[Freshness, int, int], None] | None = None,
) -> dict[Freshness, Walk]:
    """Return the walk of each freshness arm, from the stalest to the freshest.

    `fresh(arm)` gives a system in the state of the cut, with the same weights for every arm; what
    it opens is closed after its walk. Arms in `given` have been walked already: an ordinary walk
    is that of "event".
    """
    walks: dict[Freshness, Walk] = {}
    for arm in get_args(Freshness):

        def report(done: int, total: int, arm: Freshness = arm) -> None:
            if progress is not None:
                progress(arm, done, total)

        if given is not None and arm in given:
            walks[arm] = given[arm]
            continue
        with fresh(arm) as system:
            walks[arm] = walk(HeldBack(system, arm), plan, k, report)
    return walks


class HeldBack:
    """A system told late: never ("frozen"), at midnight UTC, when a session is over, or at once.

    What the user already had is left out in every arm, told or not, so that arms differ in what
    they know of interests and not in what they may show. A session is over half an hour after
    its last event. Times never go back, and every event arrives with its own.
    """

    def __init__(self, system: System, freshness: Freshness) -> None:
        if freshness not in get_args(Freshness):
            raise InvalidInput(
                f"freshness is one of {', '.join(get_args(Freshness))}; got {freshness!r}"
            )
        self._system = system
        self._freshness: Freshness = freshness
        # Users in the order of their last event, so that ended sessions are always in front.
        self._waiting: dict[str, list[tuple[float, Sequence[str]]]] = {}
        self._day = -math.inf

    def record(self, user_id: str, item_ids: Sequence[str], timestamp: float) -> None:
        """Take note of what happened; the system hears of it when its arm says so."""
        if self._freshness == "event":
            self._system.record(user_id, item_ids, timestamp)
            return
        self._release(timestamp)
        told = self._waiting.pop(user_id, [])
        told.append((timestamp, item_ids))
        self._waiting[user_id] = told

    def recommend(
        self, user_id: str, k: int, now: float, exclude: Collection[str] = ()
    ) -> list[str]:
        """Return the system's answer from what it was told, without what the user had since."""
        self._release(now)
        had = [item for _, items in self._waiting.get(user_id, ()) for item in items]
        if not had:
            return self._system.recommend(user_id, k, now, exclude)
        return self._system.recommend(user_id, k, now, [*exclude, *had])

    def _release(self, now: float) -> None:
        over: list[str] = []
        if self._freshness == "daily" and now // DAY > self._day:
            self._day = now // DAY
            over = list(self._waiting)
        elif self._freshness == "session":
            for user, told in self._waiting.items():
                if now - told[-1][0] <= SESSION_GAP:
                    break
                over.append(user)
        due = [
            (timestamp, user, items)
            for user in over
            for timestamp, items in self._waiting.pop(user)
        ]
        for timestamp, user, items in sorted(due, key=lambda one: one[0]):
            self._system.record(user, items, timestamp)
