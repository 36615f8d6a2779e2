"""The contract of a stage: candidates in, candidates out; what it may do is in its role.

A scorer keeps length and order, a re-ranker keeps the set and reorders, a filter drops and says
why. Nobody else does.
"""

from __future__ import annotations

from typing import Protocol

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
