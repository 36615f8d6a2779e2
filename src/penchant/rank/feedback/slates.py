"""The slates of the last while, found by their id and by the person they were shown to."""

from __future__ import annotations

from array import array
from bisect import bisect_right, insort
from collections import deque
from collections.abc import Iterator

from penchant.rank.feedback.circumstances import told
from penchant.store.impressions import Shown


class RecentSlate:
    """One slate in memory: what was shown, to whom and when, and what of it was answered."""

    __slots__ = (
        *("answered", "context", "id", "items", "number", "propensities", "time", "user"),
        "variant",
    )

    def __init__(
        self,
        number: int,
        slate_id: str,
        user: int,
        time: float,
        variant: str,
        items: array[int],
        propensities: array[float],
        context: tuple[str, ...] = (),
    ) -> None:
        self.number = number
        self.id = slate_id
        self.user = user
        self.time = time
        self.variant = variant
        self.items = items
        self.propensities = propensities
        self.context = context
        self.answered: set[tuple[int, int]] | None = None  # (place, kind)

    def place(self, item: int) -> int:
        """Return the place of an item, 0 the first; -1 where it was not shown."""
        try:
            return self.items.index(item)
        except ValueError:
            return -1

    def answer(self, place: int, kind: int) -> bool:
        """Return whether this is the first answer of its kind to a place."""
        if self.answered is None:
            self.answered = set()
        elif (place, kind) in self.answered:
            return False
        self.answered.add((place, kind))
        return True


class RecentSlates:
    """At most `most` slates, in the order of their numbers; the oldest are forgotten."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._all: deque[RecentSlate] = deque()
        self._named: dict[str, RecentSlate] = {}
        # By time, then by number.
        self._shown: dict[int, list[tuple[float, int, RecentSlate]]] = {}

    def __len__(self) -> int:
        return len(self._all)

    def __iter__(self) -> Iterator[RecentSlate]:
        return iter(self._all)

    def add(self, slate: RecentSlate) -> None:
        """Remember one more slate."""
        self._all.append(slate)
        self._named[slate.id] = slate
        if slate.user >= 0:
            shown = self._shown.setdefault(slate.user, [])
            entry = (slate.time, slate.number, slate)
            if shown and entry[:2] < shown[-1][:2]:
                insort(shown, entry)
            else:
                shown.append(entry)
        if len(self._all) > self._most:
            self._forget()

    def named(self, slate_id: str) -> RecentSlate | None:
        """Return the slate of an id, None where it is not remembered."""
        return self._named.get(slate_id)

    def of(self, user: int, time: float) -> Iterator[RecentSlate]:
        """Yield what a person was shown up to a time, the latest first."""
        shown = self._shown.get(user)
        if shown:
            for at in range(bisect_right(shown, time, key=_time) - 1, -1, -1):
                yield shown[at][2]

    def forget_before(self, time: float) -> None:
        """Forget slates that were shown before a time."""
        while self._all and self._all[0].time < time:
            self._forget()

    def _forget(self) -> None:
        slate = self._all.popleft()
        if self._named.get(slate.id) is slate:
            del self._named[slate.id]
        if slate.user < 0:
            return
        shown = self._shown[slate.user]
        at = 0
        while shown[at][2] is not slate:
            at += 1
        del shown[at]
        if not shown:
            del self._shown[slate.user]


def _time(entry: tuple[float, int, RecentSlate]) -> float:
    return entry[0]


def recent_slates(shown: Shown) -> Iterator[RecentSlate]:
    """Yield the slates of columns, one by one."""
    items = array("i")
    items.frombytes(shown.items.astype("i", copy=False).tobytes())
    propensities = array("f")
    propensities.frombytes(shown.propensities.astype("f", copy=False).tobytes())
    starts = shown.starts.tolist()
    for at, (number, user, time) in enumerate(
        zip(shown.numbers.tolist(), shown.users.tolist(), shown.times.tolist(), strict=True)
    ):
        own = slice(starts[at], starts[at + 1])
        yield RecentSlate(
            number,
            shown.slates[at],
            user,
            time,
            shown.variants[at],
            items[own],
            propensities[own],
            told(shown.contexts[at]) if shown.contexts else (),
        )
