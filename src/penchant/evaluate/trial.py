"""The real engine as a system that can be evaluated: a copy of a trained directory, driven live."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import polars as pl

from penchant.engine import Engine
from penchant.evaluate.plan import Plan
from penchant.evaluate.replay import Walk
from penchant.store.open import open_store
from penchant.types import Candidates


class Trial:
    """An engine over `directory`, told from `later`: the log's own rows (EVENTS) after the cut.

    Whatever else a user did up to a moment (searches, returns, repeats) is told with it; `live`
    says that it is told before each answer too. Rows go to the log as they are: its door has
    judged them before. A question is asked in the context of what the person then did. With
    `sources` k > 0 the first k of every single source are kept beside
    each answer.
    """

    def __init__(
        self, directory: Path, later: pl.DataFrame, *, live: bool = True, sources: int = 0
    ) -> None:
        self._engine = Engine(directory)
        self._store = open_store(directory)
        self._live, self._k = live, sources
        self._later = later
        self._times = later["timestamp"].to_numpy() / 1e6
        self._items = later["item_id"].to_list()
        self._contexts = later["context"].to_list()
        self._untold: dict[str, list[int]] = defaultdict(list)
        users = later["user_id"].to_list()
        for row in np.argsort(self._times, kind="stable"):
            self._untold[users[row]].append(int(row))
        self._beside: dict[str, list[npt.NDArray[np.int32]]] = {}
        self._ids: list[str] = []
        self._asked = 0

    def record(self, user_id: str, item_ids: Sequence[str], timestamp: float) -> None:
        """Append the rows of these items at this time, and all of the user's from before it."""
        self._tell(user_id, timestamp, set(item_ids))

    def recommend(
        self, user_id: str, k: int, now: float, exclude: Collection[str] = ()
    ) -> list[str]:
        """Return the engine's answer."""
        if self._live:
            self._tell(user_id, now, set())
        slate = self._engine.recommend(
            user_id,
            k,
            now=now,
            exclude=list(exclude),
            seen="hide",
            context=self._context(user_id, now),
            log=False,
        )
        if self._k and slate.trace.pool is not None:
            self._note(slate.trace.pool)
        self._asked += 1
        return [one.item_id for one in slate]

    def _context(self, user_id: str, now: float) -> dict[str, Any] | None:
        """Return the circumstances in which a person does what is next, as their caller knows them.

        What only the event can know (what was paid for it) is none: trainings find that out.
        """
        for row in self._untold.get(user_id, ()):
            if self._times[row] > now:
                break
            text = self._contexts[row]
            if self._times[row] == now and text is not None:
                found = json.loads(text)
                return found if isinstance(found, dict) else None
        return None

    def beside(self, plan: Plan) -> dict[str, Walk]:
        """Return what each source alone would have answered, once the trial is closed.

        Sources that were silent for a request have an empty list there; no time was taken of them.
        """
        number = {item: n for n, item in enumerate(plan.items)}
        index = np.array([number.get(item, -1) for item in self._ids] or [-1], dtype=np.int64)
        walks = {}
        for name, lists in self._beside.items():
            ranked = np.full((self._asked, self._k), -1, dtype=np.int64)
            for row, shown in enumerate(lists):
                ranked[row, : len(shown)] = index[shown]
            walks[f"{name} alone"] = Walk(ranked, np.zeros(0), 0.0)
        return walks

    def _note(self, pool: Candidates) -> None:
        for name in pool.sources:
            lists = self._beside.setdefault(name, [])
            while len(lists) < self._asked:
                lists.append(np.empty(0, dtype=np.int32))
            scores = pool.features[:, pool.names.index(name)]
            known = np.flatnonzero(np.isfinite(scores))
            best = known[np.argsort(-scores[known], kind="stable")[: self._k]]
            lists.append(pool.items[best])

    def _tell(self, user_id: str, before: float, items: set[str]) -> None:
        untold = self._untold.get(user_id)
        if not untold:
            return
        told: list[int] = []
        kept: list[int] = []
        for place, row in enumerate(untold):
            time = self._times[row]
            if time > before:
                kept.extend(untold[place:])
                break
            (told if time < before or self._items[row] in items else kept).append(row)
        if told:
            self._untold[user_id] = kept
            self._store.log.append(self._later[told])

    def close(self) -> None:
        """Close the engine and the log."""
        highest = max(
            (int(one.max()) for x in self._beside.values() for one in x if len(one)), default=-1
        )
        self._ids = self._store.catalogue.get(range(highest + 1))["item_id"].to_list()
        self._engine.close()
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
