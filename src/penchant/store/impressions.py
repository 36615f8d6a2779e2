"""What was shown: the slates, with what is needed to learn from them and to explain them later.

They lie in a file of their own, so that writing them never waits for the log nor the log for them,
and are written in the background: the answer is with the user by then.
"""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
from sqlalchemy import Connection, bindparam, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from penchant.store import schema
from penchant.store.database import Database
from penchant.store.events import microseconds

PART = 2_000  # slates that are removed in one transaction


@dataclass(frozen=True, slots=True)
class Impression:
    """One slate as it was shown; arrays are aligned with `items`, best first.

    `user` is -1 for somebody nobody stored; `features` float32[n, f] has a column for each of
    `names`; `reasons` holds one JSON-able value for each item, or nothing; `notes` is free JSON,
    and `context` what the request said of its circumstances, as JSON can hold it.
    """

    slate_id: str
    user: int
    now: float
    snapshot: str
    items: npt.NDArray[np.int32]
    scores: npt.NDArray[np.float32]
    propensities: npt.NDArray[np.float32]
    features: npt.NDArray[np.float32]
    names: tuple[str, ...] = ()
    reasons: tuple[Any, ...] = ()
    notes: Mapping[str, Any] = field(default_factory=dict)
    variant: str = ""
    context: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.items)


@dataclass(frozen=True, slots=True)
class Shown:
    """Slates as columns, in the order they became visible: what a fold over them reads.

    Slate i is `slates[i]`, number `numbers[i]`, shown to `users[i]` at `times[i]` under
    `variants[i]`; its items, from the first place on, are `items[starts[i]:starts[i + 1]]`, and
    `propensities` beside them the probability with which each was in its place. `contexts` are
    what the requests said of their circumstances, None for nothing; empty where none said any.
    """

    numbers: npt.NDArray[np.int64]
    slates: tuple[str, ...]
    users: npt.NDArray[np.int32]
    times: npt.NDArray[np.float64]
    variants: tuple[str, ...]
    starts: npt.NDArray[np.int64]
    items: npt.NDArray[np.int32]
    propensities: npt.NDArray[np.float32]
    contexts: tuple[Mapping[str, Any] | None, ...] = ()

    def __len__(self) -> int:
        return len(self.numbers)


class Impressions:
    """Every slate shown, by its id. `add` costs the caller microseconds."""

    def __init__(self, database: Database) -> None:
        self._database = database
        # What is on its way to disk, so that this process can explain a slate it just made.
        self._waiting: OrderedDict[str, Impression] = OrderedDict()
        self._guard = threading.Lock()
        self._failure: BaseException | None = None
        self.failed = 0
        dialect: Any = sqlite if database.dialect == "sqlite" else postgresql
        names = [c.name for c in schema.impressions.columns if c.name != "number"]
        self._insert = (
            dialect.insert(schema.impressions)
            .values({name: bindparam(name) for name in names})
            .on_conflict_do_nothing(index_elements=["slate_id"])
        )
        table = schema.impressions.c
        self._after = database.prepare(
            select(
                table.number,
                table.slate_id,
                table.user_number,
                table.time,
                table.variant,
                table["items"],
                table.propensities,
                table.context,
            )
            .where(table.number > bindparam("after"))
            .order_by(table.number)
            .limit(bindparam("n"))
        )

    def add(self, impression: Impression) -> None:
        """Store the impression soon; a failure is counted in `failed` and raised by `flush`."""
        with self._guard:
            self._waiting[impression.slate_id] = impression

        def job(connection: Connection) -> None:
            connection.execute(self._insert, _values(impression))

        future = self._database.submit(job)
        future.add_done_callback(lambda done: self._done(impression.slate_id, done))

    def get(self, slate_id: str) -> Impression | None:
        """Return the impression with this id, None if there is none (yet, or any more)."""
        with self._guard:
            found = self._waiting.get(slate_id)
        if found is not None:
            return found
        table = schema.impressions
        rows = self._database.rows(select(table).where(table.c.slate_id == slate_id))
        return _impression(rows[0]) if rows else None

    def of(self, user: int) -> Iterator[Impression]:
        """Yield what the person was shown, in order of time, with what waits to be written."""
        if not self._database.read_only:
            self.flush()
        yield from self._each(schema.impressions.c.user_number == int(user), float("-inf"))

    def scan(
        self, since: float = float("-inf"), until: float = float("inf")
    ) -> Iterator[Impression]:
        """Yield the impressions shown from `since` to before `until`, in order of time."""
        yield from self._each(schema.impressions.c.time < microseconds(until), since)

    def after(self, number: int, limit: int) -> Shown:
        """Return at most `limit` slates above `number` (0: the start), in order of number."""
        rows = self._database.tuples(self._after, after=int(number), n=int(limit))
        columns: Any = tuple(zip(*rows, strict=True)) if rows else ((),) * 8
        numbers, slates, users, times, variants, items, propensities, contexts = columns
        sizes = [len(one) // 4 for one in items]
        return Shown(
            numbers=np.array(numbers, dtype=np.int64),
            slates=tuple(bytes(one).decode() for one in slates),
            users=np.array(users, dtype=np.int32),
            times=np.array(times, dtype=np.int64) / 1e6,
            variants=tuple(variants),
            starts=np.concatenate(([0], np.cumsum(sizes, dtype=np.int64))),
            items=np.frombuffer(b"".join(items), dtype="<i4").astype(np.int32, copy=False),
            propensities=np.frombuffer(b"".join(propensities), dtype="<f4").astype(
                np.float32, copy=False
            ),
            contexts=tuple(map(_context, contexts)) if any(contexts) else (),
        )

    def features(
        self, slate_ids: Sequence[str]
    ) -> dict[str, tuple[tuple[str, ...], npt.NDArray[np.float32]]]:
        """Return names and features float32[n, f] of slates by id, of those that are there."""
        table = schema.impressions.c
        found = {}
        for begin in range(0, len(slate_ids), 500):
            rows = self._database.rows(
                select(table.slate_id, table["items"], table.names, table.features).where(
                    table.slate_id.in_(list(slate_ids[begin : begin + 500]))
                )
            )
            for row in rows:
                names = tuple(json.loads(row.names))
                values = np.frombuffer(row.features, dtype="<f4").astype(np.float32, copy=False)
                found[row.slate_id] = (names, values.reshape(len(row.items) // 4, len(names)))
        return found

    def _each(self, which: Any, since: float) -> Iterator[Impression]:
        table = schema.impressions
        after: tuple[int, str] = (microseconds(since), "")
        while True:
            later = (table.c.time > after[0]) | (
                (table.c.time == after[0]) & (table.c.slate_id > after[1])
            )
            rows = self._database.rows(
                select(table)
                .where(later, which)
                .order_by(table.c.time, table.c.slate_id)
                .limit(1000)
            )
            if not rows:
                return
            for row in rows:
                yield _impression(row)
            after = (rows[-1].time, rows[-1].slate_id)

    def flush(self) -> None:
        """Return once everything added before is on disk; raises the last failure since."""
        self._database.write(lambda connection: None)
        with self._guard:
            failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def purge(self, user: int | None = None, before: float | None = None) -> int:
        """Return how many impressions of the person, or shown before a time, were removed."""
        table = schema.impressions
        if user is not None:
            return self._remove(table.c.user_number == int(user))
        return 0 if before is None else self._remove(table.c.time < microseconds(before))

    def reassign(self, user: int, into: int) -> int:
        """Return how many impressions of `user` now belong to `into`."""
        table = schema.impressions
        change = update(table).where(table.c.user_number == user).values(user_number=into)
        return self._database.write(lambda connection: int(connection.execute(change).rowcount))

    def __len__(self) -> int:
        """Return how many impressions are on disk."""
        return int(self._database.rows(select(func.count()).select_from(schema.impressions))[0][0])

    def _remove(self, which: Any) -> int:
        # Through the writer: whatever waits is written before it, and removed with the rest. In
        # parts: what is shown meanwhile would wait for months of it to go.
        numbers = select(schema.impressions.c.number).where(which).limit(PART)
        change = delete(schema.impressions).where(schema.impressions.c.number.in_(numbers))
        total = 0
        while True:
            gone = self._database.write(lambda connection: int(connection.execute(change).rowcount))
            total += gone
            if gone < PART:
                return total

    def _done(self, slate_id: str, done: Future[None]) -> None:
        with self._guard:
            self._waiting.pop(slate_id, None)
            if error := done.exception():
                self.failed += 1
                self._failure = error


def _values(impression: Impression) -> dict[str, Any]:
    return {
        "slate_id": impression.slate_id,
        "user_number": int(impression.user),
        "time": microseconds(impression.now),
        "snapshot": impression.snapshot,
        "variant": impression.variant,
        "items": np.ascontiguousarray(impression.items, dtype="<i4").tobytes(),
        "scores": np.ascontiguousarray(impression.scores, dtype="<f4").tobytes(),
        "propensities": np.ascontiguousarray(impression.propensities, dtype="<f4").tobytes(),
        "features": np.ascontiguousarray(impression.features, dtype="<f4").tobytes(),
        "names": _named(impression.names),
        "reasons": _text(impression.reasons),
        "notes": _text(dict(impression.notes)),
        "context": _text(dict(impression.context)) if impression.context else None,
    }


@lru_cache(64)
def _named(names: tuple[str, ...]) -> str:
    return _text(names)


def _text(value: Any) -> str:
    """Return JSON; half a surrogate pair, which a context may hold, escaped."""
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError:
        return json.dumps(value)


def _impression(row: Any) -> Impression:
    names = tuple(json.loads(row.names))
    items = np.frombuffer(row.items, dtype="<i4")
    features = np.frombuffer(row.features, dtype="<f4")
    return Impression(
        slate_id=row.slate_id,
        user=row.user_number,
        now=row.time / 1e6,
        snapshot=row.snapshot,
        items=items.astype(np.int32, copy=False),
        scores=np.frombuffer(row.scores, dtype="<f4").astype(np.float32, copy=False),
        propensities=np.frombuffer(row.propensities, dtype="<f4").astype(np.float32, copy=False),
        features=features.astype(np.float32, copy=False).reshape(len(items), len(names)),
        names=names,
        reasons=tuple(json.loads(row.reasons)),
        notes=json.loads(row.notes),
        variant=row.variant,
        context=_context(row.context) or {},
    )


def _context(text: str | None) -> dict[str, Any] | None:
    if text is None:
        return None
    try:
        found: dict[str, Any] = orjson.loads(text)
    except orjson.JSONDecodeError:
        found = json.loads(text)  # half a surrogate pair
    return found
