"""What people change about their interests themselves: muted, raised, deleted, or left alone again.

An adjustment is an event of the log with the name of a concept as its text. So it is durable when
it returns, every process knows it before its next answer, it is exported, merged and forgotten with
its person, and an answer about an earlier moment does not know it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import get_args

import numpy as np

from penchant.interests.concepts import Concepts, folded
from penchant.interests.state import State
from penchant.store.log import LAST, Events
from penchant.types import Adjust, Ids, Mask

KIND_OF: Mapping[Adjust, str] = {to: f"{to}_interest" for to in get_args(Adjust)}
KINDS: Mapping[str, Adjust] = {kind: to for to, kind in KIND_OF.items()}
RAISED = 3.0  # times as much as another wish counts one for what is raised


@dataclass(frozen=True, slots=True)
class Adjustment:
    """What a person last did to an interest: its name as they saw it, since when (seconds)."""

    name: str
    to: Adjust
    since: float


@dataclass(frozen=True, slots=True)
class _Told:
    offset: int
    time: float
    to: Adjust
    name: str


class Adjustments:
    """What everybody adjusted: a function of the log, however it is cut."""

    def __init__(self) -> None:
        self._of: dict[int, list[_Told]] = {}

    def clear(self) -> None:
        """Forget everything: the log is folded from its start."""
        self._of = {}

    def of(self, user: int, now: float) -> dict[str, Adjustment]:
        """Return a person's adjustments at a moment, by the folded name of the interest."""
        found: dict[str, Adjustment] = {}
        for one in sorted(self._of.get(user, ()), key=lambda one: (one.time, one.offset)):
            if one.time <= now:
                found.pop(folded(one.name), None)  # so that the latest comes last
                if one.to != "restore":
                    found[folded(one.name)] = Adjustment(one.name, one.to, one.time)
        return found

    def fold(self, events: Events, without: Ids | None = None) -> None:
        """Take in what was recorded since; what people in `without` did is left to `replace`."""
        keep = None if without is None or not len(without) else ~np.isin(events.users, without)
        self._follow(events, keep)

    def replace(self, users: Ids, own: Iterable[Events], until: int = LAST) -> None:
        """Put what each of `own` says one person did in the place of all that these did before.

        Events above the offset `until` are left to `fold`.
        """
        for user in users.tolist():
            self._of.pop(user, None)
        for events in own:
            self._follow(events, events.offsets <= until)

    def _follow(self, events: Events, keep: Mask | None) -> None:
        if not events.texts:
            return
        told = adjusting(events)
        if keep is not None:
            told &= keep
        for at in np.flatnonzero(told).tolist():
            to, text = KINDS[events.kind_names[events.kinds[at]]], events.texts[at]
            if text:
                one = _Told(int(events.offsets[at]), float(events.times[at]), to, text)
                self._of.setdefault(int(events.users[at]), []).append(one)


def adjusting(events: Events) -> Mask:
    """Return bool[n]: which events adjust an interest. Their texts are names, not words said."""
    codes = [code for code, kind in enumerate(events.kind_names) if kind in KINDS]
    found: Mask = np.isin(events.kinds, codes) & (events.items < 0)
    return found


def adjusted(state: State, changes: Mapping[str, Adjustment], concepts: Concepts) -> State:
    """Return the state as its person wants it read: what was wished before counts otherwise.

    What bears a muted interest, or one deleted since, no longer counts, though it stays seen; what
    bears a raised one counts three times.
    """
    if not changes or not len(state.items):
        return state
    numbers = {concepts.number(one.name): one for one in changes.values()}
    numbers.pop(None, None)  # an interest that no longer exists changes nothing
    factor = np.ones(len(state.items), dtype=np.float32)
    for at, item in enumerate(state.items.tolist()):
        for concept in concepts.of(item).tolist():
            one = numbers.get(concept)
            if one is None:
                continue
            if one.to == "raise":
                factor[at] *= RAISED
            elif one.to == "mute" or state.times[at] <= one.since:
                factor[at] = 0.0
    if (factor == 1.0).all():
        return state
    keep = factor > 0.0
    left = np.flatnonzero(keep).tolist() if state.contexts else ()
    return replace(
        state,
        contexts=tuple(state.contexts[at] for at in left),
        items=state.items[keep],
        times=state.times[keep],
        strengths=(state.strengths * factor)[keep],
    )


def bearing(changes: Mapping[str, Adjustment], to: Adjust, concepts: Concepts) -> Ids:
    """Return the items that bear an interest which was muted, or raised, int32[m]."""
    found = [concepts.number(one.name) for one in changes.values() if one.to == to]
    items = [concepts.bearing(number) for number in found if number is not None]
    return np.unique(np.concatenate(items)).astype(np.int32) if items else _NOTHING


_NOTHING: Ids = np.zeros(0, dtype=np.int32)
