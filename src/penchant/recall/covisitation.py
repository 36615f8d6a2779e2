"""Recall by co-visitation: what others wanted right after, or at the same moment; learns live.

Two directed counts over pairs of one person's wanted items: `after` (a, then b at one of the next
moments, decayed by the time between) and `together` (a and b at one moment). Counts are divided by
the popularity of both ends to the power `damping`, and pairs far in the past count less. New pairs
are added the moment an event is folded, so an item nobody knew at training time is reachable from
its first companion on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from penchant.interests.state import DAY, State
from penchant.recall.live import LivePairs, Weights
from penchant.recall.source import Scores
from penchant.recall.sparse import SparseRows
from penchant.store.log import Events
from penchant.types import Floats, Ids, Query, Times

WINDOW = 12  # how many earlier wanted items an event is paired with
BULK = 5_000  # events of a tail from which on single pairs do not keep their times
# What a person wanted up to a moment, of what was recorded up to an offset: items and times,
# oldest first.
Offsets = npt.NDArray[np.int64]
Recent = Callable[[int, float, int], tuple[Ids, Times]]


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

    def fold(self, tail: Events, *, anew: bool = False) -> None:
        """Add the pairs that new events make with what the same person wanted just before.

        Just before: earlier in time, and recorded before. So what is known after many events does
        not depend on how they were cut into tails.
        """
        live = LivePairs() if anew else self._live
        place = np.flatnonzero(tail.items >= 0)
        place = place[np.argsort(tail.users[place], kind="stable")]
        edges = np.flatnonzero(np.diff(tail.users[place], prepend=-1))
        found = [_Pairs.none()]
        for mine in np.split(place, edges[1:]) if len(place) else ():
            columns = tail.items[mine], tail.times[mine], tail.offsets[mine]
            found.append(self._of(int(tail.users[mine[0]]), *columns))
        made = _Pairs.joined(found)
        if len(place) > BULK:
            n = int(max(made.froms.max(initial=-1), made.tos.max(initial=-1))) + 1
            rows = SparseRows.from_pairs(made.froms, made.tos, made.weights, n)
            live.load(rows, float(tail.times.max()))
        else:
            live.add(made.froms, made.tos, made.weights, made.times)
        self._live = live

    def _of(self, user: int, items: Ids, times: Times, offsets: Offsets) -> _Pairs:
        """Return the pairs of one person's new events, in the order in which they were recorded."""
        n = len(items)
        had, at = self._recent(user, float(times.max()), int(offsets[-1]))
        if np.array_equal(had[-n:], items) and np.array_equal(at[-n:], times):
            return self._made(had[-n - WINDOW :], at[-n - WINDOW :], n)
        # Not in order of time: each is paired with what was known when it came.
        single = [_Pairs.none()]
        for item, time, offset in zip(
            items.tolist(), times.tolist(), offsets.tolist(), strict=True
        ):
            had, at = self._recent(user, time, offset)
            own = np.flatnonzero((had == item) & (at == time))
            end = int(own[-1]) + 1 if len(own) else len(had)
            begin = max(0, end - 1 - WINDOW)
            if end:
                single.append(self._ending(had[begin:end], at[begin:end], end - begin - 1))
        return _Pairs.joined(single)

    def _made(self, items: Ids, times: Times, n: int) -> _Pairs:
        """Return the pairs that the last `n` of these make with the `WINDOW` before each."""
        first = len(items) - n
        if n > WINDOW:
            return _Pairs.joined(
                [self._stepped(items, times, first, s) for s in range(1, WINDOW + 1)]
            )
        return _Pairs.joined(
            [self._ending(items, times, place) for place in range(first, first + n)]
        )

    def _ending(self, items: Ids, times: Times, place: int) -> _Pairs:
        """Return the pairs of one event with those before it."""
        begin = max(0, place - WINDOW)
        steps = np.arange(place - begin, 0, -1)
        gap = times[place] - times[begin:place]
        ok = (items[begin:place] != items[place]) & ((gap == 0) == self.together)
        return self._weighed(
            items[begin:place][ok],
            np.full(int(ok.sum()), items[place]),
            gap[ok],
            times[place],
            steps[ok],
        )

    def _stepped(self, items: Ids, times: Times, first: int, step: int) -> _Pairs:
        """Return the pairs of the events from `first` on with those so many steps before them."""
        later = np.arange(max(first, step), len(items))
        gap = times[later] - times[later - step]
        ok = (items[later - step] != items[later]) & ((gap == 0) == self.together)
        later = later[ok]
        return self._weighed(items[later - step], items[later], gap[ok], times[later], step)

    def _weighed(
        self, a: Ids, b: Ids, gap: Times, then: Times | float, steps: npt.NDArray[np.intp] | int
    ) -> _Pairs:
        moments = np.broadcast_to(then, len(a))
        if self.together:
            weights = np.broadcast_to(np.asarray(steps) ** -0.5, len(a))
            return _Pairs(
                np.append(a, b), np.append(b, a), np.tile(weights, 2), np.tile(moments, 2)
            )
        return _Pairs(a, b, np.exp2(-gap / (7 * DAY)) / np.sqrt(steps), moments)


@dataclass(frozen=True, slots=True)
class _Pairs:
    """Directed pairs as columns, and the moment at which each was made."""

    froms: Ids
    tos: Ids
    weights: Weights
    times: Times

    @classmethod
    def none(cls) -> _Pairs:
        empty = np.zeros(0, dtype=np.int32)
        return cls(empty, empty, np.zeros(0), np.zeros(0))

    @classmethod
    def joined(cls, parts: Sequence[_Pairs]) -> _Pairs:
        filled = [part for part in parts if len(part.froms)] or list(parts[:1])
        if len(filled) == 1:
            return filled[0]
        names = ("froms", "tos", "weights", "times")
        return cls(*(np.concatenate([getattr(part, name) for part in filled]) for name in names))


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
