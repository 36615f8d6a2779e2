"""What people wanted next, and after what, as a layer above texts is taught it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from penchant.learn.view import View
from penchant.recall.text import LAST, fading
from penchant.types import Floats


@dataclass(frozen=True)
class Examples:
    """What was wanted next, and after what: event e of `target` came after `history[e]`.

    `items` int64[events] are those of a view ordered by person and time; `history` int64[n, LAST]
    are places in it, -1 where the past is shorter, `weights` float32[n, LAST] add up to one.
    """

    items: npt.NDArray[np.int64]
    target: npt.NDArray[np.int64]
    moment: npt.NDArray[np.int64]
    history: npt.NDArray[np.int64]
    weights: Floats

    @classmethod
    def of(cls, view: View, known: npt.NDArray[np.bool_], since: float = -math.inf) -> Examples:
        """Return the examples of wanted events from `since` on, of items that are `known`."""
        ordered, starts = view.by_user()
        if len(ordered):
            ordered = ordered.where(known[ordered.items])
            ordered, starts = ordered.by_user()
        items, times = ordered.items.astype(np.int64), ordered.times
        n = len(items)
        person = np.repeat(starts[:-1], np.diff(starts))  # where each event's person begins
        new = np.ones(n, dtype=np.bool_)
        new[1:] = (times[1:] != times[:-1]) | (person[1:] != person[:-1])
        moment = np.cumsum(new) - 1
        first = np.flatnonzero(new)[moment]  # where each event's moment begins
        target = np.flatnonzero((first > person) & (times >= since))
        history = first[target][:, None] - np.arange(LAST, 0, -1)[None]
        inside = history >= person[target][:, None]
        place = np.where(inside, history, 0)
        newest = first[target] - 1
        weights = np.where(
            inside,
            fading(
                (moment[newest][:, None] - moment[place]).astype(np.float32),
                times[newest][:, None] - times[place],
            ),
            np.float32(0.0),
        )
        weights /= weights.sum(axis=1, keepdims=True)
        return cls(items, target, moment, np.where(inside, history, -1), weights)

    def __len__(self) -> int:
        return len(self.target)

    def few(self, most: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
        """Return the numbers of the examples in random order, at most `most` of each moment."""
        order = rng.permutation(len(self.target))
        by_moment = order[np.argsort(self.moment[self.target[order]], kind="stable")]
        of = self.moment[self.target[by_moment]]
        new = np.flatnonzero(np.diff(of, prepend=-1) != 0)
        rank = np.arange(len(of)) - np.repeat(new, np.diff(np.append(new, len(of))))
        kept = by_moment[rank < most]
        shuffled: npt.NDArray[np.int64] = rng.permutation(kept)
        return shuffled
