"""Items like an item: what the sources say of somebody who wants just that one."""

from __future__ import annotations

from dataclasses import replace

from penchant.interests.state import State
from penchant.rank.pipeline import Pipeline, order
from penchant.rank.scorers.fusion import Fusion
from penchant.types import Candidates, Query

# Popularity and newness say nothing about likeness.
BEHAVIOUR, MEANING = ("linear", "factors", "after", "together"), "text"


def neighbours(pipeline: Pipeline, query: Query, state: State) -> Candidates:
    """Return candidates in order of likeness to the items of `state`, by behaviour and by text.

    All that is known of behaviour weighs as much as the text: an item that is new is like others
    by its text alone.
    """
    pool, _ = pipeline.recall.gather(query, state)
    behaviour = [s for s in pool.sources if s.startswith(BEHAVIOUR)]
    alike = (*behaviour, *(s for s in pool.sources if s == MEANING))
    keep = [pool.sources.index(s) for s in alike]
    scored = Fusion(dict.fromkeys(behaviour, 1 / max(len(behaviour), 1)))(
        query, state, replace(pool, features=pool.features[:, keep], names=alike, sources=alike)
    )
    return order(replace(pool, scores=scored.scores))
