"""What somebody asks for in words is answered by meaning and by the words, then by taste.

An item whose name was asked for comes first, whatever the taste. Scores are summed: that finds more
than to fuse the two ranks (Cormack et al. 2009), as Bruch et al. 2023 found too. Weights, and what
was compared: benchmarks/words.py.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from penchant.interests.state import State
from penchant.rank.scorers.fusion import normalised, standardised
from penchant.rank.scorers.scorer import Scorer
from penchant.rank.scorers.terms import FOUND, LED, WORDS, with_terms
from penchant.recall.lexical import NAMED
from penchant.types import Candidates, Floats, Query

ASKED, SAID = 3.0, 1.0  # weights of nearness to the words: of this request, of the last half hour
WEIGHT = 30.0  # of the share of the words that an item's text holds
ALONE = 20.0  # of that share beside the best one, where nothing is known of meaning
TAKEN = 20.0  # of the share of those who asked in like words that took it, of this request
LEAST = 0.1  # a best share below it is weak: words that are in every text


class ForWords:
    """A scorer that lets words count: rankers are grown on requests that had none.

    score = z(the scorer's own) + weight * z(nearness in text) + WEIGHT * share of the words found
    + TAKEN * share of those who asked alike and took it, z over the candidates; items that bear the
    name asked for are lifted above all others. Words of the last half hour count a third. Where the
    encoder does not read what was asked (another script, or no encoder), the words alone tell:
    ALONE * share / the best share. Without a known word, meaning alone does. Its terms are those of
    the scorer, brought to the same scale, where z begins, nearness, and words found.
    """

    def __init__(
        self, scorer: Scorer, near: str = "text", found: str = "lexical", led: str = "asked"
    ) -> None:
        self.name = scorer.name
        self._scorer = scorer
        self._near = near
        self._found = found
        self._led = led

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
        taken = _column(scored, self._led)
        if taken is not None:
            weight = np.float32(TAKEN * (SAID / ASKED if query.text is None else 1.0))
            terms[LED] = weight * np.nan_to_num(taken)
            z = z + terms[LED]
        if found is not None:
            share = np.nan_to_num(found)
            named = share >= NAMED
            share = np.where(named, share - np.float32(NAMED), share)
            best = float(share.max(initial=0.0))
            read = near is not None and bool(np.isfinite(near).any())
            share = share * np.float32(WEIGHT if read else ALONE / max(best, LEAST))
            terms[FOUND] = share + _lift(z + share, named)
            z = z + terms[FOUND]
        return with_terms(replace(scored, scores=z), terms)

    def scored_by(self, query: Query, state: State) -> tuple[str, ...]:
        """Return their meaning, or the words alone, where there are any, and who else scored."""
        by = self._scorer.scored_by(query, state)
        if state.words is not None:
            return (WORDS, *by)
        return (FOUND, *by) if query.text else by


def _column(scored: Candidates, name: str) -> Floats | None:
    """Return a column, None where there is none: the terms do not depend on who is in the pool."""
    return scored.features[:, scored.names.index(name)] if name in scored.names else None


def _lift(scores: Floats, named: np.ndarray) -> Floats:
    """Return what raises the named by one above the others: the same for each of them."""
    lift = np.zeros_like(scores)
    if named.any() and not named.all():
        lift[named] = max(0.0, float(scores[~named].max() - scores[named].min()) + 1.0)
    return lift
