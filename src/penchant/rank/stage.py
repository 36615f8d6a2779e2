"""The contract of a stage: candidates in, candidates out; what it may do is in its role.

A scorer keeps length and order, a re-ranker keeps the set and reorders, a filter drops and says
why. Nobody else does.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from penchant.interests.state import State
from penchant.types import Candidates, Query


class Stage(Protocol):
    """One step of a request, named in the trace."""

    @property
    def name(self) -> str:
        """What the trace calls the stage."""
        ...

    def __call__(self, query: Query, state: State, candidates: Candidates) -> Candidates:
        """Return the candidates as this stage leaves them."""
        ...


@runtime_checkable
class Scorer(Stage, Protocol):
    """A stage that gives every candidate its score, or leaves that to another."""

    def scored_by(self, query: Query, state: State) -> tuple[str, ...]:
        """Return who scores this request: names of scorers, or of the source that answers it."""
        ...
