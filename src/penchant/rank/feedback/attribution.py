"""Attribution: which slate an event answers, as a fold over the two logs.

An event that names a slate answers that one, if it showed the item; any other answers the latest
slate that showed this item to this person within the window. Slates and events come from two logs
that are read side by side, so a click may be read before its slate is visible. What is decided
must not depend on that:

- events are decided in the order of their log, each for good;
- an event may answer the slates that were visible before the first one with which their log was
  `patience` seconds past the event. Until then it waits, and those behind it with it; a slate it
  names that is there ends the wait;
- where no slate comes any more, it waits until its own log is a window further, or until `WAITING`
  others wait.

Both times are those of the logs (`Clock`), never of the machine that reads them.
"""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_right
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from penchant.ingest.kinds import Kinds
from penchant.interests.history import NOT_HAD
from penchant.rank.feedback.clock import Clock
from penchant.rank.feedback.config import FeedbackConfig
from penchant.rank.feedback.slates import RecentSlate, RecentSlates, recent_slates
from penchant.store.impressions import Shown
from penchant.store.log import Events
from penchant.types import Floats, Ids, Times

WAITING = 100_000  # events that wait for a slate at once
STEP = 1.0  # seconds in which the time of the log of slates is told
# Events are not believed from the future, slates may be about any time; old events come in loads.
AHEAD, BEHIND = 1, 1000


@dataclass(frozen=True, slots=True)
class Answers:
    """Events joined to the slates they answer, as columns in the order of the event log.

    Answer i is of event `offsets[i]`: `users[i]` did `kind_names[kinds[i]]` with `items[i]` at
    `times[i]`, in place `places[i]` (0 the first) of slate number `numbers[i]`, where it stood with
    probability `propensities[i]`. `strengths` say how much it was wanted, `values` are the event's
    own magnitudes (NaN: none), `shared` its weight in what others learn. `slates` are the slates
    themselves, `named` says whether the event named it.
    """

    offsets: npt.NDArray[np.int64]
    numbers: npt.NDArray[np.int64]
    places: npt.NDArray[np.int32]
    users: Ids
    items: Ids
    times: Times
    kinds: npt.NDArray[np.int16]
    values: Floats
    strengths: Floats
    shared: Floats
    propensities: Floats
    named: npt.NDArray[np.bool_]
    slates: tuple[RecentSlate, ...]
    kind_names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.offsets)


@dataclass(slots=True)
class Tally:
    """What became of the events with an item: each is counted once.

    `late`: the slate was shown longer ago than the window, and is remembered still. `double`: an
    answer of its kind to its place was there already. `orphan`: it names a slate nobody knows.
    `unshown`: it names none, or one without the item, and nothing showed this person the item.
    """

    joined: int = 0
    late: int = 0
    double: int = 0
    orphan: int = 0
    unshown: int = 0

    def as_dict(self) -> dict[str, int]:
        """Return the counts by name."""
        return {one.name: getattr(self, one.name) for one in fields(self)}


class _Waiting(NamedTuple):
    offset: int
    user: int
    item: int
    time: float
    kind: int
    value: float
    strength: float
    shared: float
    slate: str | None
    clock: float


class Attribution:
    """Joins events to slates as both logs grow. Memory is bounded by the window, and by counts.

    Not safe for threads: who folds holds a lock.
    """

    def __init__(self, config: FeedbackConfig, kinds: Kinds) -> None:
        self._config = config
        self._kinds = kinds
        self.slates = RecentSlates(config.slates)
        self.tally = Tally()
        self._waiting: deque[_Waiting] = deque()
        self._codes: dict[str, int] = {}
        jump = 2 * config.window
        self._shown, self._done = Clock(jump), Clock(jump, AHEAD, BEHIND)
        # Times of the log of slates, and the numbers that moved it there.
        self._moved: list[float] = []
        self._movers: list[int] = []

    @property
    def waiting(self) -> int:
        """How many events wait for their slate."""
        return len(self._waiting)

    def fold(self, shown: Shown, events: Events) -> Answers:
        """Return what was decided with these next parts of the two logs, either of them empty."""
        for slate in recent_slates(shown):
            self.slates.add(slate)
            now = self._shown.read(slate.time)
            if self._moved and now < self._moved[-1] - self._config.window:
                self._moved, self._movers = [], []  # a wrong clock was put right
            if not self._moved or now >= self._moved[-1] + STEP:
                self._moved.append(now)
                self._movers.append(slate.number)
        self._take(events)
        return self._decide(end=False)

    def kept(self) -> dict[str, Any]:
        """Return what `resume` takes up again, as JSON can hold it."""
        return {
            "slates": [
                [
                    one.number,
                    one.id,
                    one.user,
                    one.time,
                    one.variant,
                    one.items.tolist(),
                    one.propensities.tolist(),
                    sorted(one.answered or ()),
                    list(one.context),
                ]
                for one in self.slates
            ],
            "waiting": [list(one) for one in self._waiting],
            "kinds": list(self._codes),
            "tally": self.tally.as_dict(),
            "clocks": [self._shown.kept(), self._done.kept()],
            "moved": [self._moved, self._movers],
        }

    def resume(self, kept: Mapping[str, Any]) -> None:
        """Go on from where another was, of the same settings."""
        self.slates = RecentSlates(self._config.slates)
        for number, slate_id, user, time, variant, items, chances, answered, said in kept["slates"]:
            slate = RecentSlate(
                *(number, slate_id, user, time, variant),
                array("i", items),
                array("f", chances),
                tuple(sys.intern(one) for one in said),
            )
            slate.answered = {(place, kind) for place, kind in answered} or None
            self.slates.add(slate)
        self._waiting = deque(_Waiting._make(one) for one in kept["waiting"])
        self._codes = {name: code for code, name in enumerate(kept["kinds"])}
        self.tally = Tally(**kept["tally"])
        self._shown.resume(kept["clocks"][0])
        self._done.resume(kept["clocks"][1])
        self._moved, self._movers = (list(one) for one in kept["moved"])

    def settle(self) -> Answers:
        """Return what is decided if nothing comes any more: nothing waits after it."""
        return self._decide(end=True)

    def _take(self, events: Events) -> None:
        codes = self._codes
        strengths = self._kinds.strength(events.kind_names, events.kinds, events.values)
        # In the order of the log, so that a kind's code does not depend on who reads how much.
        code = [
            codes.setdefault(events.kind_names[kind], len(codes)) for kind in events.kinds.tolist()
        ]
        left_out = {codes[name] for name in NOT_HAD if name in codes}
        slates = events.slates or (None,) * len(events)
        for row in zip(
            events.offsets.tolist(),
            events.users.tolist(),
            events.items.tolist(),
            events.times.tolist(),
            code,
            events.values.tolist(),
            strengths.tolist(),
            events.shared.tolist(),
            slates,
            strict=True,
        ):
            clock = self._done.read(row[3])
            if row[2] >= 0 and row[4] not in left_out:
                self._waiting.append(_Waiting._make((*row, clock)))

    def _decide(self, *, end: bool) -> Answers:
        found: list[tuple[_Waiting, RecentSlate, int]] = []
        waiting, window, clock = self._waiting, self._config.window, float("-inf")
        while waiting:
            event = waiting[0]
            closed = end or self._done.now - event.clock > window or len(waiting) > WAITING
            moved = self._decide_one(event, closed, found)
            if not moved:
                break
            waiting.popleft()
            clock = event.clock
        if len(self._moved) > 4096:  # what is a window behind the events, none asks for any more
            old = bisect_right(self._moved, clock - window)
            del self._moved[:old], self._movers[:old]
        return self._columns(found)

    def _decide_one(
        self, event: _Waiting, closed: bool, found: list[tuple[_Waiting, RecentSlate, int]]
    ) -> bool:
        """Return whether the event could be decided."""
        until = 2**63
        passed = bisect_right(
            self._moved,
            max(event.time, event.clock - self._config.window) + self._config.patience,
        )
        if passed < len(self._moved):
            until, closed = self._movers[passed], True
        remembered = event.clock - 2 * self._config.window
        slate, place = None, -1
        if event.slate is not None:
            slate = self.slates.named(event.slate)
            if slate is not None and (slate.number >= until or slate.time < remembered):
                slate = None
            if slate is None and closed:
                self.tally.orphan += 1
                return True
            place = -1 if slate is None else slate.place(event.item)
        if place < 0:
            if not closed:
                return False
            slate, place = self._latest(event, until, remembered)
        self.slates.forget_before(remembered)
        if slate is None or event.time < slate.time - self._config.window:
            self.tally.unshown += 1
        elif event.time - slate.time > self._config.window:
            self.tally.late += 1
        elif not slate.answer(place, event.kind):
            self.tally.double += 1
        else:
            self.tally.joined += 1
            found.append((event, slate, place))
        return True

    def _latest(
        self, event: _Waiting, until: int, remembered: float
    ) -> tuple[RecentSlate | None, int]:
        for slate in self.slates.of(event.user, event.time):
            if slate.time < remembered or event.time - slate.time > 2 * self._config.window:
                break
            if slate.number < until:
                place = slate.place(event.item)
                if place >= 0:
                    return slate, place
        return None, -1

    def _columns(self, found: list[tuple[_Waiting, RecentSlate, int]]) -> Answers:
        def column(values: list[Any], kind: Any) -> Any:
            return np.array(values, dtype=kind)

        events = [event for event, _, _ in found]
        slates = tuple(slate for _, slate, _ in found)
        return Answers(
            offsets=column([e.offset for e in events], np.int64),
            numbers=column([s.number for s in slates], np.int64),
            places=column([place for _, _, place in found], np.int32),
            users=column([e.user for e in events], np.int32),
            items=column([e.item for e in events], np.int32),
            times=column([e.time for e in events], np.float64),
            kinds=column([e.kind for e in events], np.int16),
            values=column([e.value for e in events], np.float32),
            strengths=column([e.strength for e in events], np.float32),
            shared=column([e.shared for e in events], np.float32),
            propensities=column([s.propensities[place] for _, s, place in found], np.float32),
            named=column([e.slate is not None and e.slate == s.id for e, s, _ in found], np.bool_),
            slates=slates,
            kind_names=tuple(self._codes),
        )


def attribute(config: FeedbackConfig, kinds: Kinds, shown: Shown, events: Events) -> Answers:
    """Return the answers of two whole logs: what folding them in any parts ends with."""
    return both(*_twice(Attribution(config, kinds), shown, events))


def _twice(attribution: Attribution, shown: Shown, events: Events) -> tuple[Answers, Answers]:
    return attribution.fold(shown, events), attribution.settle()


def both(first: Answers, second: Answers) -> Answers:
    """Return answers followed by later ones."""
    joined: dict[str, Any] = {"kind_names": second.kind_names}
    for one in fields(Answers):
        if one.name == "slates":
            joined["slates"] = first.slates + second.slates
        elif one.name != "kind_names":
            joined[one.name] = np.concatenate((getattr(first, one.name), getattr(second, one.name)))
    return Answers(**joined)
