"""From the store to the columns that the watch folds: events and slates as they came."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sqlalchemy import select

from penchant.evaluate.watch.recent import PLACES, Happened, Slates, slate_key, unshown
from penchant.ingest.kinds import Kinds
from penchant.interests.history import worded
from penchant.store import schema
from penchant.store.log import Events
from penchant.store.open import Store

CHUNK = 20_000  # slates read at once
_NO_SCORE = np.array([np.nan], dtype="<f4").tobytes()


def happened(events: Events, kinds: Kinds, names: Sequence[str], since: float) -> Happened:
    """Return the events of a log from `since` (seconds) on, their kinds by their place in `names`.

    `names` holds every kind of `events`.
    """
    code = {name: n for n, name in enumerate(names)}
    table = np.array([code[name] for name in events.kind_names] or [0], dtype=np.int16)
    keep = np.flatnonzero(events.times >= since)
    wanted = kinds.wanted(events.kind_names, events.kinds, events.values)
    named = np.zeros(len(events), dtype=np.int64)
    if events.slates:
        named = np.array([slate_key(one) if one else 0 for one in events.slates], dtype=np.int64)
    return Happened(
        offsets=events.offsets[keep],
        users=events.users[keep],
        items=events.items[keep],
        times=events.times[keep],
        kinds=table[events.kinds[keep]],
        wanted=wanted[keep],
        texts=worded(events)[keep],
        slates=named[keep],
    )


def slates(
    store: Store, after: int, until: int, since: float, of: Sequence[int] | None = None
) -> Slates:
    """Return the slates with numbers above `after`, up to `until`, shown at `since` or later.

    With `of` those of some hundreds of people, by number.
    """
    table, database = schema.impressions.c, store.databases[1]
    wanted = (
        *(table.number, table.slate_id, table.user_number, table.time, table.snapshot),
        *(table["items"], table.scores),
    )
    whose = () if of is None else (table.user_number.in_(list(of)),)
    rows = []
    while True:
        part = database.rows(
            select(*wanted)
            .where(table.number > after, table.number <= until, *whose)
            .order_by(table.number)
            .limit(CHUNK)
        )
        rows += [row for row in part if row.time >= since * 1e6]
        if len(part) < CHUNK:
            break
        after = part[-1].number
    if not rows:
        return unshown()
    names = tuple(dict.fromkeys(row.snapshot for row in rows))
    code = {name: n for n, name in enumerate(names)}
    shown = [row.items[: 4 * PLACES] for row in rows]
    sizes = [len(items) // 4 for items in shown]
    return Slates(
        numbers=np.array([row.number for row in rows], dtype=np.int64),
        keys=np.array([slate_key(row.slate_id) for row in rows], dtype=np.int64),
        users=np.array([row.user_number for row in rows], dtype=np.int32),
        times=np.array([row.time for row in rows], dtype=np.float64) / 1e6,
        snapshots=np.array([code[row.snapshot] for row in rows], dtype=np.int16),
        names=names,
        starts=np.concatenate(([0], np.cumsum(sizes, dtype=np.int64))),
        items=np.frombuffer(b"".join(shown), dtype="<i4").astype(np.int32),
        scores=np.frombuffer(
            b"".join(row.scores[:4] or _NO_SCORE for row in rows), dtype="<f4"
        ).astype(np.float32),
    )


def newest(store: Store) -> int:
    """Return the highest number of a slate on disk, 0 where there is none."""
    table = schema.impressions.c
    rows = store.databases[1].rows(select(table.number).order_by(table.number.desc()).limit(1))
    return int(rows[0][0]) if rows else 0


def texts(store: Store, offsets: Sequence[int]) -> list[str]:
    """Return the words of events by their offsets, "" for what is gone."""
    table = schema.events.c
    found: dict[int, str] = {}
    for begin in range(0, len(offsets), 500):
        part = list(offsets[begin : begin + 500])
        rows = store.databases[0].rows(
            select(table.event_offset, table.text).where(table.event_offset.in_(part))
        )
        found |= {int(row[0]): row[1] or "" for row in rows}
    return [found.get(int(offset), "") for offset in offsets]
