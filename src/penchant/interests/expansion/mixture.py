"""A mixture of expanders, each with the weight that its proposals have earned.

What an expander proposes is taken where the person then wishes for it by themselves. Of each
expander it is counted how many proposals came true; its weight is the mean of what is believed of
that rate, a beta distribution that begins with what a training measured, or with nothing.
"""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from penchant.interests.expansion.expander import CannotExpand, Expander, Expansion, Proposal, unit
from penchant.interests.expansion.portrait import Portrait
from penchant.types import Error, Floats

PRIOR, ENOUGH = 1.5, 20.0  # how much better than chance is believed, and for how long
BEGIN = (1.0, 19.0)  # taken and left, believed of an expander nobody knows: one in twenty
_log = logging.getLogger("penchant.expansion")


@dataclass
class Earned:
    """How many proposals each expander made, how many were taken, and would have been by chance.

    By chance: had it named any of what was there to be proposed.
    """

    made: dict[str, float] = field(default_factory=dict)
    taken: dict[str, float] = field(default_factory=dict)
    chance: dict[str, float] = field(default_factory=dict)

    def rate(self, name: str) -> float:
        """Return the share of its proposals that is believed to be taken."""
        taken, made = self.taken.get(name, 0.0), self.made.get(name, 0.0)
        return (BEGIN[0] + taken) / (sum(BEGIN) + made)

    def count(
        self, made: Mapping[str, float], taken: Mapping[str, float], chance: Mapping[str, float]
    ) -> None:
        """Take in how many were made and taken since, and would have been taken by chance."""
        for mine, more in ((self.made, made), (self.taken, taken), (self.chance, chance)):
            for name, n in more.items():
                mine[name] = mine.get(name, 0.0) + n

    def lift(self) -> float:
        """Return how many times as many proposals were taken as chance would have named.

        Believed to be `PRIOR` until `ENOUGH` were to be expected by chance.
        """
        return (sum(self.taken.values()) + PRIOR * ENOUGH) / (sum(self.chance.values()) + ENOUGH)

    def places(self, most: int) -> int:
        """Return how many places of a slate they are worth: none for what is no better than chance,
        one, and one more for each doubling beyond twice as good."""
        lift = self.lift()
        if lift <= 1.0:
            return 0
        return min(most, 1 + max(0, int(np.log2(lift / 2.0)) if lift >= 2.0 else 0))

    def plain(self) -> dict[str, Any]:
        """Return plain JSON."""
        return {"made": self.made, "taken": self.taken, "chance": self.chance}

    @classmethod
    def read(cls, content: Mapping[str, Any]) -> Earned:
        """Return what `plain` gave."""
        return cls(*(dict(content.get(name, {})) for name in ("made", "taken", "chance")))


class Mixture:
    """Asks every expander and mixes what they say: w_c = sum over e of rate_e * w_ec."""

    name = "mixture"

    def __init__(self, expanders: Sequence[Expander], earned: Earned | None = None) -> None:
        self.expanders = tuple(expanders)
        self.earned = Earned() if earned is None else earned

    @property
    def id(self) -> str:
        """Who is asked."""
        return ", ".join(one.id for one in self.expanders)

    def expand(self, portrait: Portrait, most: int, *, local: bool = False) -> Expansion:
        """Return the proposals of all expanders as one; whoever fails is left out.

        With `local` nobody is asked who may take their time. A proposal is signed by whoever gave
        it most. Raises CannotExpand where nobody says a word.
        """
        began = time.perf_counter()
        total: dict[int, float] = defaultdict(float)
        best: dict[int, tuple[float, Proposal]] = {}
        vectors: list[Floats] = []
        tokens = 0
        failed: dict[str, str] = {}
        for expander in self.expanders:
            if local and expander.remote:
                failed[expander.name] = "not asked now"
                continue
            try:
                said = expander.expand(portrait, most)
            except Error as error:
                failed[expander.name] = str(error)
                tokens += int(getattr(error, "tokens", 0))
                continue
            tokens += said.tokens
            rate = self.earned.rate(expander.name)
            for one in said.proposals:
                weight = rate * one.weight
                total[one.concept] += weight
                if weight > best.get(one.concept, (0.0, one))[0]:
                    best[one.concept] = weight, one
            if len(said.vector):
                vectors.append(rate * said.vector)
        reasons = "; ".join(f"{name}: {why}" for name, why in failed.items())
        if reasons:
            _log.debug("left out: %s", reasons)
        if not total:
            raise CannotExpand(reasons or "no expander proposes anything", tokens)
        ranked = sorted(total, key=lambda concept: (-total[concept], concept))[:most]
        top = total[ranked[0]]
        proposals = tuple(
            replace(best[concept][1], weight=total[concept] / top) for concept in ranked
        )
        mixed = np.sum(vectors, axis=0) if vectors else np.zeros(0, dtype=np.float32)
        seconds = time.perf_counter() - began
        return Expansion(proposals, unit(mixed), tokens, seconds, tuple(failed))
