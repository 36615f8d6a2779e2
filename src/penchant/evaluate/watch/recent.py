"""The last day or two as columns: what detectors look into. Never written; read again on a start.

So a person who is forgotten is gone from here when the columns are read again, and nothing of them
lies in the state of the watch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

from penchant.types import Floats, Ids, Mask, Times

PLACES = 10  # of a slate that are kept
SLATES = 400_000  # that are at hand: of more of them those of every second person, of every fourth
_MIX = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio: neighbours in number are none in it

Keys = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Happened:
    """Events as columns: offset, person, item (-1 none), time, kind (a row of `names`), and how
    much each shows the person wanted the item. `texts` marks the events that hold words; `slates`
    are the keys of those they name, 0 for none."""

    offsets: npt.NDArray[np.int64]
    users: Ids
    items: Ids
    times: Times
    kinds: npt.NDArray[np.int16]
    wanted: Mask
    texts: Mask
    slates: Keys

    def __len__(self) -> int:
        return len(self.offsets)

    def where(self, keep: Mask | slice | npt.NDArray[np.intp]) -> Happened:
        """Return some of the events, in their order."""
        return Happened(**{f.name: getattr(self, f.name)[keep] for f in fields(self)})


@dataclass(frozen=True)
class Slates:
    """What was shown: slate i with a key of its id went to `users[i]` at `times[i]`, from the
    snapshot `names[snapshots[i]]`.

    The first `PLACES` of its items, best first, are `items[starts[i]:starts[i + 1]]`; the score of
    the first is `scores[i]`, NaN where nothing was shown.
    """

    numbers: npt.NDArray[np.int64]
    keys: Keys
    users: Ids
    times: Times
    snapshots: npt.NDArray[np.int16]
    names: tuple[str, ...]
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
        return replace(
            self,
            **{name: getattr(self, name)[first:] for name in _OF_SLATES},
            starts=self.starts[first:] - begin,
            items=self.items[begin:],
        )

    def where(self, places: npt.NDArray[np.intp]) -> Slates:
        """Return the slates at some places, in the order of these."""
        sizes = np.diff(self.starts)[places]
        starts = np.concatenate(([0], np.cumsum(sizes)))
        lines = np.arange(starts[-1]) + np.repeat(self.starts[places] - starts[:-1], sizes)
        return replace(
            self,
            **{name: getattr(self, name)[places] for name in _OF_SLATES},
            starts=starts,
            items=self.items[lines],
        )

    def of_snapshot(self, name: str) -> Mask:
        """Return which of them came from a snapshot."""
        code = self.names.index(name) if name in self.names else -1
        return np.asarray(self.snapshots == code)


_OF_SLATES = ("numbers", "keys", "users", "times", "snapshots", "scores")


def slate_key(slate_id: str) -> int:
    """Return 8 bytes of a hash of a slate's id as a number, never 0."""
    return int.from_bytes(blake2b(slate_id.encode(), digest_size=8).digest(), signed=True) or 1


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
        np.zeros(0, np.int64),
    )


def unshown() -> Slates:
    """Return no slates."""
    return Slates(
        np.zeros(0, np.int64),
        np.zeros(0, np.int64),
        np.zeros(0, np.int32),
        np.zeros(0, np.float64),
        np.zeros(0, np.int16),
        (),
        np.zeros(1, np.int64),
        np.zeros(0, np.int32),
        np.zeros(0, np.float32),
    )


class Recent:
    """The newest events and slates. `events` are in order of time, equal times in that of the log;
    `names` are the kinds that `events.kinds` points into. Where `SLATES` are not enough, those of a
    part of the people are kept, all of them: half, a quarter, and so on."""

    def __init__(self) -> None:
        self.events = nothing()
        self.slates = unshown()
        self.names: list[str] = []
        self._halved = 0

    def add(self, events: Happened, slates: Slates) -> None:
        """Take in what came."""
        if len(events):
            both = joined([self.events, events])
            order = np.lexsort((both.offsets, both.times))
            self.events = both.where(order)
        if len(slates):
            self.slates = _after(self.slates, self._some(slates))
            while len(self.slates) > SLATES:
                self._halved += 1
                self.slates = self._some(self.slates)

    def replace(self, users: Ids, events: Happened, slates: Slates) -> None:
        """Put what these people did and were shown in the place of what is here of them."""
        self.events = self.events.where(~np.isin(self.events.users, users))
        self.slates = self.slates.where(np.flatnonzero(~np.isin(self.slates.users, users)))
        self.add(events, slates)
        if len(slates):
            self.slates = self.slates.where(np.argsort(self.slates.numbers))

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

    def _some(self, slates: Slates) -> Slates:
        """Return the slates of the people who are kept; of nobody known each is its own person."""
        if not self._halved:
            return slates
        who = np.where(slates.users >= 0, slates.users, slates.keys).astype(np.uint64)
        return slates.where(np.flatnonzero((who * _MIX) >> np.uint64(64 - self._halved) == 0))


def joined(parts: Sequence[Happened]) -> Happened:
    """Return the events of all parts, one after the other."""
    parts = [nothing(), *parts]
    return Happened(
        **{
            f.name: np.concatenate([getattr(one, f.name) for one in parts])
            for f in fields(Happened)
        }
    )


def _after(old: Slates, new: Slates) -> Slates:
    """Return slates with others behind them."""
    names = (*old.names, *(name for name in new.names if name not in old.names))
    codes = np.array([names.index(name) for name in new.names] or [0], dtype=np.int16)
    return Slates(
        np.concatenate((old.numbers, new.numbers)),
        np.concatenate((old.keys, new.keys)),
        np.concatenate((old.users, new.users)),
        np.concatenate((old.times, new.times)),
        np.concatenate((old.snapshots, codes[new.snapshots])),
        names,
        np.concatenate((old.starts, new.starts[1:] + old.starts[-1])),
        np.concatenate((old.items, new.items)),
        np.concatenate((old.scores, new.scores)),
    )
