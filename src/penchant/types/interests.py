"""What a person is interested in, what they may come to like, and what to ask a new one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, overload

Adjust = Literal["mute", "raise", "delete", "restore"]


@dataclass(frozen=True, slots=True)
class Interest:
    """One named interest of a person: `strength` is its share, `trend` its change this week.

    `evidence` are ids of the newest items behind it, `kind` says what bears the name (a category, a
    tag, an attribute, a link, a phrase, a cluster), `adjusted` what the person did to it: "mute",
    "raise", or "".
    """

    name: str
    strength: float
    trend: float
    evidence: tuple[str, ...] = ()
    kind: str = ""
    adjusted: str = ""


@dataclass(frozen=True, slots=True)
class Prospect:
    """An interest that a person never had and may come to: its name, and a weight from 0 to 1.

    `why` is what led to it, `by` who proposed it (graph, encoder, generator).
    """

    name: str
    weight: float
    why: str = ""
    by: str = ""


@dataclass(frozen=True, slots=True)
class Inquiry:
    """An item to ask a new person about, and what it is about, by name.

    `likely` is how likely they know and want it, `gain` how many more of the best 20 items they are
    expected to want for having been asked, `bits` how much an answer is expected to tell.
    """

    item_id: str
    title: str
    about: tuple[str, ...]
    likely: float
    gain: float
    bits: float


@dataclass(frozen=True, slots=True)
class Window:
    """A person's interest over a stretch of time: their last session, the last week, or all.

    `sure` is 0 for nothing and towards 1 the more wishes agree, `turned` the cosine to the
    direction of a day before (None where there was none), `interests` the names it points at most.
    """

    name: str
    sure: float
    turned: float | None
    interests: tuple[str, ...] = ()


@dataclass(frozen=True)
class Profile(Sequence[Interest]):
    """What a person is interested in: a sequence of interests, strongest first.

    `windows` say where their interest points now, this week, and in all, `prospects` what they may
    come to like, as it was last worked out. `gone` are interests that they adjusted and that
    nothing in the catalogue is called by any more.
    """

    interests: tuple[Interest, ...]
    windows: tuple[Window, ...] = ()
    prospects: tuple[Prospect, ...] = ()
    gone: tuple[str, ...] = ()

    @overload
    def __getitem__(self, index: int) -> Interest: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Interest, ...]: ...
    def __getitem__(self, index: int | slice) -> Interest | tuple[Interest, ...]:
        return self.interests[index]

    def __len__(self) -> int:
        return len(self.interests)
