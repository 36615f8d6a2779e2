"""The contract of an expander: from what somebody likes to what they may come to like."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from penchant.interests.expansion.portrait import Portrait
from penchant.types import Error, Floats


class CannotExpand(Error):
    """What an expander raises that has nothing to say now, at the cost of `tokens`."""

    def __init__(self, message: str, tokens: int = 0) -> None:
        super().__init__(message)
        self.tokens = tokens


@dataclass(frozen=True, slots=True)
class Proposal:
    """A concept that a person never touched and may come to like, with a weight from 0 to 1.

    `why` is what led to it, in words, `by` who proposed it.
    """

    concept: int
    weight: float
    why: str = ""
    by: str = ""


@dataclass(frozen=True, slots=True)
class Expansion:
    """Proposals, best first, and the vector v_i' float32[d] in the space of item vectors.

    The vector is empty where nothing says where it points. `tokens` and `seconds` are what it cost.
    `left_out` are the names of those who were not asked, or failed, `parts` the concepts that each
    of several expanders named.
    """

    proposals: tuple[Proposal, ...]
    vector: Floats = field(default_factory=lambda: np.zeros(0, dtype=np.float32))
    tokens: int = 0
    seconds: float = 0.0
    left_out: tuple[str, ...] = ()
    parts: Mapping[str, tuple[int, ...]] = field(default_factory=dict)


class Expander(Protocol):
    """Says what somebody may come to like, from what they like."""

    @property
    def name(self) -> str:
        """What proposals of this expander are signed with."""
        ...

    @property
    def id(self) -> str:
        """Its name, and what else changes what it says of the same portrait."""
        ...

    @property
    def remote(self) -> bool:
        """Whether it asks somebody who may take their time: never while a person waits."""
        ...

    def expand(self, portrait: Portrait, most: int) -> Expansion:
        """Return at most `most` proposals, none of them touched before.

        Raises CannotExpand, or whatever a generator raises, where it cannot say anything.
        """
        ...


def unit(vector: Floats) -> Floats:
    """Return a vector at length one, empty where it has none."""
    length = float(np.linalg.norm(vector)) if len(vector) else 0.0
    if not length > 1e-6:
        return np.zeros(0, dtype=np.float32)
    scaled: Floats = (vector / length).astype(np.float32)
    return scaled
