"""Gather: ask every source, take the best of each, give every candidate every source's score."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence

import numpy as np

from penchant.interests.state import State
from penchant.recall.popularity import Popularity
from penchant.recall.source import NotReady, Opinion, Source
from penchant.store.log import Events
from penchant.types import Candidates, Query

HANGING = 1.0  # seconds after which a source that still answers somebody is asked by nobody else


class Recall:
    """The sources of one snapshot and the popularity they share, as one thing to ask and to teach.

    `quotas` says how many items each source may propose. A source that raises, or whose turn comes
    after the deadline, is skipped and named in the notes: the request is answered without it. So is
    one that has kept another request waiting for long: that request is stuck, no other need be.
    `worded` are asked last, and have a column, only where the person used words.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        popularity: Popularity,
        quotas: Mapping[str, int],
        worded: Sequence[Source] = (),
    ) -> None:
        self._wordless = tuple(sources)
        self.sources = (*sources, *worded)
        self.popularity = popularity
        self.names = tuple(source.name for source in self.sources)
        self._quotas = dict(quotas)
        # Since when each source has been answering, by thread.
        self._asked: tuple[dict[int, float], ...] = tuple({} for _ in self.sources)

    def fold(self, tail: Events) -> None:
        """Teach every source what others recorded; `tail` holds wanted events only."""
        self.popularity.fold(tail.items[tail.items >= 0], tail.times[tail.items >= 0])
        self.learn(tail)

    def learn(self, tail: Events, *, anew: bool = False) -> None:
        """Teach the sources, but for the popularity they share; `anew`, in place of all before."""
        for source in self.sources:
            source.fold(tail, anew=anew)

    def gather(
        self, query: Query, state: State, deadline: float | None = None
    ) -> tuple[Candidates, dict[str, object]]:
        """Return the union of the sources' best, and notes on who proposed, failed or was late.

        `features` float32[n, s] holds the score of each of the s sources for each candidate, NaN
        for no opinion. `deadline` is in seconds of time.monotonic(). With `query.only` the
        candidates are that list, whatever the sources propose.
        """
        words = query.text or state.words is not None
        sources = self.sources if words else self._wordless
        names = self.names[: len(sources)]
        found: list[Opinion | None] = []
        proposed: list[np.ndarray] = []
        notes: dict[str, object] = {}
        none = np.zeros(0, dtype=np.int32)
        thread = threading.get_ident()
        for source, asked in zip(sources, self._asked, strict=False):
            scores, begun = None, time.monotonic()
            if deadline is not None and begun > deadline:
                notes[source.name] = "late: skipped"
            elif asked and begun - min(list(asked.values()), default=begun) > HANGING:
                notes[source.name] = "hangs: skipped"
            else:
                asked[thread] = begun
                try:
                    scores = source.score(query, state)
                except NotReady as waiting:
                    notes[source.name] = f"not ready: {waiting}"
                except Exception as error:  # a broken source must not break the answer
                    notes[source.name] = f"failed: {type(error).__name__}: {error}"
                finally:
                    del asked[thread]
            found.append(scores)
            if scores is None or query.only is not None:
                proposed.append(none)
                continue
            best = scores.top(self._quotas.get(source.name, 0), query.allowed)
            notes[source.name] = len(best)
            proposed.append(best)
        if query.only is not None:
            items = query.only.astype(np.int32)
            origin = np.zeros(len(items), dtype=np.uint32)
        else:
            # Each source names an item once, so that the sum of its bits is their union.
            bits = np.repeat(2.0 ** np.arange(len(proposed)), [len(best) for best in proposed])
            by = np.bincount(
                np.concatenate([*proposed, none]), weights=bits, minlength=query.n_items
            )
            items = np.flatnonzero(by > 0).astype(np.int32)
            if len(items) < query.k:
                items = _filled(items, query)
                notes["filled"] = (
                    "with the newest items: the sources know fewer than were asked for"
                )
            origin = by[items].astype(np.uint32)
        features = np.full((len(items), len(sources)), np.nan, dtype=np.float32)
        for column, scores in enumerate(found):
            if scores is not None:
                features[:, column] = scores.at(items)
        return Candidates(
            items=items,
            scores=np.zeros(len(items), dtype=np.float32),
            features=features,
            names=names,
            origin=origin,
            sources=names,
        ), notes


def _filled(items: np.ndarray, query: Query) -> np.ndarray:
    """Return the items with the newest of the others that may be shown, up to the k asked for."""
    free = np.ones(query.n_items, dtype=np.bool_) if query.allowed is None else query.allowed.copy()
    free[items] = False
    newest = np.flatnonzero(free)[::-1][: query.k - len(items)]
    return np.union1d(items, newest).astype(np.int32)
