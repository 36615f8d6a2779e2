"""Recall by meaning: items whose text is near what the person wants, or asked for in words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from penchant.interests.state import DAY, State, interest
from penchant.recall.source import Scores
from penchant.store.log import Events
from penchant.store.vectors import Vectors
from penchant.types import Floats, Ids, Mask, Query

LAST = 10  # wanted items that an interest is made of
DAYS_HALF = 7.0  # how fast it forgets
MOMENTS_HALF = 3.0
Place = Callable[[Floats], Floats]


def fading(moments: npt.NDArray[Any], seconds: npt.NDArray[Any]) -> Floats:
    """Return how much a wanted item counts, float32, by how long before the newest it was wanted.

    2^(-moments / 3) * 2^(-days / 7); the newest counts one.
    """
    faded: Floats = _moments(moments) * np.exp2(-seconds / (DAYS_HALF * DAY)).astype(np.float32)
    return faded


def _moments(moments: npt.NDArray[Any]) -> Floats:
    faded: Floats = np.exp2(-moments / np.float32(MOMENTS_HALF), dtype=np.float32)
    return faded


@dataclass(frozen=True, slots=True)
class Lift:
    """How much nearer to an interest an item counts that nobody had wanted when this was learned.

    Learned vectors come near those who wanted them, and those of other items do not: among them all
    the new ones come last, however well they fit. `share` of the cosine is added to theirs; `tried`
    bool[n] marks the items that somebody had wanted, and what is not in it was wanted by nobody.
    """

    share: float
    tried: Mask
    untried: npt.NDArray[np.intp] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        # Asked for with every question.
        object.__setattr__(self, "untried", np.flatnonzero(~self.tried))

    def __call__(self, values: Floats) -> None:
        """Lift the cosines float32[n] of all items in place."""
        if not self.share:
            return
        share, none = np.float32(self.share), np.float32(0.0)
        within = self.untried[: np.searchsorted(self.untried, len(values))]
        near = values[within]
        values[within] = near + share * np.maximum(near, none)
        late = values[len(self.tried) :]
        late += share * np.maximum(late, none)


class Text:
    """Scores by the cosine between an item's text and the interest `h_t`, or the words asked.

    `place` brings what the encoder made of a text, float32[n, d], into the space of `vectors`: unit
    rows, NaN for what says nothing. Without it they are the same. New items are known the moment
    their vector is set: nothing is trained here. `lift` is for those in vectors that were learned;
    words find an item as they would any other.
    """

    def __init__(
        self,
        name: str,
        vectors: Vectors,
        place: Place | None = None,
        *,
        lift: Lift | None = None,
        last: int = LAST,
    ) -> None:
        self.name = name
        self.vectors = vectors
        self._place = place
        self._lift = lift
        self._last = last
        self._answered: tuple[Query, State, Scores | None] | None = None

    def wanted(self, state: State) -> Floats | None:
        """Return the unit vector float32[d] that items are compared with, None if there is none."""
        if state.words is not None:
            words = state.words if self._place is None else self._place(state.words[None])[0]
            return words if np.isfinite(words[0]) else None
        liked = state.liked
        items = liked.items[-self._last :]
        if not len(items):
            return None
        # The newest wanted event is the clock: a person who returns after a year is not a stranger.
        h = interest(
            items,
            liked.times[-self._last :],
            liked.strengths[-self._last :] * _moments(liked.moments[-self._last :]),
            float(liked.times[-1]),
            self.vectors.rows(items),
            DAYS_HALF * DAY,
        )
        norm = float(np.linalg.norm(h))
        return (h / norm).astype(np.float32) if norm > 1e-6 else None

    def score(self, query: Query, state: State) -> Scores | None:
        """Return the dense cosine, NaN for items without text; None without history or words."""
        if not self.vectors.dimension:
            return None
        # The source of new items asks the same question again; it is the costliest there is.
        last = self._answered
        if last is not None and last[0] is query and last[1] is state:
            return last[2]
        wanted = self.wanted(state)
        found = None
        if wanted is not None:
            values = self.vectors.dot(wanted, query.n_items)
            if self._lift is not None and state.words is None:
                self._lift(values)
            found = Scores(values)
        self._answered = (query, state, found)
        return found

    def learn_items(self, numbers: Ids, raw: Floats) -> None:
        """Give items the vector of their text; `raw` is what the encoder made of each.

        What is known already is not kept twice: each row costs in every answer.
        """
        rows = raw if self._place is None else self._place(raw)
        fresh = self.vectors.differ(numbers, rows)
        self.vectors.set(numbers[fresh], rows[fresh])

    def fold(self, tail: Events, *, anew: bool = False) -> None:
        """Learn nothing: vectors follow the catalogue, the interest follows the log."""
