"""Recall by co-visitation: what others wanted right after, or at the same moment; learns live.

Two directed counts over pairs of one person's wanted items: `after` (a, then b at one of the next
moments, decayed by the time between) and `together` (a and b at one moment). Counts are divided by
the popularity of both ends to the power `damping`, and pairs far in the past count less. New pairs
are added the moment an event is folded, so an item nobody knew at training time is reachable from
its first companion on.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from penchant.interests.state import DAY, State
from penchant.recall.live import LivePairs, Weights
from penchant.recall.source import Scores
from penchant.recall.sparse import SparseRows
from penchant.store.log import Events
from penchant.types import Floats, Ids, Query, Times

WINDOW = 12  # how many earlier wanted items an event is paired with
BULK = 5_000  # events of a tail from which on it is counted at once
Recent = Callable[[int, float], tuple[Ids, Times]]


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
        recent: Recent,
        damping: float = 0.5,
        moments_half: float = 2.0,
        last: int = 20,
        until: float = 0.0,
    ) -> None:
        self.name = name
        self.rows = rows
        self.together = together
        self._counts = counts
        self._recent = recent
        self._damping = damping
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
        weights = np.exp2(-moments / self._half).astype(np.float32)
        if self.together:
            weights[moments > 0] = 0.0
        weights = weights * liked.strengths[-self._last :]
        to, value = self._live.entries(items, weights, query.now)
        if query.now >= self._until:
            known, more = self.rows.entries(items, weights)
            to, value = np.concatenate((known, to)), np.concatenate((more, value))
        inside = to < query.n_items
        found, total = _summed(to[inside], value[inside], query.n_items)
        if not len(found):
            return None
        damp = np.ones(len(found), dtype=np.float32)
        inside = found < len(self._counts)
        damp[inside] = np.maximum(self._counts[found[inside]], 1.0)
        values = total / damp**self._damping
        return Scores(values.astype(np.float32), found.astype(np.int32))

    def fold(self, tail: Events) -> None:
        """Add the pairs that new events make with what the same person wanted just before."""
        keep = tail.items >= 0
        users, items, times = tail.users[keep], tail.items[keep], tail.times[keep]
        if len(users) > BULK:
            self._fold_bulk(users, items, times)
            return
        read: dict[int, tuple[Ids, Times]] = {}
        newest: dict[int, float] = {}
        for user, time in zip(users.tolist(), times.tolist(), strict=True):
            newest[user] = max(time, newest.get(user, time))
        for user, item, time in zip(users.tolist(), items.tolist(), times.tolist(), strict=True):
            if user not in read:
                read[user] = self._recent(user, newest[user])
            had, at = read[user]
            end = int(np.searchsorted(at, time, side="right"))
            if end <= WINDOW < len(at):  # so long a tail that its begin has left the history
                had, at = self._recent(user, time)
                end = len(had)
            self._pair(item, time, had[:end], at[:end])

    def _pair(self, item: int, time: float, had: Ids, at: Times) -> None:
        # The history may already hold what follows at the same moment: that pairs with this event
        # when its own turn comes, and once is enough.
        own = np.flatnonzero((had == item) & (at == time))
        end = int(own[-1]) if len(own) else len(had)
        begin = max(0, end - WINDOW)
        found: list[tuple[int, int, float]] = []
        for steps, (before, then) in enumerate(
            zip(had[begin:end][::-1].tolist(), at[begin:end][::-1].tolist(), strict=True), start=1
        ):
            if before == item or (then == time) != self.together:
                continue
            if self.together:
                weight = 1.0 / steps**0.5
                found += [(before, item, weight), (item, before, weight)]
            else:
                found.append((before, item, 2.0 ** (-(time - then) / (7 * DAY)) / steps**0.5))
        if found:
            self._live.add(found, time)

    def _fold_bulk(self, users: Ids, items: Ids, times: Times) -> None:
        """Add the pairs within a long tail at once; what came before it is not looked at."""
        order = np.lexsort((times, users))
        froms, tos, weights = pairs(
            users[order], items[order], times[order], together=self.together, days_half=7.0
        )
        n = int(items.max()) + 1
        self._live.load(SparseRows.from_pairs(froms, tos, weights, n), float(times.max()))


def _summed(items: Ids, values: Weights, n: int) -> tuple[Ids, Floats]:
    """Return each item once, ascending, with the sum of its values, where that is not 0."""
    if 8 * len(items) < n:
        found, place = np.unique(items, return_inverse=True)
        total = np.bincount(place, weights=values, minlength=len(found)).astype(np.float32)
    else:
        total = np.bincount(items, weights=values, minlength=n).astype(np.float32)
        found = np.arange(n, dtype=np.int32)
    some = np.flatnonzero(total)
    return found[some], total[some]
