"""Listwise re-ranking by a language model: the best of a slate in the order that it proposes.

The one place where a request asks a generator, off by default and bound on every side: it waits no
longer than a deadline, few requests wait at a time, and while the generator fails it is not asked.
Late, wrong or overloaded, the order from before stands. It is told interests by name and what the
items are called, and can only move what is there.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from penchant.interests.expansion.ground import Ground
from penchant.interests.expansion.portrait import portrait
from penchant.interests.state import State
from penchant.language.generator.expanding import Interest
from penchant.language.generator.generator import Generator
from penchant.language.generator.open import GeneratorConfig, open_generator
from penchant.language.generator.ranking import MOST, rank_list
from penchant.rank.stage import taken
from penchant.store.settings import Settings
from penchant.types import Candidates, Error, InvalidInput, Query

REMEMBERED, FRESH = 1_000, 300.0  # orders, and seconds for which one holds: pages are read twice


class ListwiseConfig(BaseModel):
    """Section `listwise`: a language model puts the best of each slate into its order.

    `enabled` switches it, and then each request waits for the server of section `generator`, for at
    most `deadline` seconds; `items` is how many it orders, `at_once` how many requests may wait for
    it at a time. The others keep the order they have.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    enabled: bool = False
    items: int = Field(20, ge=2, le=MOST)
    deadline: float = Field(0.8, gt=0.0, le=30.0)
    at_once: int = Field(4, ge=1, le=100)


class Orders:
    """Asks a generator for orders, for all snapshots of a process; safe between threads.

    What it said of the same interests and lines is remembered for some minutes.
    """

    def __init__(self, generator: Generator, config: ListwiseConfig) -> None:
        self.config = config
        self._generator = generator
        self._waiting = threading.Semaphore(config.at_once)
        self._known: OrderedDict[tuple[str, ...], tuple[float, list[int]]] = OrderedDict()
        self._lock = threading.Lock()

    def order(self, interests: Sequence[Interest], lines: Sequence[str]) -> list[int] | None:
        """Return the places of lines in their new order; None where there is none in time."""
        key = (*(interest.told() for interest in interests), "", *lines)
        with self._lock:
            at, found = self._known.get(key, (0.0, []))
            if found and time.monotonic() - at < FRESH:
                return found
        if not self._waiting.acquire(blocking=False):
            return None
        try:
            found, _ = rank_list(self._generator, interests, lines, self.config.deadline)
        except Error:
            return None
        finally:
            self._waiting.release()
        with self._lock:
            self._known[key] = time.monotonic(), found
            while len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        return found


class Listwise:
    """A re-ranker: it reorders the first candidates of a request, and keeps all others."""

    name = "listwise"

    def __init__(self, orders: Orders, ground: Ground) -> None:
        self._orders, self._ground = orders, ground

    def __call__(self, query: Query, state: State, candidates: Candidates) -> Candidates:
        """Return the same candidates, the first in the order that was proposed."""
        n = min(max(self._orders.config.items, query.k), MOST, len(candidates))
        # Words say better what is wanted than interests do, and of nobody there are none.
        if n < 2 or query.text or not len(state.liked):
            return candidates
        mine = portrait(state, self._ground)
        names = self._ground.concepts.names
        strongest = mine.strongest()
        interests = [
            Interest(
                names[one], float(mine.own[one] / mine.own[strongest[0]]), float(mine.trend[one])
            )
            for one in strongest
        ]
        columns = self._ground.columns
        lines = []
        for item in candidates.items[:n].tolist():
            code = int(columns.category[item])
            category = f" ({columns.categories[code]})" if code >= 0 else ""
            lines.append(f"{columns.titles[item] or columns.ids[item]}{category}")
        found = self._orders.order(interests, lines) if interests else None
        if found is None:
            return candidates
        order = np.concatenate((np.array(found), np.arange(n, len(candidates))))
        return taken(candidates, order)


def open_orders(settings: Settings) -> Orders | None:
    """Return who is asked for orders, None where nobody is.

    Raises InvalidInput where it is switched on and no generator is named.
    """
    config = settings.section("listwise", ListwiseConfig)
    if not config.enabled:
        return None
    generator = open_generator(settings.section("generator", GeneratorConfig))
    if generator is None:
        raise InvalidInput(
            "[listwise] is enabled and no generator is named: give url and model in [generator]"
        )
    return Orders(generator, config)
