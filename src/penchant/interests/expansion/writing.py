"""Expansion by a language model: it is told what somebody likes, and says what else they may.

Interests, titles and names of concepts are sent, never an id nor an event. What comes back is
grounded in the catalogue (`Grounding`) and nothing else of it is kept: neither a name that the
catalogue does not have nor the reasons, which may say anything, are shown to anybody.
"""

from __future__ import annotations

import time

import numpy as np

from penchant.interests.expansion.expander import CannotExpand, Expansion, Proposal
from penchant.interests.expansion.ground import Ground
from penchant.interests.expansion.grounding import Grounding
from penchant.interests.expansion.portrait import Portrait
from penchant.interests.expansion.walking import pointed
from penchant.language.generator.expanding import Interest, expand
from penchant.language.generator.generator import Generator
from penchant.types import Floats, Mask

LISTED = 200  # concepts that are named to it, of those that the person never touched
DECAY = 0.9  # of the weight, from one proposal to the next: it is asked for the best first


class Writing:
    """Asks a generator what somebody may come to like, and keeps what the catalogue has of it."""

    name = "generator"
    remote = True

    def __init__(self, ground: Ground, generator: Generator, timeout: float) -> None:
        self._ground, self._generator, self._timeout = ground, generator, timeout
        self._grounding = Grounding(ground)

    @property
    def id(self) -> str:
        """The model and its address."""
        return f"{self.name} {self._generator.id}"

    def expand(self, portrait: Portrait, most: int) -> Expansion:
        """Return the concepts that the generator's answer means, in its order.

        Raises what the generator raises, and CannotExpand where all that it says is refused.
        """
        began, ground = time.perf_counter(), self._ground
        strongest = portrait.strongest()
        if not strongest:
            raise CannotExpand("nothing is known of this person that could be told in words")
        own, names = portrait.own, ground.concepts.names
        interests = [
            Interest(names[one], float(own[one] / own[strongest[0]]), float(portrait.trend[one]))
            for one in strongest
        ]
        proposable = ground.proposable()
        may = proposable & ~portrait.touched[: len(proposable)]
        listed = [names[one] for one in self._listed(own, may)]
        said, made = expand(
            self._generator,
            interests,
            portrait.titles,
            listed,
            count=most,
            deadline=self._timeout,
        )
        found: dict[int, float] = {}
        for place, one in enumerate(said):
            concept = self._grounding.concept(one.concept, may)
            if concept is not None:
                found.setdefault(concept, DECAY**place)
        if not found:
            raise CannotExpand(
                f"{self._generator.id} named {len(said)} concepts, none of which the catalogue has",
                made.tokens,
            )
        closest = f"goes with {' and '.join(names[one] for one in strongest[:2])}"
        proposals = tuple(
            Proposal(concept, weight, closest, self.name) for concept, weight in found.items()
        )
        seconds = time.perf_counter() - began
        return Expansion(proposals, pointed(proposals, ground.centres()), made.tokens, seconds)

    def _listed(self, own: Floats, may: Mask) -> list[int]:
        """Return concepts to choose from: where the graph leads first, then the largest."""
        ground = self._ground
        size = np.array([len(ground.concepts.bearing(one)) for one in range(len(may))])
        reached = np.zeros(len(may), dtype=np.float32)
        if ground.graph is not None and len(ground.graph):
            known = min(len(ground.graph), len(may))
            walked = ground.graph.surprising(ground.graph.walk(own[: len(ground.graph)]))
            reached[:known] = walked[:known]
        order = np.lexsort((-size, -np.maximum(reached, 0.0)))
        return [int(one) for one in order if may[one]][:LISTED]
