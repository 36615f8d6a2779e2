"""Learning the circumstances of a log: the schema of its contexts, and counts in each of them.

The schema is learned of what lies before the window that the ranker learns from. So are the counts
that its rows are made with; what serves is counted on everything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from penchant.interests.context.clock import DAY
from penchant.interests.context.config import ContextConfig
from penchant.interests.context.crowd import Crowd
from penchant.interests.context.schema import Schema
from penchant.learn.context.fields import find
from penchant.learn.context.telling import gains, telling
from penchant.learn.view import View
from penchant.store.artefacts import Artefacts


@dataclass(frozen=True)
class Learned:
    """The schema, None where no field tells anything; what each field told, and what was left out.

    `gains` is in nats an event by field, `left_out` why fields are none, by name.
    """

    schema: Schema | None
    gains: Mapping[str, float]
    left_out: Mapping[str, str]

    def summary(self) -> dict[str, object]:
        """Return plain JSON for the report."""
        fields = [] if self.schema is None else [one.name for one in self.schema.fields]
        return {"fields": fields, "gains": dict(self.gains), "left_out": dict(self.left_out)}


def learn(view: View, begin: float, config: ContextConfig) -> Learned:
    """Return what the events before `begin` (seconds) tell of circumstances."""
    if not config.learn:
        return Learned(None, {}, {})
    past = view.before(begin)
    past = past.where(past.counted())
    _, moments = np.unique(
        np.stack((past.users.astype(np.float64), past.times)), axis=1, return_inverse=True
    )
    given = past.contexts if past.contexts is not None else np.full(len(past), -1, dtype=np.int32)
    days = float(np.ptp(past.times)) / DAY if len(past) else 0.0
    texts = view.context_texts
    found = find(given, texts, past.items, moments.ravel(), days, config.ignore)
    if not found.fields:
        return Learned(None, {}, found.left_out)
    whole = Schema(found.fields, config.timezone, config.hemisphere)
    gained = gains(whole, codes(whole, past), past.items, past.users, view.columns)
    told = {
        field.name: round(float(gain), 4) for field, gain in zip(whole.fields, gained, strict=True)
    }
    kept = telling(whole, gained, config.most)
    schema = Schema(kept, config.timezone, config.hemisphere) if kept else None
    return Learned(schema, told, found.left_out)


def codes(schema: Schema, view: View) -> np.ndarray:
    """Return int32[n, slots]: the codes of each event of a view."""
    if view.contexts is None:
        return schema.then((), view.times)
    texts = (*view.context_texts, None)  # -1 is the last
    return schema.then([texts[at] for at in view.contexts.tolist()], view.times)


def crowd(schema: Schema, view: View) -> Crowd:
    """Return the counts of what others may learn from in a view."""
    heard = view.where(view.counted())
    return Crowd.count(schema, codes(schema, heard), heard.items, view.columns)


def write(schema: Schema | None, view: View, folder: Artefacts) -> None:
    """Write the schema, and the counts of all events of a view, into a snapshot."""
    if schema is not None:
        schema.save(folder)
        crowd(schema, view).save(folder)
