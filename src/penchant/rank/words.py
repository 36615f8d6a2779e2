"""What somebody asks for in words is answered by meaning first, and by taste among that."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from penchant.interests.state import State
from penchant.rank.fusion import normalised
from penchant.rank.stage import Stage
from penchant.types import Candidates, Query

ASKED, SAID = 3.0, 1.0  # weights of nearness to the words: of this request, of the last half hour


class ForWords:
    """A scorer that lets words count: rankers are grown on requests that had none.

    score = z(the scorer's own) + weight * z(nearness in text), both over the candidates.
    """

    def __init__(self, scorer: Stage, source: str = "text") -> None:
        self.name = scorer.name
        self._scorer = scorer
        self._source = source

    def __call__(self, query: Query, state: State, candidates: Candidates) -> Candidates:
        """Return the same candidates, scored by the scorer and, where there are words, by them."""
        scored = self._scorer(query, state, candidates)
        if state.words is None or not len(scored) or self._source not in scored.names:
            return scored
        near = scored.features[:, scored.names.index(self._source)]
        both = np.stack((np.nan_to_num(scored.scores), near), axis=1)
        z = normalised(both.astype(np.float32))
        weight = SAID if query.text is None else ASKED
        return replace(scored, scores=(z[:, 0] + weight * z[:, 1]).astype(np.float32))
