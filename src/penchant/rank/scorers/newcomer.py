"""Newcomers: where nothing is known of a person, what everybody wants helps to answer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from penchant.interests.state import State
from penchant.rank.scorers.fusion import normalised, standardised
from penchant.rank.scorers.scorer import Scorer
from penchant.rank.scorers.terms import CROWD, with_terms
from penchant.types import Candidates, Query


class ForNewcomers:
    """A scorer that lets one popularity source answer people without history and without words.

    A ranker has seen few of them in training; which source answers, and whether `alone` or in sum
    with the ranker, was chosen on the requests of newcomers (`learn/scorer/newcomer.py`). Alone,
    the score is the source's own, its one term; else z(the scorer's own) + z(the source's) over
    the candidates, whose terms are those of the scorer, brought to the same scale, and the
    source's.
    """

    def __init__(self, source: str, scorer: Scorer, *, alone: bool = True) -> None:
        self.name = scorer.name
        self._source = source
        self._scorer = scorer
        self._alone = alone

    def __call__(self, query: Query, state: State, candidates: Candidates) -> Candidates:
        """Return the same candidates, scored by whom the newcomer has, else by the scorer."""
        if not _newcomer(query, state):
            return self._scorer(query, state, candidates)
        column = candidates.features[:, candidates.names.index(self._source)]
        # Below any count there is: what nobody wanted yet comes last, and is still there.
        counts = np.nan_to_num(column, nan=-1.0).astype(np.float32)
        if self._answers_alone(query):
            return with_terms(replace(candidates, scores=counts), {self._source: counts})
        scored = standardised(self._scorer(query, state, candidates))
        crowd = normalised(counts[:, None])[:, 0]
        return with_terms(replace(scored, scores=scored.scores + crowd), {CROWD: crowd})

    def scored_by(self, query: Query, state: State) -> tuple[str, ...]:
        """Return the source for newcomers, and the scorer it is summed with; else the scorer."""
        if not _newcomer(query, state):
            return self._scorer.scored_by(query, state)
        if self._answers_alone(query):
            return (self._source,)
        return (self._source, *self._scorer.scored_by(query, state))

    def _answers_alone(self, query: Query) -> bool:
        # What words find is added to one scale, not to a sum of two.
        return self._alone or bool(query.text)


def _newcomer(query: Query, state: State) -> bool:
    return not len(state.liked) and state.words is None and query.only is None
