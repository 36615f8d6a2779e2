"""The nouns of the engine: what goes in (items, people, links, events), what comes out (slates).

Everything here is a frozen dataclass without behaviour of its own. Times are seconds since the
epoch in UTC, as `float`; ids are the caller's own strings. Inside the engine a user or an item is
an `int` number, its row in the store; numbers never leave the engine.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
import numpy.typing as npt

from penchant.types.interests import Adjust as Adjust
from penchant.types.interests import Inquiry as Inquiry
from penchant.types.interests import Interest as Interest
from penchant.types.interests import Profile as Profile
from penchant.types.interests import Prospect as Prospect
from penchant.types.interests import Window as Window

if TYPE_CHECKING:
    import polars as pl

Ids = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]
Times = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

Seen = Literal["hide", "keep"]
Follow = Literal["never", "lists", "always"]
Effort = Literal["fast", "balanced", "best"]
Tell = Callable[[str, float], None]
"""Is told a step of something long and the share of it that is done, 0 to 1."""


class Error(Exception):
    """Root of everything the engine raises: what was expected, what came, what to do."""


class InvalidInput(Error, ValueError):
    """A value at the door is not one the engine can believe; nothing was stored."""


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that can be recommended. Only `item_id` is required; text makes it findable.

    `released` is when it became available to anyone (seconds or datetime); `stock` is an optional
    window outside which it is never recommended. Any other column goes to `attributes`.
    """

    item_id: str
    title: str = ""
    description: str = ""
    category: str | None = None
    tags: tuple[str, ...] = ()
    price: float | None = None
    released: float | datetime | None = None
    stock: tuple[float | datetime | None, float | datetime | None] | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class User:
    """One person, with whatever attributes the caller knows about them."""

    user_id: str
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Link:
    """One edge of prior knowledge between people, items, groups or plain values."""

    head: str
    relation: str
    tail: str
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Event:
    """One thing a person did. The item is optional only where there is `text` (a search, a review).

    `timestamp` is seconds since the epoch or a datetime (naive means UTC); absent means now.
    `value` is the kind's own magnitude: stars, money, seconds. `event_id` makes a retry harmless.
    """

    user_id: str
    item_id: str | None = None
    event: str = "click"
    timestamp: float | datetime | None = None
    value: float | None = None
    event_id: str | None = None
    slate_id: str | None = None
    text: str | None = None
    context: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Policy:
    """Section `recommend`: what a request does where there is a choice.

    A variant of an experiment is this with some keys changed, for some of the people. `answers`
    says which scores follow the answers to earlier slates: of "lists" that the caller brings, of
    all ("always"), or "never"; `explore` is how many places of a slate are given to items that
    little is known of, `widen` how many at most to what a person may come to like.
    """

    seen: Seen = "hide"
    opening: bool = True
    answers: Follow = "lists"
    explore: int = 0
    widen: int = 1


@dataclass(frozen=True, slots=True)
class Query:
    """One question to the engine, after the door: numbers instead of ids, `now` always given.

    `user` is -1 for somebody nobody stored. `only` holds the numbers of a list to re-rank, if the
    caller brought one; otherwise the whole catalogue competes. `allowed` is a mask by item number
    of what may be shown at all, or None for everything. `n_items` is the size of the catalogue, and
    the length of that mask. `raised` marks items of interests that the person raised, None where
    they raised none. `policy` holds what the stages may do for this person.
    """

    now: float
    n_items: int
    user: int = -1
    user_id: str | None = None
    k: int = 10
    context: Mapping[str, Any] = field(default_factory=dict)
    text: str | None = None
    seen: Seen = "hide"
    only: Ids | None = None
    allowed: Mask | None = None
    raised: Mask | None = None
    policy: Policy = field(default_factory=Policy)


@dataclass(frozen=True, slots=True)
class Candidates:
    """Items that compete for one slate, as columns: position i of each array is candidate i.

    `items` int32[n] are item numbers, `scores` float32[n] the score of the latest scorer,
    `features` float32[n, f] with NaN where a feature has no value, `names` the f feature names,
    `origin` uint32[n] a bit set of the sources that proposed it (bit i is `sources[i]`).
    """

    items: Ids
    scores: Floats
    features: Floats
    names: tuple[str, ...]
    origin: npt.NDArray[np.uint32]
    sources: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.items)


@dataclass(frozen=True, slots=True)
class Reason:
    """One cause of a recommendation: `kind` (source, event, cause, start), its name, its share."""

    kind: str
    name: str
    weight: float
    item_id: str | None = None


@dataclass(frozen=True, slots=True)
class Recommendation:
    """One line of a slate. `rank` starts at 1; `reasons` is filled by the explanation.

    `headline` is a line that was written for the item and approved, "" for none. `probability` is
    the chance that the person wants the item, and `value` what it is expected to be worth to them
    then, in the unit of what events are worth; None where no training could tell.
    """

    item_id: str
    score: float
    rank: int
    reasons: tuple[Reason, ...] = ()
    headline: str = ""
    probability: float | None = None
    value: float | None = None


@dataclass(frozen=True, slots=True)
class StageTrace:
    """What one stage of a request did: how many came in and went out, how long, and remarks."""

    stage: str
    came: int
    went: int
    seconds: float
    notes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Trace:
    """What happened to a request, stage by stage; the one thing that `explain` reads.

    `pool` holds every candidate after the last stage, best first, with its features; `history`
    what else an explanation needs to know.
    """

    stages: tuple[StageTrace, ...]
    pool: Candidates | None = None
    history: Mapping[str, Any] = field(default_factory=dict)

    def first(self, name: str) -> float:
        """Return a feature of the first item ("text": its cosine); NaN where it has none."""
        pool = self.pool
        if pool is None or not len(pool) or name not in pool.names:
            return math.nan
        return float(pool.features[0, pool.names.index(name)])

    def __str__(self) -> str:
        return "\n".join(
            f"{s.stage:<14} {s.came:>7} -> {s.went:<7} {1000 * s.seconds:7.2f} ms  {dict(s.notes)}"
            for s in self.stages
        )


@dataclass(frozen=True)
class Slate(Sequence[Recommendation]):
    """An ordered answer: a sequence of recommendations with where it came from.

    `snapshot` names the models that answered ("untrained" before any training). `more(k)` returns
    the next k for the same question without repeating any.
    """

    recommendations: tuple[Recommendation, ...]
    id: str
    snapshot: str
    user_id: str | None
    now: float
    trace: Trace = field(default_factory=lambda: Trace(()), repr=False)
    continuation: Callable[[int], Slate] | None = field(default=None, repr=False, compare=False)

    @overload
    def __getitem__(self, index: int) -> Recommendation: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Recommendation, ...]: ...
    def __getitem__(self, index: int | slice) -> Recommendation | tuple[Recommendation, ...]:
        return self.recommendations[index]

    def __len__(self) -> int:
        return len(self.recommendations)

    def __iter__(self) -> Iterator[Recommendation]:
        return iter(self.recommendations)

    @property
    def lead(self) -> float:
        """How far the score of the first is ahead of the second's; 0.0 where nothing is second."""
        return self[0].score - self[1].score if len(self) > 1 else 0.0

    def more(self, k: int = 10) -> Slate:
        """Return the next `k` recommendations of the same question, none of them shown before."""
        if self.continuation is None:
            raise Error(
                "this slate cannot be continued: it was read back from the store, or its engine "
                "is closed; ask recommend() again with exclude= the items already shown"
            )
        return self.continuation(k)

    def to_frame(self) -> pl.DataFrame:
        """Return the slate as a polars frame: user_id, item_id, score, rank."""
        import polars as pl

        return pl.DataFrame(
            {
                "user_id": [self.user_id] * len(self),
                "item_id": [r.item_id for r in self],
                "score": [r.score for r in self],
                "rank": [r.rank for r in self],
            },
            schema={
                "user_id": pl.String,
                "item_id": pl.String,
                "score": pl.Float64,
                "rank": pl.Int64,
            },
        )


@dataclass(frozen=True, slots=True)
class Release:
    """One snapshot that can be activated: when it was made (seconds), and what was measured.

    `current` marks the one that serves; `ndcg` is NDCG@10 on the newest requests before it.
    """

    id: str
    created: float
    current: bool
    ndcg: float | None = None
    events: int | None = None


@dataclass(frozen=True, slots=True)
class Status:
    """What a process knows at this moment: whether it can answer, and up to where it has read.

    `offset` is the last event it has folded and `lag` how many the log holds beyond it; `waiting`
    are writes on their way to disk, `failed` slates that could not be kept; `warnings` say what
    went wrong since it was opened.
    """

    snapshot: str
    items: int
    offset: int
    lag: int
    waiting: int
    failed: int = 0
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why one item stood in a slate: a sentence, and the data behind it.

    `contributions` are those of the scorer that answered, largest first: kind "cause" for what
    raised or lowered the item, "start" for where every item starts; they add up to the score. Where
    trees answered and cannot be read (LightGBM or the snapshot is missing), kind "source" says
    beside them how high each source places the item. `events` are the person's past items that
    mattered, with their share; `trace` is the path from recall to slate, in words.
    """

    item_id: str
    sentence: str
    contributions: tuple[Reason, ...]
    events: tuple[Reason, ...]
    trace: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.sentence
