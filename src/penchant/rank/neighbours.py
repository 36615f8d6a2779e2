"""Items like an item: what the sources say of somebody who wants just that one."""

from __future__ import annotations

from dataclasses import replace

from penchant.interests.state import State
from penchant.rank.fusion import Fusion
from penchant.rank.pipeline import Pipeline, order
from penchant.types import Candidates, Query

# Popularity and newness say nothing about likeness.
ABOUT_LIKENESS = ("linear", "factors", "after", "together", "text")


def neighbours(pipeline: Pipeline, query: Query, state: State) -> Candidates:
    """Return candidates in order of likeness to the items of `state`."""
    pool, _ = pipeline.recall.gather(query, state)
    alike = tuple(s for s in pool.sources if s.startswith(ABOUT_LIKENESS))
    keep = [pool.sources.index(s) for s in alike]
    scored = Fusion()(
        query, state, replace(pool, features=pool.features[:, keep], names=alike, sources=alike)
    )
    return order(replace(pool, scores=scored.scores))
