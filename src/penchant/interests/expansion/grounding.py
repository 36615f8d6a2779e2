"""Grounding: which concept of the catalogue a name means that somebody made up.

A generator may say "space opera" where the catalogue has science fiction, or name what the shop
does not have at all. A name is a concept where it is spelt so, where it means the same as a
concept's name, or where the items whose texts are nearest to it mostly bear one. All else is
refused: nothing that the catalogue does not have comes out of here.
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from penchant.interests.expansion.ground import Ground
from penchant.types import Floats, Mask

ALIKE = 0.5  # cosine of two names that mean the same, to a sentence encoder; of nonsense it is .38
NEAR = 0.35  # cosine of a name and the text of an item that is about it
ITEMS, AGREE = 10, 4  # the nearest items that are looked at, and how many have to bear the same


class Grounding:
    """Finds concepts for names, among those that may be proposed on this ground."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._named: tuple[list[int], Floats] | None = None

    def concept(self, name: str, may: Mask) -> int | None:
        """Return the concept that a name means, among those of `may` bool[c]; None for none."""
        spelt = self._ground.concepts.number(name)
        if spelt is not None:
            return spelt if spelt < len(may) and may[spelt] else None
        alike = self._alike(name, may)
        return self._borne(name, may) if alike is None else alike

    def _alike(self, name: str, may: Mask) -> int | None:
        """Return the concept whose name means the same."""
        encoder = self._ground.encoder
        if encoder is None:
            return None
        numbers, rows = self._names()
        if not numbers:
            return None
        near = rows @ _units(encoder.encode([name]))[0]
        best = int(near.argmax())
        # The nearest of all, not of those that are allowed: it may be what the person has.
        return numbers[best] if near[best] >= ALIKE and may[numbers[best]] else None

    def _names(self) -> tuple[list[int], Floats]:
        """Return the concepts that anybody may be told of, and the vectors of their names."""
        if self._named is None:
            numbers = np.flatnonzero(self._ground.proposable()).tolist()
            assert self._ground.encoder is not None
            rows = self._ground.encoder.encode([self._ground.concepts.names[n] for n in numbers])
            self._named = numbers, _units(rows) if numbers else rows
        return self._named

    def _borne(self, name: str, may: Mask) -> int | None:
        """Return the rarest concept that most of the items nearest to a name bear."""
        ground = self._ground
        said = ground.words([name])
        if not len(said) or not np.isfinite(said[0, 0]):
            return None
        near = ground.vectors.rows(np.arange(ground.columns.n, dtype=np.int32)) @ said[0]
        near = np.where(np.isfinite(near) & ~ground.columns.retired[: len(near)], near, -1.0)
        best = np.argsort(-near, kind="stable")[:ITEMS]
        best = best[near[best] >= NEAR]
        borne = Counter(ground.concepts.borne(best.tolist())[1].tolist())
        able = [one for one, n in borne.items() if n >= AGREE and one < len(may) and may[one]]
        return min(able, key=lambda one: (len(ground.concepts.bearing(one)), one), default=None)


def _units(rows: Floats) -> Floats:
    rows = rows.astype(np.float32)
    scaled: Floats = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
    return scaled
