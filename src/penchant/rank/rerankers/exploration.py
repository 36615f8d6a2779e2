"""Exploration: a few places of a slate for items that little is known of, by Thompson sampling.

What nobody has been shown has no rate, and what has no rate is not shown. So the last places are
given to the fresh and the uncertain of the better part of the pool: each in proportion to the
chance that it is the best of them for this person. Of every such candidate a rate is drawn from
what is believed of it: a gamma whose mean its text tells (`feedback/appeal.py`) and its own answers
correct (Thompson, 1933; Chapelle and Li, 2011), times exp(z) of its score, and times what the
context of the request is known to add (`feedback/contexts.py`). The highest is shown.

The chance of each choice is estimated by drawing again, and logged with the slate: whoever learns
from it, or evaluates another policy on it, needs to know. The same request draws the same.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from penchant.interests.state import State
from penchant.rank.feedback.feedback import Feedback
from penchant.rank.feedback.rates import SHAPE
from penchant.rank.stage import taken
from penchant.recall.popularity import DAY, Popularity
from penchant.store.vectors import Vectors
from penchant.types import Candidates, Ids, Query

PROPENSITY = "propensity"  # the column of the chance with which a candidate stands in its place
FRESH = 14 * DAY  # seconds since it was first wanted within which an item is fresh
UNSURE = 1.0  # answers that the mean item would have had by now, below which a rate is uncertain
REACH = 0.4  # of the pool, from the top: what lies below is not for this person
MOST = 100  # candidates that are drawn for
DRAWS = 255  # further draws, from which chances are estimated


class Exploration:
    """A re-ranker: it moves up to `policy.explore` candidates to the last places of the slate."""

    name = "exploration"

    def __init__(
        self, feedback: Feedback, popularity: Popularity, vectors: Vectors, seed: int = 0
    ) -> None:
        self._seed = seed
        self._feedback = feedback
        self._popularity = popularity
        self._vectors = vectors

    def __call__(self, query: Query, state: State, candidates: Candidates) -> Candidates:
        """Return the same candidates, the explored ones in the last places of the first k.

        With them comes a column: the chance of each to be where it is, 1 where nothing was drawn.
        """
        if query.policy.explore < 1 or query.only is not None:
            return candidates
        places = min(query.policy.explore, query.k // 2)
        order, chances = np.arange(len(candidates)), np.ones(len(candidates), dtype=np.float32)
        first = query.k - places
        may = self._unsure(query, candidates, first)
        if len(may) > places > 0:
            chosen, chance = self._choose(query, candidates, may, places)
            rest = np.setdiff1d(order, chosen)
            order = np.concatenate((rest[:first], chosen, rest[first:]))
            chances[first : query.k] = chance
        moved = taken(candidates, order)
        return replace(
            moved,
            features=np.column_stack((moved.features, chances)),
            names=(*candidates.names, PROPENSITY),
        )

    def _unsure(self, query: Query, candidates: Candidates, first: int) -> npt.NDArray[np.intp]:
        """Return the places of those that little is known of, behind the places that are kept."""
        reach = max(query.k, int(REACH * len(candidates)))
        items = candidates.items[first:reach]
        born = self._popularity.moment(query.now, query.n_items).first(items)
        fresh = np.isfinite(born) & (query.now - born < FRESH)
        rate = self._feedback.rates.at(items, query.now)
        if rate is not None:
            fresh |= rate.exposures * np.float32(rate.mean) < UNSURE
        elif not fresh.any():
            fresh[:] = True
        return first + np.flatnonzero(fresh)[:MOST]

    def _choose(
        self, query: Query, candidates: Candidates, may: npt.NDArray[np.intp], places: int
    ) -> tuple[npt.NDArray[np.intp], list[float]]:
        """Return the chosen candidates, and the chance of each after those before it."""
        rng = np.random.default_rng([self._seed, query.user + 1, round(query.now * 1e6) % 2**63])
        score = candidates.scores.astype(np.float64)
        z = (score[may] - score.mean()) / (score.std() + 1e-6)
        drawn = z + self._draw(candidates.items[may], query, rng)
        chosen: list[int] = []
        chances: list[float] = []
        for _ in range(places):
            best = drawn.argmax(axis=1)
            chosen.append(int(best[0]))
            chances.append(float((best == best[0]).mean()))
            drawn[:, best[0]] = -np.inf
        return may[chosen], chances

    def _draw(self, items: Ids, query: Query, rng: np.random.Generator) -> npt.NDArray[np.float64]:
        """Return float64[1 + DRAWS, n]: logs of rates against the mean, as they are believed."""
        now = query.now
        rate = self._feedback.rates.at(items, now)
        n = len(items)
        answers = expected = np.zeros(n)
        prior = np.zeros((1 + DRAWS, n))
        if rate is not None:
            answers = rate.answers.astype(np.float64)
            expected = rate.exposures.astype(np.float64) * rate.mean
            prior += np.log(rate.prior / rate.mean)
            appeal = self._feedback.appeal(now, self._vectors)
            if appeal is not None:
                prior = appeal.draw(self._vectors.rows(items), rng, 1 + DRAWS)
        believed = SHAPE / np.exp(prior) + expected
        shape = np.broadcast_to(answers + SHAPE, believed.shape)
        drawn: npt.NDArray[np.float64] = np.log(
            np.maximum(rng.standard_gamma(shape), 1e-12) / believed
        )
        if query.context:
            drawn += self._feedback.contexts.lift(items, now, query.context)
        return drawn
