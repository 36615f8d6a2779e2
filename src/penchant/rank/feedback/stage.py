"""The score as the answers to earlier slates have it: what the scorer says, rates, and taste."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from penchant.interests.state import State
from penchant.rank.feedback.circumstances import told
from penchant.rank.feedback.contexts import IN_CONTEXT
from penchant.rank.feedback.feedback import Feedback
from penchant.rank.feedback.following import CONTEXT, RATE, SAID
from penchant.rank.scorers.affinity import read_interest
from penchant.rank.scorers.fusion import standardised
from penchant.rank.scorers.scorer import Scorer
from penchant.rank.scorers.terms import ANSWERED, FOLLOWED, scaled, with_terms
from penchant.store.vectors import Vectors
from penchant.types import Candidates, Query

DAYS_HALF = 30.0  # at which interests are read where no snapshot says


class ForAnswers:
    """A scorer whose score moves with the answers to what was shown (`feedback/following.py`).

    Its terms are those of the scorer, brought to the scale of z and to its weight, what the rate
    adds, what the context of the request adds to that, and what taste has moved. Questions in words
    are left to the scorer.
    """

    def __init__(
        self, scorer: Scorer, feedback: Feedback, vectors: Vectors, days_half: float = DAYS_HALF
    ) -> None:
        self.name = scorer.name
        self._scorer = scorer
        self._feedback = feedback
        self._vectors = vectors
        self._days_half = days_half

    def __call__(self, query: Query, state: State, candidates: Candidates) -> Candidates:
        """Return the same candidates, scored, with what to learn from as columns."""
        scored = self._scorer(query, state, candidates)
        if not _followed(query, state) or not len(scored):
            return scored
        scored = standardised(scored)
        z, items = scored.scores, scored.items
        found = self._feedback.rates.at(items, query.now)
        rate = np.zeros(len(items), dtype=np.float32) if found is None else found.lift
        weights = self._feedback.following.at(query.now)
        scored = scaled(scored, weights.said)
        terms = {ANSWERED: np.float32(weights.rate) * rate}
        columns = {SAID: z, RATE: rate}
        if told(query.context) and self._feedback.config.contexts:
            lift = self._feedback.contexts.lift(items, query.now, query.context)
            terms[IN_CONTEXT] = np.float32(weights.context) * lift
            columns[CONTEXT] = lift
        if weights.taste is not None:
            # A term of nothing where nothing is known: every page of a slate has the same terms.
            terms[FOLLOWED] = np.zeros(len(items), dtype=np.float32)
            h = read_interest(state, self._vectors, self._days_half)
            if h is not None:
                terms[FOLLOWED] = np.nan_to_num(self._vectors.rows(items) @ (weights.taste * h))
        scores = np.float32(weights.said) * z + sum(terms.values())
        return with_terms(
            replace(
                scored,
                scores=scores.astype(np.float32),
                features=np.column_stack((scored.features, *columns.values())).astype(np.float32),
                names=(*scored.names, *columns),
            ),
            terms,
        )

    def scored_by(self, query: Query, state: State) -> tuple[str, ...]:
        """Return who scores the request: what follows the answers only moves it."""
        return self._scorer.scored_by(query, state)


def _followed(query: Query, state: State) -> bool:
    if query.text or state.words is not None or query.policy.answers == "never":
        return False
    # Of a list that is shown whole every line is answered or not; of a catalogue only the head is,
    # and what was never shown gains from what was and found no answer. Measured: docs/decisions.md.
    return query.policy.answers == "always" or query.only is not None
