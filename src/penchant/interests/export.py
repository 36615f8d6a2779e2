"""Everything the log holds about one person, as plain data to be handed over."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from penchant.store.open import Store

ALL, EVER = 2**31 - 1, float(2**40)


def export(store: Store, user_id: str, user: int) -> dict[str, Any]:
    """Return the attributes, events and links of a person; `user` is -1 for somebody unknown.

    Times are seconds; `user_id` is the id that was asked for, whatever pseudonym the log keeps.
    """
    if user < 0:
        return {"user_id": user_id, "attributes": {}, "events": [], "links": []}
    events = store.log.history(user, ALL, EVER)
    items = np.unique(events.items[events.items >= 0])
    names = dict(zip(items.tolist(), store.catalogue.get(items.tolist())["item_id"], strict=True))
    people = store.people.get([user])
    name = people["user_id"][0]
    links = store.people.links()
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
        "links": links.filter((links["head"] == name) | (links["tail"] == name)).to_dicts(),
    }
