"""The contract of a stage: candidates in, candidates out; what it may do is in its role.

A scorer keeps length and order, a re-ranker keeps the set and reorders, a filter drops and says
why. Nobody else does.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

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


def taken(candidates: Candidates, places: slice | npt.NDArray[np.integer[Any]]) -> Candidates:
    """Return the candidates at these places, in their order: some of them, or all in another."""
    return replace(
        candidates,
        items=candidates.items[places],
        scores=candidates.scores[places],
        features=candidates.features[places],
        origin=candidates.origin[places],
    )
