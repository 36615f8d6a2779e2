"""The last day or two as columns: what detectors look into. Never written; read again on a start.

So a person who is forgotten is gone from here when the columns are read again, and nothing of them
lies in the state of the watch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from penchant.types import Floats, Ids, Mask, Times


@dataclass(frozen=True)
class Happened:
    """Events as columns: offset, person, item (-1 none), time, kind (a row of `names`), and how
    much each shows the person wanted the item. `texts` marks the events that hold words."""

    offsets: npt.NDArray[np.int64]
    users: Ids
    items: Ids
    times: Times
    kinds: npt.NDArray[np.int16]
    wanted: Mask
    texts: Mask
    slates: tuple[str | None, ...] = ()

    def __len__(self) -> int:
        return len(self.offsets)

    def where(self, keep: Mask | slice | npt.NDArray[np.intp]) -> Happened:
        """Return some of the events, in their order."""
        arrays = {f.name: getattr(self, f.name)[keep] for f in fields(self) if f.name != "slates"}
        named: tuple[str | None, ...] = ()
        if self.slates:
            chosen = np.arange(len(self))[keep]
            named = tuple(self.slates[place] for place in chosen.tolist())
        return replace(self, slates=named, **arrays)


@dataclass(frozen=True)
class Slates:
    """What was shown: slate i has id `ids[i]`, went to `users[i]` at `times[i]`, from `snapshots`.

    Its items, best first, are `items[starts[i]:starts[i + 1]]`, with `scores` beside them.
    """

    numbers: npt.NDArray[np.int64]
    ids: tuple[str, ...]
    users: Ids
    times: Times
    snapshots: tuple[str, ...]
    starts: npt.NDArray[np.int64]
    items: Ids
    scores: Floats

    def __len__(self) -> int:
        return len(self.numbers)

    def since(self, time: float) -> Slates:
        """Return the slates from the first one on that was shown at `time` or later."""
        late = self.times >= time
        first = int(late.argmax()) if late.any() else len(self)
        if not first:
            return self
        begin = int(self.starts[first])
        return Slates(
            self.numbers[first:],
            self.ids[first:],
            self.users[first:],
            self.times[first:],
            self.snapshots[first:],
            self.starts[first:] - begin,
            self.items[begin:],
            self.scores[begin:],
        )


def nothing() -> Happened:
    """Return no events."""
    return Happened(
        np.zeros(0, np.int64),
        np.zeros(0, np.int32),
        np.zeros(0, np.int32),
        np.zeros(0, np.float64),
        np.zeros(0, np.int16),
        np.zeros(0, np.bool_),
        np.zeros(0, np.bool_),
    )


def unshown() -> Slates:
    """Return no slates."""
    return Slates(
        np.zeros(0, np.int64),
        (),
        np.zeros(0, np.int32),
        np.zeros(0, np.float64),
        (),
        np.zeros(1, np.int64),
        np.zeros(0, np.int32),
        np.zeros(0, np.float32),
    )


class Recent:
    """The newest events and slates. `events` are in order of time, equal times in that of the log;
    `names` are the kinds that `events.kinds` points into."""

    def __init__(self) -> None:
        self.events = nothing()
        self.slates = unshown()
        self.names: list[str] = []

    def add(self, events: Happened, slates: Slates) -> None:
        """Take in what came."""
        if len(events):
            both = _joined(self.events, events)
            order = np.lexsort((both.offsets, both.times))
            self.events = both.where(order)
        if len(slates):
            old = self.slates
            self.slates = Slates(
                np.concatenate((old.numbers, slates.numbers)),
                old.ids + slates.ids,
                np.concatenate((old.users, slates.users)),
                np.concatenate((old.times, slates.times)),
                old.snapshots + slates.snapshots,
                np.concatenate((old.starts, slates.starts[1:] + old.starts[-1])),
                np.concatenate((old.items, slates.items)),
                np.concatenate((old.scores, slates.scores)),
            )

    def forget(self, before: float) -> None:
        """Let go of what lies before `before` (seconds)."""
        first = int(np.searchsorted(self.events.times, before))
        if first:
            self.events = self.events.where(slice(first, None))
        self.slates = self.slates.since(before)

    def between(self, begin: float, end: float) -> Happened:
        """Return the events of [begin, end)."""
        times = self.events.times
        return self.events.where(slice(*np.searchsorted(times, (begin, end)).tolist()))


def _joined(a: Happened, b: Happened) -> Happened:
    arrays: dict[str, Any] = {
        f.name: np.concatenate((getattr(a, f.name), getattr(b, f.name)))
        for f in fields(a)
        if f.name != "slates"
    }
    named: Sequence[str | None] = ()
    if a.slates or b.slates:
        named = (*(a.slates or (None,) * len(a)), *(b.slates or (None,) * len(b)))
    return Happened(slates=tuple(named), **arrays)
