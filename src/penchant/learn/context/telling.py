"""How much each field of a context tells of what is wanted, measured on what came later.

Counts are taken of the earlier events. On the later ones a field's gain is the mean of
log p(value | item) / p(value), of all people and of the person's own category: what knowing the
value adds to the log-likelihood of the item. A field that is noise loses, for its counts are.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from penchant.interests.context.crowd import Crowd
from penchant.interests.context.field import Field
from penchant.interests.context.schema import Codes, Schema
from penchant.store.columns import ItemColumns
from penchant.types import Floats, Ids

EARLIER = 0.7  # of the events, what is counted
MOST_EVENTS = 6_000  # that are measured on
LEAST = 1e-4  # nats below which a field tells nothing
OWN = 5.0  # events of a person's own before they are half of what is believed


def gains(schema: Schema, codes: Codes, items: Ids, users: Ids, columns: ItemColumns) -> Floats:
    """Return float32[fields]: what each field tells in nats an event, negative where it misleads.

    Events are in the order of time; codes int32[n, slots]. The better counts of a crowd and those
    of the person, each by itself.
    """
    cut = int(EARLIER * len(items))
    crowd = Crowd.count(schema, codes[:cut], items[:cut], columns)
    rng = np.random.default_rng(0)
    later = np.arange(cut, len(items))
    if len(later) > MOST_EVENTS:
        later = np.sort(rng.choice(later, MOST_EVENTS, replace=False))
    total = np.zeros(len(schema.fields))
    count = np.zeros(len(schema.fields))
    for event in later.tolist():
        lift = crowd.lift(codes[event], items[event : event + 1])[:, 0]
        known = np.isfinite(lift)
        total[known] += lift[known]
        count[known] += 1
    of_crowd = total / np.maximum(count, 1)
    own = _own(schema, codes, items, users, cut, later)
    best: Floats = np.maximum(of_crowd, own).astype(np.float32)
    return best


def telling(schema: Schema, gained: Floats, most: int) -> tuple[Field, ...]:
    """Return the `most` fields that tell most, none that tells nothing, with their gains."""
    best = np.argsort(-gained, kind="stable")[:most]
    kept = sorted(int(place) for place in best if gained[place] > LEAST)
    return tuple(replace(schema.fields[at], gain=round(float(gained[at]), 5)) for at in kept)


def _own(
    schema: Schema, codes: Codes, items: Ids, users: Ids, cut: int, later: np.ndarray
) -> np.ndarray:
    """Return float64[fields]: what the person's own events with the same item tell."""
    total = np.zeros(len(schema.fields))
    count = np.zeros(len(schema.fields))
    order = np.argsort(users[:cut], kind="stable")
    starts = np.searchsorted(users[:cut][order], np.arange(int(users.max(initial=0)) + 2))
    for event in later.tolist():
        user = int(users[event])
        mine = order[starts[user] : starts[user + 1]]
        own = mine[items[mine] == items[event]]
        if not len(own):
            continue
        said = codes[event] > 0
        for field in np.unique(schema.of_slot[said]).tolist():
            slots = schema.of_slot == field
            base = (codes[np.ix_(mine, slots)] == codes[event, slots]).any(axis=1).mean()
            there = (codes[np.ix_(own, slots)] == codes[event, slots]).any(axis=1)
            if base > 0:
                share = (there.sum() + OWN * base) / (len(own) + OWN)
                total[field] += np.log(share / base)
                count[field] += 1
    # An event whose person never had the item tells nothing of this.
    return np.where(count > 0, total / np.maximum(count, 1), -np.inf)
