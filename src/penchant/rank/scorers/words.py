"""What somebody asks for in words is answered by meaning and by the words, then by taste.

An item whose name was asked for comes first, whatever the taste. Weights: see benchmarks/words.py.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from penchant.interests.state import State
from penchant.rank.scorers.fusion import normalised, standardised
from penchant.rank.scorers.scorer import Scorer
from penchant.rank.scorers.terms import FOUND, WORDS, with_terms
from penchant.recall.lexical import NAMED
from penchant.types import Candidates, Floats, Query

ASKED, SAID = 3.0, 1.0  # weights of nearness to the words: of this request, of the last half hour
WEIGHT = 12.0  # of the share of the words that an item's text holds


class ForWords:
    """A scorer that lets words count: rankers are grown on requests that had none.

    score = z(the scorer's own) + weight * z(nearness in text) + WEIGHT * share of the words found,
    z over the candidates; items that bear the name asked for are lifted above all others. Its terms
    are those of the scorer, brought to the same scale, where z begins, nearness, and words found.
    """

    def __init__(self, scorer: Scorer, near: str = "text", found: str = "lexical") -> None:
        self.name = scorer.name
        self._scorer = scorer
        self._near = near
        self._found = found

    def __call__(self, query: Query, state: State, candidates: Candidates) -> Candidates:
        """Return the same candidates, scored by the scorer and, where there are words, by them."""
        scored = self._scorer(query, state, candidates)
        near = None if state.words is None else _column(scored, self._near)
        found = _column(scored, self._found)
        if near is None and found is None:
            return scored
        scored = standardised(scored)
        z, terms = scored.scores, {}
        if near is not None:
            weight = np.float32(SAID if query.text is None else ASKED)
            terms[WORDS] = weight * normalised(near[:, None])[:, 0]
            z = z + terms[WORDS]
        if found is not None:
            share = np.nan_to_num(found)
            named = share >= NAMED
            share = np.float32(WEIGHT) * np.where(named, share - np.float32(NAMED), share)
            terms[FOUND] = share + _lift(z + share, named)
            z = z + terms[FOUND]
        return with_terms(replace(scored, scores=z), terms)

    def scored_by(self, query: Query, state: State) -> tuple[str, ...]:
        """Return the words, where there are any, and what the scorer says."""
        by = self._scorer.scored_by(query, state)
        return by if state.words is None and not query.text else (WORDS, *by)


def _column(scored: Candidates, name: str) -> Floats | None:
    return scored.features[:, scored.names.index(name)] if name in scored.names else None


def _lift(scores: Floats, named: np.ndarray) -> Floats:
    """Return what raises the named by one above the others: the same for each of them."""
    lift = np.zeros_like(scores)
    if named.any() and not named.all():
        lift[named] = max(0.0, float(scores[~named].max() - scores[named].min()) + 1.0)
    return lift
