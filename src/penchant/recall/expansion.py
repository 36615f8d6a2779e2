"""Recall of what a person may come to like: items of concepts that were proposed for them.

The proposals were made in the background and are read from where they are kept: no generator is
asked, and none can keep anybody waiting.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from penchant.interests.concepts import Concepts
from penchant.interests.expansion.expanding import places, untouched
from penchant.interests.state import State
from penchant.recall.popularity import HALF_LIVES, Popularity
from penchant.recall.source import Scores
from penchant.store.expansions import Kept
from penchant.store.log import Events
from penchant.store.vectors import Vectors
from penchant.types import Query

NAME = "expansion"
NEAR, POPULAR = 0.5, 0.1  # weights of nearness to v_i', and of the logarithm of popularity
_MONTH = len(HALF_LIVES) - 2
Found = tuple[Kept | None, Kept | None]
Read = Callable[[int], Found]


class Expansion:
    """Scores items of proposed concepts: weight of the concept + nearness to v_i' + popularity.

    What the person touched since it was proposed is their own interest now, and left out.
    """

    def __init__(
        self,
        read: Read,
        concepts: Concepts,
        vectors: Vectors,
        popularity: Popularity,
        snapshot: str,
        name: str = NAME,
    ) -> None:
        self.name = name
        self._read, self._concepts, self._snapshot = read, concepts, snapshot
        self._vectors, self._popularity = vectors, popularity
        self._asked: tuple[Query, Found] | None = None

    def places(self, query: Query) -> int:
        """Return how many places of this person's slate proposals have earned."""
        return places(self._kept(query)[1], query.policy.widen)

    def _kept(self, query: Query) -> Found:
        """Return what is kept of who asks; once for each question."""
        asked = self._asked
        if asked is not None and asked[0] is query:
            return asked[1]
        found = self._read(query.user)
        self._asked = query, found
        return found

    def score(self, query: Query, state: State) -> Scores | None:
        """Return scores of the items of proposed concepts.

        None where nothing was proposed, or where the policy grants it no place.
        """
        if query.policy.widen < 1:
            return None
        kept, _ = self._kept(query)
        ahead = untouched(kept, state, self._concepts)
        if kept is None or not ahead:
            return None
        weights: dict[int, float] = {}
        borne = [self._concepts.bearing(concept) for concept, _ in ahead]
        for (_, weight), items in zip(ahead, borne, strict=True):
            for item in items.tolist():
                weights[item] = max(weights.get(item, 0.0), weight)
        found = np.array(sorted(weights), dtype=np.int32)
        found = found[found < query.n_items]
        if not len(found):
            return None
        values = np.array([weights[item] for item in found.tolist()], dtype=np.float32)
        counts = self._popularity.moment(query.now, query.n_items).counts(found)
        values += np.float32(POPULAR) * np.log1p(counts[_MONTH])
        if kept.snapshot == self._snapshot and len(kept.vector) == self._vectors.dimension:
            near = self._vectors.rows(found) @ kept.vector
            values += np.float32(NEAR) * np.nan_to_num(near)
        return Scores(values.astype(np.float32), found)

    def fold(self, tail: Events, *, anew: bool = False) -> None:
        """Learn nothing: what was proposed is read, and the background makes it."""
