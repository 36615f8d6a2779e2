"""The contract of the event log: append-only, ordered by offset, durable once append returns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import polars as pl

from penchant.store.frames import Row


@dataclass(frozen=True, slots=True)
class Events:
    """Events as columns, in the order their method promises; all arrays have the same length.

    `items` is -1 where an event has text only; `kinds` indexes `kind_names`; `values` and
    `shared` are magnitudes (NaN: none) and the weight, 0 to 1, in learning that others share;
    `texts`, `contexts` and `slates` are aligned, or empty when no event has one.
    """

    offsets: npt.NDArray[np.int64]
    users: npt.NDArray[np.int32]
    items: npt.NDArray[np.int32]
    times: npt.NDArray[np.float64]
    kinds: npt.NDArray[np.int16]
    values: npt.NDArray[np.float32]
    shared: npt.NDArray[np.float32]
    texts: tuple[str | None, ...]
    contexts: tuple[str | None, ...]
    kind_names: tuple[str, ...]
    slates: tuple[str | None, ...] = ()

    def __len__(self) -> int:
        return len(self.offsets)


def wanted_events(
    offsets: npt.NDArray[np.int64],
    users: npt.NDArray[np.int32],
    items: npt.NDArray[np.int32],
    times: npt.NDArray[np.float64],
) -> Events:
    """Return events that were wanted and count in full, of which nothing else is known."""
    n = len(offsets)
    return Events(
        offsets=offsets,
        users=users,
        items=items,
        times=times,
        kinds=np.zeros(n, dtype=np.int16),
        values=np.full(n, np.nan, dtype=np.float32),
        shared=np.ones(n, dtype=np.float32),
        texts=(),
        contexts=(),
        kind_names=("wanted",),
    )


LAST = 2**63 - 1  # no offset is beyond it


@dataclass(frozen=True, slots=True)
class Appended:
    """How many events of a batch were new, how many were known by event_id, and the last offset."""

    new: int
    known: int
    last: int


class Log(Protocol):
    """Every event ever believed. `now` bounds what is visible: nothing later is returned."""

    def append(self, events: pl.DataFrame | Row) -> Appended:
        """Return how many events, or one, were new and known; all of them are durable by then."""

    def history(self, user: int, n: int, now: float, ignoring: Sequence[str] = ()) -> Events:
        """Return the person's newest `n` events up to `now`, oldest first, but some kinds."""

    def seen(self, user: int, now: float, ignoring: Sequence[str] = ()) -> npt.NDArray[np.int32]:
        """Return the items the person has events with up to `now`, kinds in `ignoring` apart."""

    def scan(self, after: int, limit: int, to: int = LAST) -> Events:
        """Return at most `limit` events with offsets above `after` (0: the start), in order."""

    def retract(
        self, *, user: int | None = None, event_id: str | None = None, item: int | None = None
    ) -> int:
        """Return how many events were removed: of a person, who is forgotten, or one undone.

        With `item` the person's events with it are undone, and the person stays.
        """

    def close(self) -> None:
        """Write what waits and let go of the database."""
