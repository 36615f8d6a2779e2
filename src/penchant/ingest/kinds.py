"""What an event of each kind says about the wish behind it: weights, units and rating scales.

A kind's weight is how much one such event shows that the person wanted the item; negative means
that they did not. Some kinds carry a magnitude: `seconds`, `count` and `depth` come from ingest
as a share in [0, 1] that scales the weight, `stars` decide it by their place on the scale.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from penchant.ingest.ratings import Scale, read_scales, share_of_scale, write_scales
from penchant.types import Floats, InvalidInput, Mask

Unit = Literal["seconds", "count", "depth", "stars"]

DEFAULT_WEIGHTS: Mapping[str, float] = {
    # seen, asked, shown: little or nothing about this item
    "impression": 0.0,
    "search": 0.0,
    # what people change about their interests themselves (interests/adjustments.py)
    "mute_interest": 0.0,
    "raise_interest": 0.0,
    "delete_interest": 0.0,
    "restore_interest": 0.0,
    "view": 0.5,
    "detail": 0.5,
    "open": 0.5,
    "scroll": 0.5,
    "browse_depth": 0.5,
    # chosen
    "click": 1.0,
    "play": 1.0,
    "watch": 1.0,
    "listen": 1.0,
    "read": 1.0,
    "dwell": 1.0,
    "watch_time": 1.0,
    "listen_time": 1.0,
    "read_time": 1.0,
    "play_count": 1.0,
    "listen_count": 1.0,
    "app_usage": 1.0,
    "like": 1.0,
    "thumbs_up": 1.0,
    "upvote": 1.0,
    "download": 1.0,
    "comment": 1.0,
    "favorite": 1.5,
    "favourite": 1.5,
    "bookmark": 1.5,
    "save": 1.5,
    "wishlist": 1.5,
    "share": 1.5,
    "follow": 1.5,
    "subscribe": 1.5,
    "install": 1.5,
    "finish": 1.5,
    "complete": 1.5,
    "cart": 1.5,
    "add_to_cart": 1.5,
    "addtocart": 1.5,
    # paid for
    "purchase": 2.0,
    "buy": 2.0,
    "order": 2.0,
    "transaction": 2.0,
    "booking": 2.0,
    "borrow": 2.0,
    # judged
    "rating": 1.0,
    "review": 1.0,
    # turned down
    "skip": -0.3,
    "remove_from_cart": -0.5,
    "cancel": -0.5,
    "dislike": -1.0,
    "thumbs_down": -1.0,
    "downvote": -1.0,
    "hide": -1.0,
    "block": -1.0,
    "report": -1.0,
    "return": -1.0,
    "refund": -1.0,
    "unfollow": -1.0,
    "unsubscribe": -1.0,
    "uninstall": -1.0,
}

DEFAULT_UNITS: Mapping[str, Unit] = {
    "dwell": "seconds",
    "watch_time": "seconds",
    "listen_time": "seconds",
    "read_time": "seconds",
    "play_count": "count",
    "listen_count": "count",
    "app_usage": "count",
    "scroll": "depth",
    "browse_depth": "depth",
    "rating": "stars",
    "review": "stars",
}

REVIEWS = ("review", "rating", "comment")
"""Kinds whose text says something about the item, to others; a search is about what is missing."""

# One use of an app is a wish already; one second on a page, or its first tenth, is hardly one.
_FLOOR: Mapping[str, float] = {"seconds": 0.0, "depth": 0.0, "count": 0.5}


class EventsConfig(BaseModel):
    """Section `events`: `weights` and `units` are added over the defaults, kind by kind.

    `positive_from` and `negative_to` are shares of the rating scale: 0.8 is 4 of 5, 0.4 is 2 of 5.
    `rating_scale` gives lowest and highest rating of a kind where they should not be detected.
    `wanted_from` is the strength from which an event counts as positive in learning.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    weights: dict[str, float] = Field(default_factory=dict)
    units: dict[str, Unit] = Field(default_factory=dict)
    unknown_weight: float = 1.0
    rating_scale: dict[str, tuple[float, float]] = Field(default_factory=dict)
    positive_from: float = Field(default=0.8, gt=0, le=1)
    negative_to: float = Field(default=0.4, ge=0, lt=1)
    middle_weight: float = 0.2
    negative_weight: float = -0.5
    wanted_from: float = 0.5


class Sections(Protocol):
    """What this folder needs of the settings: a section as its own config, and where they lie."""

    path: Path | None

    def section(self, name: str, model: type[Any], /) -> Any:
        """Return section `name` as an instance of `model`."""
        ...


def plain(kind: str) -> str:
    """Return a kind's name as the tables spell it: `Add to Cart` -> `add_to_cart`."""
    return re.sub(r"[\s\-]+", "_", kind.strip().lower())


@dataclass(frozen=True)
class Kinds:
    """The kinds of events with their weights, units and rating scales.

    `scales` holds (lowest, highest) of each kind in stars, 1 to 5 where nothing is known.
    """

    config: EventsConfig = field(default_factory=EventsConfig)
    scales: Mapping[str, Scale] = field(default_factory=dict)
    _known: dict[str, float] = field(init=False, repr=False, compare=False)
    _units: dict[str, Unit] = field(init=False, repr=False, compare=False)
    _tables: dict[tuple[str, ...], tuple[Floats, list[tuple[int, str, Unit]]]] = field(
        init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        known = {**DEFAULT_WEIGHTS, **{plain(k): w for k, w in self.config.weights.items()}}
        for kind, weight in known.items():
            if not np.isfinite(weight):
                raise InvalidInput(f"expected a finite weight for events of {kind!r}, got {weight}")
        object.__setattr__(self, "_known", known)
        units = {**DEFAULT_UNITS, **{plain(k): u for k, u in self.config.units.items()}}
        object.__setattr__(self, "_units", units)
        object.__setattr__(self, "_tables", {})

    @classmethod
    def from_settings(cls, settings: Sections) -> Kinds:
        """Return the kinds of section `events`, with the rating scales kept beside the settings."""
        config = settings.section("events", EventsConfig)
        scales = {} if settings.path is None else read_scales(settings.path.parent)
        return cls(config, scales)

    def weight(self, kind: str) -> float:
        """Return the weight of one event of `kind`, before its value is looked at."""
        return self._known.get(plain(kind), self.config.unknown_weight)

    def unit(self, kind: str) -> Unit | None:
        """Return what the value of `kind` measures, or None where it does not change the weight."""
        return self._units.get(plain(kind))

    def scale(self, kind: str) -> Scale:
        """Return the lowest and highest rating of `kind`: configured, detected, or 1 to 5."""
        name = plain(kind)
        return self.config.rating_scale.get(name) or self.scales.get(name) or (1.0, 5.0)

    def knows_scale(self, kind: str) -> bool:
        """Return whether the rating scale of `kind` was configured or detected."""
        return plain(kind) in self.config.rating_scale or plain(kind) in self.scales

    def unknown(self, kind_names: Sequence[str]) -> tuple[str, ...]:
        """Return those of the names that no table knows; each counts as `unknown_weight`."""
        return tuple(k for k in kind_names if plain(k) not in self._known)

    def idle(self, kind_names: Sequence[str]) -> tuple[str, ...]:
        """Return those of the names whose events are neither wanted nor rejected, at any value."""
        return tuple(
            name
            for name in kind_names
            if all(0 <= s < np.float32(self.config.wanted_from) for s in self._extremes(name))
        )

    def _extremes(self, kind: str) -> tuple[np.float32, ...]:
        weight, config = np.float32(self.weight(kind)), self.config
        match self.unit(kind):
            case None:
                shares: tuple[float, ...] = (1.0,)
            case "stars":
                shares = (0.5, 1.0, config.negative_weight, config.middle_weight)
            case _:
                shares = (0.0, 1.0)
        return tuple(weight * np.float32(share) for share in shares)

    def with_scales(self, scales: Mapping[str, Scale]) -> Kinds:
        """Return these kinds knowing rating scales, each as wide as the widest ever seen."""
        merged = dict(self.scales)
        for kind, (low, high) in scales.items():
            name = plain(kind)
            was = merged.get(name, (low, high))
            merged[name] = (min(low, was[0]), max(high, was[1]))
        return replace(self, scales=merged)

    def keep_scales(self, scales: Mapping[str, Scale], directory: Path) -> bool:
        """Take rating scales over for good, here and in `directory`; return whether any was new.

        This object changes, so that everything that holds it agrees; other processes read the file
        when they open the directory.
        """
        merged = self.with_scales(scales).scales
        if merged == self.scales:
            return False
        object.__setattr__(self, "scales", merged)
        write_scales(merged, directory)
        return True

    def strength(
        self,
        kind_names: Sequence[str],
        kinds: npt.NDArray[np.int16],
        values: npt.NDArray[np.float32],
    ) -> Floats:
        """Return how much each event shows the person wanted the item, float32[n], in weights.

        `kinds` int16[n] indexes `kind_names`, `values` float32[n] is NaN where an event has none;
        an event of a kind with a unit then counts half.
        """
        weights, graded = self._table(tuple(kind_names))
        out: Floats = weights[kinds]
        for code, name, unit in graded:
            rows = np.flatnonzero(kinds == code)
            if len(rows):
                out[rows] *= self._grade(name, unit, values[rows])
        return out

    def wanted(
        self,
        kind_names: Sequence[str],
        kinds: npt.NDArray[np.int16],
        values: npt.NDArray[np.float32],
    ) -> Mask:
        """Return which events count as positive, bool[n]: their strength reaches `wanted_from`."""
        return self.strength(kind_names, kinds, values) >= np.float32(self.config.wanted_from)

    def _table(self, kind_names: tuple[str, ...]) -> tuple[Floats, list[tuple[int, str, Unit]]]:
        """Return the weight of each named kind, and the kinds with units, both remembered."""
        table = self._tables.get(kind_names)
        if table is None:
            if len(self._tables) >= 64:
                self._tables.clear()
            weights = np.array([self.weight(k) for k in kind_names] or [0.0], dtype=np.float32)
            units = [(i, k, u) for i, k in enumerate(kind_names) if (u := self.unit(k)) is not None]
            table = self._tables[kind_names] = (weights, units)
        return table

    def _grade(self, kind: str, unit: Unit, values: npt.NDArray[np.float32]) -> Floats:
        """Return what the values of one kind make of its weight, float32[n]."""
        if unit == "stars":
            share = share_of_scale(values, self.scale(kind))
            config = self.config
            # A hair's tolerance: 4 of 5 in float32 must reach 0.8.
            graded = np.select(
                [
                    np.isnan(share),
                    share >= config.positive_from - 1e-6,
                    share <= config.negative_to + 1e-6,
                ],
                [0.5, 1.0, config.negative_weight],
                default=config.middle_weight,
            )
        else:
            floor = _FLOOR[unit]
            graded = np.where(
                np.isnan(values), 0.5, floor + (1.0 - floor) * np.clip(values, 0.0, 1.0)
            )
        return graded.astype(np.float32)
