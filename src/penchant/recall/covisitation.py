"""Recall by co-visitation: what others wanted right after, or at the same moment; learns live.

Two directed counts over pairs of one person's wanted items: `after` (a, then b at one of the next
moments, decayed by the time between) and `together` (a and b at one moment). Counts are divided by
the popularity of both ends to the power `damping`, and pairs far in the past count less. New pairs
are added the moment an event is folded, so an item nobody knew at training time is reachable from
its first companion on.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from penchant.interests.state import DAY, State
from penchant.recall.live import LivePairs, Weights
from penchant.recall.pairing import WINDOW, Pairing
from penchant.recall.source import Scores
from penchant.recall.sparse import SparseRows
from penchant.store.log import Events
from penchant.types import Floats, Ids, Query, Times

_FEW = 32_000  # items that are quicker to count than a few entries to sort


def pairs(
    users: Ids, items: Ids, times: Times, *, together: bool, days_half: float, window: int = WINDOW
) -> tuple[Ids, Ids, Floats]:
    """Return (from, to, weight) of the pairs in events sorted by user and time.

    For `together`, pairs of one moment in both directions, each weighing 1/sqrt(n-1) in a moment of
    n items, so that a basket of a hundred does not drown the rest. Otherwise each event with the
    `window` events before it at earlier moments, weighing 2^(-days between / days_half) / steps.
    """
    out: list[tuple[Ids, Ids, Floats]] = []
    same_size = _moment_sizes(users, times) if together else None
    for step in range(1, (60 if together else window) + 1):
        if step >= len(users):
            break
        one = users[step:] == users[:-step]
        gap = times[step:] - times[:-step]
        ok = one & ((gap == 0) if together else (gap > 0))
        if not ok.any():
            if together:
                break
            continue
        a, b = items[:-step][ok], items[step:][ok]
        if together:
            assert same_size is not None
            weight = (1.0 / np.sqrt(np.maximum(same_size[step:][ok] - 1, 1))).astype(np.float32)
            out += [(a, b, weight), (b, a, weight)]
        else:
            weight = np.exp2(-gap[ok] / (DAY * days_half)) / np.sqrt(step)
            out.append((a, b, weight.astype(np.float32)))
    if not out:
        empty = np.zeros(0, dtype=np.int32)
        return empty, empty, np.zeros(0, dtype=np.float32)
    froms, tos, weights = zip(*out, strict=True)
    return np.concatenate(froms), np.concatenate(tos), np.concatenate(weights)


def _moment_sizes(users: Ids, times: Times) -> npt.NDArray[np.int64]:
    new = np.concatenate(([True], (users[1:] != users[:-1]) | (times[1:] != times[:-1])))
    group = np.cumsum(new) - 1
    sizes: npt.NDArray[np.int64] = np.bincount(group)[group]
    return sizes


class Covisitation:
    """Scores by the decayed sum of the rows of what was wanted last.

    `rows` count what happened up to `until`: a question about a moment before it does not use them.
    """

    def __init__(
        self,
        name: str,
        rows: SparseRows,
        counts: Floats,
        *,
        together: bool,
        pairing: Pairing,
        damping: float = 0.5,
        moments_half: float = 2.0,
        last: int = 20,
        until: float = 0.0,
    ) -> None:
        self.name = name
        self.rows = rows
        self.together = together
        self._pairing = pairing
        self._damps = np.maximum(counts, 1.0, dtype=np.float32) ** damping
        self._half = moments_half
        self._last = last
        self._until = until
        self._live = LivePairs()

    def score(self, query: Query, state: State) -> Scores | None:
        """Return scores of the items seen beside the person's last ones, sparse; None if none."""
        liked = state.liked
        items, moments = liked.items[-self._last :], liked.moments[-self._last :]
        if not len(items):
            return None
        if self.together and not liked.same_moment:
            return None
        if self.together:  # only of the newest moment
            items, moments = items[moments == 0], moments[moments == 0]
        weights = np.exp2(-moments / self._half).astype(np.float32)
        weights = weights * liked.strengths[-len(items) :]
        to, value = self._live.entries(items, weights, query.now)
        if query.now >= self._until:
            known, more = self.rows.entries(items, weights)
            to, value = np.concatenate((known, to)), np.concatenate((more, value))
        if len(to) and int(to.max()) >= query.n_items:
            inside = to < query.n_items
            to, value = to[inside], value[inside]
        found, total = _summed(to, value, query.n_items)
        if not len(found):
            return None
        counted = int(np.searchsorted(found, len(self._damps)))
        total[:counted] /= self._damps[found[:counted]]
        return Scores(total, found)

    def fold(self, tail: Events, *, anew: bool = False) -> None:
        """Add the pairs that new events make with what the same person wanted just before."""
        live = LivePairs() if anew else self._live
        made = self._pairing(tail, together=self.together)
        live.add(made.pairs)
        if made.columns is not None:
            live.add_many(*made.columns)
        self._live = live


def _summed(items: Ids, values: Weights, n: int) -> tuple[Ids, Floats]:
    """Return each item once, ascending, with the sum of its values, where that is not 0."""
    if n > _FEW + 32 * len(items):
        found, place = np.unique(items, return_inverse=True)
        total = np.bincount(place, weights=values, minlength=len(found)).astype(np.float32)
        some = np.flatnonzero(total)
        return found[some], total[some]
    sums = np.bincount(items, weights=values, minlength=n)
    places = np.flatnonzero(sums != 0)
    return places.astype(np.int32), sums[places].astype(np.float32)
