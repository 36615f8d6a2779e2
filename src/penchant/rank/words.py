"""What somebody asks for in words is answered by meaning first, and by taste among that."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from penchant.interests.state import State
from penchant.rank.fusion import mean_and_spread, normalised
from penchant.rank.stage import Scorer
from penchant.rank.terms import SCALE, START, WORDS, scaled, with_terms
from penchant.types import Candidates, Query

ASKED, SAID = 3.0, 1.0  # weights of nearness to the words: of this request, of the last half hour


class ForWords:
    """A scorer that lets words count: rankers are grown on requests that had none.

    score = z(the scorer's own) + weight * z(nearness in text), both over the candidates. Its terms
    are those of the scorer, brought to the same scale, where z begins, and the share of the words.
    """

    def __init__(self, scorer: Scorer, source: str = "text") -> None:
        self.name = scorer.name
        self._scorer = scorer
        self._source = source

    def __call__(self, query: Query, state: State, candidates: Candidates) -> Candidates:
        """Return the same candidates, scored by the scorer and, where there are words, by them."""
        scored = self._scorer(query, state, candidates)
        if state.words is None or self._source not in scored.names:
            return scored
        own = np.nan_to_num(scored.scores).astype(np.float32)
        near = scored.features[:, scored.names.index(self._source)]
        z = normalised(np.stack((own, near), axis=1))
        words = np.float32(SAID if query.text is None else ASKED) * z[:, 1]
        mean, spread = mean_and_spread(own)
        of_all = np.ones(len(scored), dtype=np.float32)
        return with_terms(
            replace(scaled(scored, 1 / float(spread)), scores=(z[:, 0] + words).astype(np.float32)),
            {SCALE: of_all / spread, START: -of_all * mean / spread, WORDS: words},
        )

    def scored_by(self, query: Query, state: State) -> tuple[str, ...]:
        """Return the words, where there are any, and what the scorer says."""
        by = self._scorer.scored_by(query, state)
        return by if state.words is None else (WORDS, *by)
