"""Newcomers: where nothing is known of a person, what everybody wants may be the better answer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from penchant.interests.state import State
from penchant.rank.scorers.scorer import Scorer
from penchant.rank.scorers.terms import with_terms
from penchant.types import Candidates, Query


class ForNewcomers:
    """A scorer that lets one popularity source answer people without history and without words.

    A ranker has seen few of them in training; which source answers, if any, was chosen on the
    requests of newcomers alone (`learn/scorer/choice.py`). The score is the source's own, its one
    term.
    """

    def __init__(self, source: str, scorer: Scorer) -> None:
        self.name = scorer.name
        self._source = source
        self._scorer = scorer

    def __call__(self, query: Query, state: State, candidates: Candidates) -> Candidates:
        """Return the same candidates, scored by the source for newcomers, else by the scorer."""
        if not _newcomer(query, state):
            return self._scorer(query, state, candidates)
        column = candidates.features[:, candidates.names.index(self._source)]
        # Below any count there is: what nobody wanted yet comes last, and is still there.
        scores = np.nan_to_num(column, nan=-1.0).astype(np.float32)
        return with_terms(replace(candidates, scores=scores), {self._source: scores})

    def scored_by(self, query: Query, state: State) -> tuple[str, ...]:
        """Return the source for newcomers, else what the scorer says."""
        if _newcomer(query, state):
            return (self._source,)
        return self._scorer.scored_by(query, state)


def _newcomer(query: Query, state: State) -> bool:
    return not len(state.liked) and state.words is None and query.only is None
