"""Small frames for the tests of the store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from penchant.store.events import event_key
from penchant.store.frames import EVENTS, ITEMS

SECOND = 1_000_000


def events(*rows: Sequence[Any] | dict[str, Any]) -> pl.DataFrame:
    """Events from (user, item, time in seconds[, kind[, event_id]]) or from whole rows."""
    made = []
    for place, row in enumerate(rows):
        if isinstance(row, dict):
            made.append({"event": "click", "timestamp": 0} | row)
            if "event_id" in made[-1]:
                made[-1]["key"] = event_key(made[-1].pop("event_id"))
            continue
        user, item, time, *rest = row
        kind = rest[0] if rest else "click"
        name = rest[1] if len(rest) > 1 else f"{place}:{user}:{item}:{time}:{kind}"
        made.append(
            {
                "user_id": user,
                "item_id": item,
                "event": kind,
                "timestamp": round(time * SECOND),
                "key": event_key(name),
            }
        )
    return pl.DataFrame(made, schema=dict(EVENTS))


def items(*rows: dict[str, Any] | str) -> pl.DataFrame:
    """Items from whole rows, or from ids alone."""
    made = [{"item_id": row} if isinstance(row, str) else row for row in rows]
    return pl.DataFrame(made, schema=dict(ITEMS))
