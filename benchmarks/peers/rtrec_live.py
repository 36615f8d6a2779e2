"""`rtrec` live: a sparse linear model (SLIM) that fits the columns an event names anew, at once."""

from __future__ import annotations

import logging
import sys
import warnings
from pathlib import Path
from typing import Any, Self

import polars as pl
from rtrec.models import SLIM

sys.path.insert(0, str(Path(__file__).resolve().parent))
from trials import K, chosen

NEIGHBOURS = 50
"""Features of a column. Without a selection every event solves for the whole catalogue."""


class Rtrec:
    """SLIM as its service uses it: `fit` for each event, and `recommend`."""

    def __init__(self, settings: dict[str, Any], train: pl.DataFrame) -> None:
        logging.getLogger().setLevel(logging.ERROR)
        warnings.filterwarnings("ignore")
        self.settings = settings
        self._model = SLIM(min_value=0, max_value=15, **settings)
        self._model.add_interactions(
            (user, item, float(when), 1.0) for user, item, when in train.iter_rows()
        )
        self._model.bulk_fit(progress_bar=False)

    @classmethod
    def tuned(cls, task: Any, bar: Any) -> Self:
        """Return a fitted one; nine trials: the penalty, then the half-life, then the features."""

        def penalties(_: dict[str, Any]) -> list[dict[str, Any]]:
            start = {"nn_feature_selection": NEIGHBOURS, "decay_in_days": None}
            return [{**start, "alpha": alpha} for alpha in (0.1, 0.01, 0.001, 0.0001)]

        def halves(best: dict[str, Any]) -> list[dict[str, Any]]:
            return [{**best, "decay_in_days": days} for days in (90, 30, 10, 3)]

        def features(best: dict[str, Any]) -> list[dict[str, Any]]:
            return [{**best, "nn_feature_selection": 4 * NEIGHBOURS}]

        settings = chosen(cls, (penalties, halves, features), bar, task.train)
        return cls(settings, task.train)

    def ask(self, user: str, now: float) -> list[str]:
        """Return ten items the person has not had."""
        shown = self._model.recommend(user, top_k=K, filter_interacted=True)
        if self._model.user_ids.get_id(user) is None:
            # To somebody unknown it gives the numbers of what is popular, not the ids.
            return [self._model.item_ids.get(number) for number in shown]
        return list(shown)

    def tell(self, user: str, item: str, now: float) -> None:
        """Learn from one event."""
        self._model.fit([(user, item, float(now), 1.0)], progress_bar=False)

    def add(self, user: str, item: str, now: float) -> None:
        """Lengthen the person's history alone: trials need not fit columns anew."""
        if self._model.item_ids.get_id(item) is None:  # a new item needs its column
            self.tell(user, item, now)
        else:
            self._model.add_interactions([(user, item, float(now), 1.0)])

    def close(self) -> None:
        """Nothing is open."""
