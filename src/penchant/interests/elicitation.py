"""Elicitation: which items to ask a new person about, so that their answers help most.

People who wanted things before stand for what a new one may be like: each is a taste, believed as
much as the answers so far fit. A question is worth what a yes would change: how much more of what
the person wants would be among the best items than without it, times how likely they know the item
and say yes. A question that nobody can answer is worth nothing, and neither is one that everybody
answers alike. A yes is worth something by itself: the engine has more to go on than a belief about
tastes. Expected value of information (Howard, 1966), over prototypes in place of a parametric
model; the alternatives that were measured: docs/interests.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from penchant.store.artefacts import Artefacts
from penchant.types import Floats, Ids, Mask

NAME = "elicitation"
BEST = 20  # items that a belief recommends
PATTERNS = 8  # of answers to the questions before, the most likely, that are reckoned with
Reals = npt.NDArray[np.float64]
Belief = tuple[float, Reals]  # how likely a pattern of answers is, and what is believed after it
YES = 0.2  # of an item, what a yes is worth beside: the first thing that is known of somebody
SURE = 1e-4  # nobody is surer than this that an answer is yes, or no


@dataclass(frozen=True, slots=True)
class Asked:
    """A question: an item's number, how likely a yes is, and what it is worth.

    `gain` is how many more of the best 20 items the person is expected to want for having been
    asked, `bits` how much an answer, yes or no, is expected to tell of their taste.
    """

    item: int
    likely: float
    gain: float
    bits: float


@dataclass(frozen=True, eq=False)
class Elicitation:
    """`items` int32[m] can be asked about, the best known first; `likely` float32[t, m] is how
    likely a person of each taste is to say yes."""

    items: Ids
    likely: Floats

    def questions(self, liked: Ids, declined: Ids, may: Mask, k: int) -> list[Asked]:
        """Return at most `k` questions, each chosen with those before it in mind, the first first.

        `liked` and `declined` are numbers of items answered before, `may` bool[n] marks what can be
        asked about; items after its end cannot.
        """
        able = np.zeros(len(self.items), dtype=np.bool_)
        inside = self.items < len(may)
        able[inside] = may[self.items[inside]]
        answered = np.isin(self.items, np.concatenate((liked, declined)))
        able &= ~answered
        beliefs: list[Belief] = [(1.0, self.believed(liked, declined))]
        asked: list[Asked] = []
        while able.any() and len(asked) < k:
            gain = np.zeros(len(self.items))
            yes = np.zeros(len(self.items))
            for share, belief in beliefs:
                likely = belief @ self.likely
                yes += share * likely
                gain += share * self._gain(belief, likely, answered)
            best = int(np.where(able, gain + YES * yes, -1.0).argmax())
            bits = sum(share * self._bits(belief, best) for share, belief in beliefs)
            asked.append(Asked(int(self.items[best]), float(yes[best]), float(gain[best]), bits))
            able[best] = False
            answered[best] = True
            beliefs = self._told(beliefs, best)
        return asked

    def believed(self, liked: Ids, declined: Ids) -> Reals:
        """Return float64[t]: how far each taste is believed after these answers."""
        sure = np.clip(self.likely.astype(np.float64), SURE, 1.0 - SURE)
        fits = np.log(sure[:, np.isin(self.items, liked)]).sum(axis=1)
        fits += np.log1p(-sure[:, np.isin(self.items, declined)]).sum(axis=1)
        belief = np.exp(fits - fits.max())
        out: Reals = belief / belief.sum()
        return out

    def _gain(self, belief: Reals, likely: Reals, answered: Mask) -> Reals:
        """Return float64[m]: P(yes) times what the best items gain by a yes, for each question.

        `likely` float64[m] is P(yes) as it is believed.
        """
        yes = np.maximum(likely, 1e-12)
        wanted = (
            belief[:, None] * self.likely / yes
        ).T @ self.likely  # [asked, item]: wanted by whoever says yes
        np.fill_diagonal(wanted, 0.0)
        wanted[:, answered] = 0.0
        best = min(BEST, wanted.shape[1])
        order = np.argsort(-np.where(answered, 0.0, likely), kind="stable")
        now, next_one = order[:best], order[best : best + 1]
        without = wanted[:, now].sum(axis=1)
        # Whoever was asked about one of the best is recommended the next one in its place.
        without[now] += wanted[now][:, next_one].sum(axis=1)
        then = -np.partition(-wanted, best - 1, axis=1)[:, :best].sum(axis=1)
        gain: Reals = yes * np.maximum(then - without, 0.0)
        return gain

    def _bits(self, belief: Reals, question: int) -> float:
        """Return the mutual information of taste and answer."""
        each = np.clip(self.likely[:, question].astype(np.float64), SURE, 1.0 - SURE)
        return max(0.0, float(_entropy(belief @ each) - belief @ _entropy(each)))

    def _told(self, beliefs: Sequence[Belief], question: int) -> list[Belief]:
        """Return what would be believed after each answer, with how likely that is."""
        each = np.clip(self.likely[:, question].astype(np.float64), SURE, 1.0 - SURE)
        out: list[Belief] = []
        for share, belief in beliefs:
            for answer in (each, 1.0 - each):
                likely = float(belief @ answer)
                out.append((share * likely, belief * answer / likely))
        out.sort(key=lambda one: -one[0])
        kept = out[:PATTERNS]
        total = sum(share for share, _ in kept)
        return [(share / total, belief) for share, belief in kept]

    def save(self, folder: Artefacts) -> None:
        """Write it into the folder of a snapshot."""
        folder.write_array(f"{NAME}.items", self.items)
        folder.write_array(f"{NAME}.likely", self.likely)

    @classmethod
    def load(cls, folder: Artefacts) -> Elicitation | None:
        """Return that of a snapshot, None where it was made without one."""
        if not folder.has(f"{NAME}.items.npy"):
            return None
        items, likely = (np.asarray(folder.array(f"{NAME}.{part}")) for part in ("items", "likely"))
        return cls(items, likely)


def by_category(counts: Floats, category: Ids, most: int) -> Elicitation:
    """Return whom to ask what before anything is learned: each category is a taste.

    `counts` float[n] is how often each item was wanted, `category` int32[n] its category, -1 for
    none. Somebody of a taste wants the items of its category twice as often as others do.
    """
    order = np.lexsort((np.arange(len(counts)), -counts))[:most].astype(np.int32)
    known = 0.05 + 0.45 * counts[order] / max(1.0, float(counts.max(initial=0.0)))
    tastes = np.unique(category[order]) if len(order) else np.array([-1])
    own = category[order][None, :] == tastes[:, None]
    likely = known * np.where(own & (tastes[:, None] >= 0), 1.6, 0.8)
    return Elicitation(order, likely.astype(np.float32))


def _entropy(share: Reals | np.float64) -> Reals:
    out: Reals = -(share * np.log2(share) + (1.0 - share) * np.log2(1.0 - share))
    return out
