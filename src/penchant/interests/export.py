"""Everything that is held about one person, as plain data to be handed over."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import polars as pl

from penchant.store.open import Store

ALL, EVER = 2**31 - 1, float(2**40)


def export(store: Store, user_id: str, user: int) -> dict[str, Any]:
    """Return the attributes, events and links of a person; `user` is -1 for somebody unknown.

    With them `shown`, the slates they were given, `prospects`, what they were believed to come to
    like, and `kept_aside`, rows about them that were not believed. Times are seconds; `user_id` is
    the id that was asked for, whatever pseudonym the log keeps.
    """
    if user < 0:
        none = dict.fromkeys(("events", "links", "shown", "prospects"), ())
        held: dict[str, Any] = {name: list(rows) for name, rows in none.items()}
        aside = _kept_aside(store, user_id)
        return {"user_id": user_id, "attributes": {}, **held, "kept_aside": aside}
    events = store.log.history(user, ALL, EVER)
    shown = list(store.impressions.of(user))
    items = np.unique(np.concatenate([events.items, *(one.items for one in shown)]))
    items = items[items >= 0]
    names = dict(zip(items.tolist(), store.catalogue.get(items.tolist())["item_id"], strict=True))
    people = store.people.get([user])
    name = people["user_id"][0]
    if name is None:  # forgotten, or merged, since their number was looked up
        return export(store, user_id, -1)
    kept = store.expansions.get(user)
    links = store.people.links()
    # By the id itself, too: whoever was not known when a link came is in it by that.
    ends = (links[end].is_in([name, user_id]) for end in ("head", "tail"))
    absent = (None,) * len(events)
    return {
        "user_id": user_id,
        "attributes": json.loads(people["attributes"][0] or "{}"),
        "events": [
            {
                "item_id": names.get(item),
                "event": events.kind_names[kind],
                "timestamp": moment,
                "value": None if np.isnan(value) else value,
                "slate_id": slate,
                "text": text,
                "context": json.loads(context) if context else {},
            }
            for item, kind, moment, value, slate, text, context in zip(
                events.items.tolist(),
                events.kinds.tolist(),
                events.times.tolist(),
                events.values.tolist(),
                events.slates or absent,
                events.texts or absent,
                events.contexts or absent,
                strict=True,
            )
        ],
        "links": links.filter(pl.any_horizontal(*ends)).to_dicts(),
        "shown": [
            {
                "slate_id": one.slate_id,
                "timestamp": one.now,
                "items": [names[item] for item in one.items.tolist()],
                "context": dict(one.context),
            }
            for one in shown
        ],
        "prospects": [] if kept is None else kept.content["prospects"],
        "kept_aside": _kept_aside(store, name),
    }


def _kept_aside(store: Store, name: str) -> list[dict[str, Any]]:
    return [{"reason": reason, "row": json.loads(row)} for reason, row in store.quarantine.of(name)]
