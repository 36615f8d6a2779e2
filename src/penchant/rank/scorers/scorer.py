"""The contract of a scorer: a stage that says in whose name it scored, so that it can be explained.

What a scorer's score is made of, where that cannot be read from the features, it writes beside them
(`rank/scorers/terms.py`).
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from penchant.interests.state import State
from penchant.rank.stage import Stage
from penchant.types import Query


@runtime_checkable
class Scorer(Stage, Protocol):
    """A stage that gives every candidate its score, or leaves that to another."""

    def scored_by(self, query: Query, state: State) -> tuple[str, ...]:
        """Return who scores this request: names of scorers, or of the source that answers it."""
        ...
