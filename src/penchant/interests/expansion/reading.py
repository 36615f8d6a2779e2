"""Expansion by the encoder: a sentence about the person, compared with what concepts say."""

from __future__ import annotations

import time

import numpy as np

from penchant.interests.expansion.expander import CannotExpand, Expansion, Proposal, unit
from penchant.interests.expansion.ground import Ground
from penchant.interests.expansion.portrait import Portrait
from penchant.types import Floats

SAID = "Somebody who likes {interests}, and lately chose {titles}."
NAMED, CHOSEN = 5, 5
WISHES = 0.5  # of v_i', the share of where their wishes point; the rest is of the sentence


class Reading:
    """Encodes a prompt of a person's profile and proposes the concepts whose items are nearest.

    No generator is asked: the encoder that was tuned on what people want together knows which
    texts go with which. Its vector v_i' is that of the sentence and of their wishes.
    """

    name = id = "encoder"
    remote = False

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    def expand(self, portrait: Portrait, most: int) -> Expansion:
        """Return the concepts nearest to a sentence about the person and to their wishes."""
        began, ground = time.perf_counter(), self._ground
        vector = self._vector(portrait)
        if not len(vector):
            raise CannotExpand("no texts are read here, or none of what this person chose has one")
        near = ground.centres() @ vector
        may = ground.proposable()[: len(near)] & ~portrait.touched[: len(near)]
        score = np.where(may & np.isfinite(near), near, -np.inf)
        best = np.argsort(-score, kind="stable")[:most]
        best = best[score[best] > 0]
        top = float(score[best[0]]) if len(best) else 1.0
        closest = self._closest(portrait)
        proposals = tuple(
            Proposal(int(one), float(score[one] / top), closest, self.name) for one in best
        )
        return Expansion(proposals, vector, 0, time.perf_counter() - began)

    def _vector(self, portrait: Portrait) -> Floats:
        names = self._ground.concepts.names
        interests = ", ".join(names[one] for one in portrait.strongest(NAMED))
        if not interests:
            return np.zeros(0, dtype=np.float32)
        titles = ", ".join(portrait.titles[:CHOSEN]) or "nothing else"
        said = self._ground.words([SAID.format(interests=interests, titles=titles)])
        if not len(said) or not np.isfinite(said[0, 0]):
            return portrait.vector
        if not len(portrait.vector):
            return unit(said[0])
        return unit(WISHES * portrait.vector + (1.0 - WISHES) * said[0])

    def _closest(self, portrait: Portrait) -> str:
        strongest = portrait.strongest(2)
        names = [self._ground.concepts.names[one] for one in strongest]
        return f"reads like {' and '.join(names)}" if names else ""
