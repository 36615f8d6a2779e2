"""Interests that a person raised by themselves: what bears one stands higher than it would."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from penchant.interests.state import State
from penchant.rank.scorers.fusion import mean_and_spread
from penchant.rank.scorers.scorer import Scorer
from penchant.rank.scorers.terms import RAISED, with_terms
from penchant.types import Candidates, Query

LIFT = 1.5  # standard deviations of the pool's scores


class ForRaised:
    """A scorer that lifts what bears a raised interest by 1.5 standard deviations of the pool.

    Among themselves, and the others among themselves, candidates stay in the scorer's order.
    """

    def __init__(self, scorer: Scorer) -> None:
        self.name = scorer.name
        self._scorer = scorer

    def __call__(self, query: Query, state: State, candidates: Candidates) -> Candidates:
        """Return the same candidates, scored by the scorer and lifted where they are wished for."""
        scored = self._scorer(query, state, candidates)
        if query.raised is None:
            return scored
        lift = np.where(query.raised[scored.items], np.float32(LIFT), np.float32(0.0))
        lift *= mean_and_spread(np.nan_to_num(scored.scores))[1]
        return with_terms(replace(scored, scores=scored.scores + lift), {RAISED: lift})

    def scored_by(self, query: Query, state: State) -> tuple[str, ...]:
        """Return who scores without it."""
        return self._scorer.scored_by(query, state)
