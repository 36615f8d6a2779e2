"""Both logs from where they were left, side by side in time, with the slates that events answer.

Slates go ahead of events: an event that comes long before its slate is given up as the answer to
none, and a slate that many others have followed is forgotten. So neither log may be read to its end
before the other is.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from penchant.ingest.kinds import Kinds
from penchant.rank.feedback.attribution import Answers, Attribution
from penchant.rank.feedback.config import FeedbackConfig
from penchant.store.impressions import Shown
from penchant.store.log import Events
from penchant.store.open import Store

PART = 5_000  # rows of a log that are taken at once
_AGREE = 5  # events in a row that must be later than the slates: one wrong clock holds nothing up


class Part(NamedTuple):
    """What came next: slates, events, what was answered, and the oldest slate still answered."""

    shown: Shown
    events: Events
    answers: Answers
    oldest: int


class Following:
    """Reads both logs of a store as they grow. For one thread.

    No slate before `since` is of interest, so no event before it is asked what it answers.
    """

    def __init__(self, store: Store, config: FeedbackConfig, kinds: Kinds, since: float) -> None:
        self._store = store
        self._since = since
        self._size = max(1, min(PART, config.slates // 4))  # of what is remembered
        self._attribution = Attribution(config, kinds)
        self._number = self._offset = 0
        self._time = -math.inf

    def parts(self, *, settle: bool) -> Iterator[Part]:
        """Yield what both logs gained, up to where they end now.

        With `settle` nothing waits for slates that may still come: for the last look at a log.
        """
        # Events that are there now; their slates, which are read after them, are then there too.
        until = self._store.log.last()
        events = self._store.log.scan(self._offset, self._size, until)
        while len(events):
            ready = self._ready(events)
            if not ready:
                shown = self._store.impressions.after(self._number, self._size)
                if len(shown):
                    yield self._part(shown, nothing_done())
                    continue
                ready = len(events)
            yield self._part(nothing_shown(), chosen(events, slice(0, ready)))
            events = chosen(events, slice(ready, None))
            if not len(events):
                events = self._store.log.scan(self._offset, self._size, until)
        while len(shown := self._store.impressions.after(self._number, self._size)):
            yield self._part(shown, nothing_done())
        if settle:
            answers = self._attribution.settle()
            yield Part(nothing_shown(), nothing_done(), answers, 0)

    def _ready(self, events: Events) -> int:
        """Return how many of the next events are no later than the slates read so far."""
        late = events.times > self._time
        run = np.convolve(late, np.ones(_AGREE), mode="full")[_AGREE - 1 :]
        # Counted to the end of the part, where fewer follow.
        wanted = np.minimum(_AGREE, np.arange(len(late), 0, -1))
        return int(np.argmax(run >= wanted)) if (run >= wanted).any() else len(events)

    def _part(self, shown: Shown, events: Events) -> Part:
        if len(shown):
            self._number = int(shown.numbers[-1])
            self._time = max(self._time, float(np.median(shown.times[-_AGREE:])))
        if len(events):
            self._offset = int(events.offsets[-1])
        later = np.flatnonzero(events.times >= self._since)
        asked = chosen(events, slice(int(later[0]), None)) if len(later) else nothing_done()
        answers = self._attribution.fold(shown, asked)
        oldest = next((one.number for one in self._attribution.slates), 0)
        return Part(shown, events, answers, oldest)


def chosen(events: Events, which: slice) -> Events:
    """Return some of the events, without their texts and contexts."""
    return Events(
        offsets=events.offsets[which],
        users=events.users[which],
        items=events.items[which],
        times=events.times[which],
        kinds=events.kinds[which],
        values=events.values[which],
        shared=events.shared[which],
        texts=(),
        contexts=(),
        kind_names=events.kind_names,
        slates=events.slates[which],
    )


def nothing_done() -> Events:
    """Return no events."""
    no = np.zeros(0)
    return Events(
        offsets=no.astype(np.int64),
        users=no.astype(np.int32),
        items=no.astype(np.int32),
        times=no,
        kinds=no.astype(np.int16),
        values=no.astype(np.float32),
        shared=no.astype(np.float32),
        texts=(),
        contexts=(),
        kind_names=(),
    )


def nothing_shown() -> Shown:
    """Return no slates."""
    no = np.zeros(0)
    return Shown(
        numbers=no.astype(np.int64),
        slates=(),
        users=no.astype(np.int32),
        times=no,
        variants=(),
        starts=np.zeros(1, dtype=np.int64),
        items=no.astype(np.int32),
        propensities=no.astype(np.float32),
    )
