"""A mixture of expanders, each with the weight that its proposals have earned.

What an expander proposes is taken where the person then wishes for it by themselves. Of each
expander it is counted how many proposals came true; its weight follows from the mean of what is
believed of that rate, a beta distribution that begins with what a training measured.
"""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from penchant.interests.concepts import Concepts
from penchant.interests.expansion.expander import CannotExpand, Expander, Expansion, Proposal, unit
from penchant.interests.expansion.portrait import Portrait
from penchant.types import Error, Floats

PRIOR, ENOUGH = 1.5, 20.0  # how much better than chance is believed, and for how long
MEASURED, UNKNOWN = 100.0, 20.0  # proposals that what is believed at first counts for
RATE = 0.05  # of proposals that are taken, believed where nothing was measured
SHARP = 2.0  # the power of the rate that weighs: who is right twice as often counts four times
APART = 0.8  # of a weight, what is lost by sharing all items with what is proposed before
_log = logging.getLogger("penchant.expansion")


@dataclass
class Earned:
    """How many proposals each expander could make, how many of them were taken, and by chance.

    Whoever names fewer than it could is not right more often by that. By chance: had it named any
    of what was there to be proposed. `measured` are the shares taken
    that a training found; of whoever it did not ask the best of them is believed.
    """

    made: dict[str, float] = field(default_factory=dict)
    taken: dict[str, float] = field(default_factory=dict)
    chance: dict[str, float] = field(default_factory=dict)
    measured: Mapping[str, float] = field(default_factory=dict)

    def rate(self, name: str) -> float:
        """Return the share of its proposals that is believed to be taken."""
        known = self.measured.get(name)
        first = max(self.measured.values(), default=RATE) if known is None else known
        weight = UNKNOWN if known is None else MEASURED
        taken, made = self.taken.get(name, 0.0), self.made.get(name, 0.0)
        return (weight * first + taken) / (weight + made)

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
    def read(
        cls, content: Mapping[str, Any], measured: Mapping[str, float] | None = None
    ) -> Earned:
        """Return what `plain` gave, with what a training measured."""
        made, taken, chance = (dict(content.get(n, {})) for n in ("made", "taken", "chance"))
        return cls(made, taken, chance, measured or {})


class Mixture:
    """Asks every expander and mixes what they say: w_c = sum over e of rate_e^2 / rank_ec.

    By ranks, for the weights of one expander say nothing to those of another (reciprocal rank
    fusion: Cormack, Clarke and Buettcher, 2009). With `concepts` it keeps apart what it proposes:
    what bears the same items as something better comes later (maximal marginal relevance: Carbonell
    and Goldstein, 1998).
    """

    name = "mixture"

    def __init__(
        self,
        expanders: Sequence[Expander],
        earned: Earned | None = None,
        concepts: Concepts | None = None,
    ) -> None:
        self.expanders = tuple(expanders)
        self.earned = Earned() if earned is None else earned
        self._concepts = concepts

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
        parts: dict[str, tuple[int, ...]] = {}
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
            rate = self.earned.rate(expander.name) ** SHARP
            parts[expander.name] = tuple(one.concept for one in said.proposals)
            for rank, one in enumerate(said.proposals, 1):
                weight = rate / rank
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
        chosen = self._apart(total, most)
        top = max(chosen.values())
        proposals = tuple(
            replace(best[concept][1], weight=weight / top) for concept, weight in chosen.items()
        )
        mixed = np.sum(vectors, axis=0) if vectors else np.zeros(0, dtype=np.float32)
        seconds = time.perf_counter() - began
        return Expansion(proposals, unit(mixed), tokens, seconds, tuple(failed), parts)

    def _apart(self, total: Mapping[int, float], most: int) -> dict[int, float]:
        """Return the concepts of most weight, best first, each less by what it repeats."""
        ranked = sorted(total, key=lambda concept: (-total[concept], concept))
        if self._concepts is None:
            return {concept: total[concept] for concept in ranked[:most]}
        borne = {concept: self._concepts.bearing(concept) for concept in ranked}
        size = max((int(items.max(initial=-1)) for items in borne.values()), default=-1) + 1
        repeated = dict.fromkeys(ranked, 0.0)
        chosen: dict[int, float] = {}
        while ranked and len(chosen) < most:
            left = {one: total[one] * (1.0 - APART * repeated[one]) for one in ranked}
            best = max(ranked, key=lambda one: left[one])
            ranked.remove(best)
            chosen[best] = left[best]
            mine = np.zeros(size, dtype=np.bool_)
            mine[borne[best]] = True
            for one in ranked:
                least = max(1, min(len(borne[one]), len(borne[best])))
                share = float(np.count_nonzero(mine[borne[one]])) / least
                repeated[one] = max(repeated[one], share)
        return chosen
