"""The tiny world in numbers, as the inner folders see it: columns, a view, states and queries."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

import numpy as np
import polars as pl

import world
from penchant.interests.state import State
from penchant.learn.view import View
from penchant.store.columns import ItemColumns
from penchant.store.log import Events
from penchant.types import Floats, Ids, Query, Times

NUMBER = {item_id: number for number, item_id in enumerate(world.ITEMS)}
PERSON = {user_id: number for number, user_id in enumerate(world.HISTORIES)}
N = len(NUMBER)
NOW = float(world.NOW)
DAY = float(world.DAY)
COLD = NUMBER["cold"]


def numbers(item_ids: Sequence[str]) -> Ids:
    """Return the numbers of items."""
    return np.array([NUMBER[i] for i in item_ids], dtype=np.int32)


def names(items: Sequence[int] | np.ndarray) -> list[str]:
    """Return the ids of numbers."""
    ids = list(NUMBER)
    return [ids[int(i)] for i in items]


def rows(items: pl.DataFrame, first: int = 0) -> pl.DataFrame:
    """Return frame rows as the store tells of them: numbered from `first`, with every column."""
    return items.select(
        pl.int_range(first, first + pl.len()).alias("number"),
        "item_id",
        "title",
        "description",
        "category",
        tags=pl.lit([], dtype=pl.List(pl.String)),
        price=pl.lit(None, dtype=pl.Float64),
        released=pl.lit(None, dtype=pl.Int64),
        stock_from=pl.lit(None, dtype=pl.Int64),
        stock_until=pl.lit(None, dtype=pl.Int64),
        attributes=pl.lit("{}"),
        removed=pl.lit(False),
        described=pl.lit(True),
    )


def columns(items: pl.DataFrame | None = None) -> ItemColumns:
    """Return the catalogue in memory, of the tiny world unless told otherwise."""
    out = ItemColumns()
    out.apply(rows(world.items() if items is None else items))
    return out


@cache
def _words() -> dict[str, int]:
    found = {w for text in world.ITEMS.values() for w in _read(text)}
    return {word: place for place, word in enumerate(sorted(found))}


def _read(text: tuple[str, str, str]) -> list[str]:
    common = {"a", "an", "and", "by", "for", "from", "is", "of", "on", "the", "to", "with", "at"}
    return [w for w in re.findall(r"[a-z]+", " ".join(text).lower()) if w not in common]


def vectors(seed: int = 0) -> Floats:
    """Return unit text vectors float32[13, 48]: films of one kind share words, so they are near."""
    words = np.random.default_rng(seed).normal(size=(len(_words()), 48))
    out = np.stack(
        [sum(words[_words()[w]] for w in _read(text)) for text in world.ITEMS.values()]
    ).astype(np.float32)
    return out / np.linalg.norm(out, axis=1, keepdims=True)


def arrays() -> tuple[Ids, Ids, Times]:
    """Return (users, items, times) of the world's events in the order of time."""
    events = world.events()
    return (
        np.array([PERSON[u] for u in events["user_id"]], dtype=np.int32),
        numbers(events["item_id"].to_list()),
        events["timestamp"].cast(pl.Float64).to_numpy(),
    )


def view(text: Floats | None = None) -> View:
    """Return the events of the world as a training sees them."""
    users, items, times = arrays()
    return make_view(users, items, times, columns(), text)


def make_view(
    users: Ids, items: Ids, times: Times, catalogue: ItemColumns, text: Floats | None = None
) -> View:
    """Return a view of wanted events given in any order."""
    order = np.argsort(times, kind="stable")
    ones = np.ones(len(order), dtype=np.float32)
    n_users = int(users.max()) + 1 if len(users) else 0
    return View(users[order], items[order], times[order], ones, ones, n_users, catalogue, text)


def empty(n: int) -> ItemColumns:
    """Return a catalogue of `n` items that are called by their numbers and say nothing."""
    ids = [str(i) for i in range(n)]
    blank = [""] * n
    frame = pl.DataFrame(
        {"item_id": ids, "title": blank, "description": blank, "category": [None] * n},
        schema_overrides={"category": pl.String},
    )
    return columns(frame)


def state(
    items: Sequence[str] | Ids,
    now: float = NOW,
    *,
    times: Sequence[float] | None = None,
    strengths: Sequence[float] | None = None,
    words: Floats | None = None,
) -> State:
    """Return somebody who chose the items, a day apart and the last one a day ago by default."""
    chosen = items if isinstance(items, np.ndarray) else numbers(items)
    n = len(chosen)
    when = now - DAY * np.arange(n, 0, -1) if times is None else np.array(times, dtype=np.float64)
    much = np.ones(n) if strengths is None else np.array(strengths)
    return State(
        now=now,
        items=chosen.astype(np.int32),
        times=when.astype(np.float64),
        strengths=much.astype(np.float32),
        seen=np.unique(chosen).astype(np.int32),
        words=words,
    )


def query(now: float = NOW, n_items: int = N, **rest: object) -> Query:
    """Return a question about the whole catalogue of the tiny world."""
    return Query(now=now, n_items=n_items, **rest)  # type: ignore[arg-type]


def tail(
    users: Sequence[int], items: Sequence[int], times: Sequence[float], first: int = 0
) -> Events:
    """Return wanted events as a follower hands them to the sources, from offset `first` on."""
    n = len(items)
    return Events(
        offsets=first + np.arange(n, dtype=np.int64),
        users=np.array(users, dtype=np.int32),
        items=np.array(items, dtype=np.int32),
        times=np.array(times, dtype=np.float64),
        kinds=np.zeros(n, dtype=np.int16),
        values=np.full(n, np.nan, dtype=np.float32),
        shared=np.ones(n, dtype=np.float32),
        texts=(),
        contexts=(),
        kind_names=("click",),
    )


class Diary:
    """What everybody wanted so far, growing: the `recent` that co-visitation asks for."""

    def __init__(self) -> None:
        self.events: list[tuple[int, int, float, int]] = []

    def add(self, events: Events) -> Events:
        """Write the events down and return them."""
        columns = (events.users, events.items, events.times, events.offsets)
        self.events += zip(*(column.tolist() for column in columns), strict=True)
        return events

    def recent(self, user: int, now: float, offset: int) -> tuple[Ids, Times]:
        """Return the items and times of a person up to `now`, in the order of time."""
        mine = [e for e in self.events if e[0] == user and e[2] <= now and e[3] <= offset]
        mine.sort(key=lambda e: (e[2], e[3]))
        return (
            np.array([e[1] for e in mine], dtype=np.int32),
            np.array([e[2] for e in mine], dtype=np.float64),
        )


def nobody(user: int, now: float, offset: int) -> tuple[Ids, Times]:
    """Return the history of people who did nothing before."""
    return np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.float64)
