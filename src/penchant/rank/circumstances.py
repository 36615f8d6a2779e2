"""Circumstances as features: what everybody, and what this person, wants in such as now.

Of each field of the context (`interests/context/schema.py`) three columns say how much more a
candidate is wanted where it says what it says now: by all people (`crowd_`), by this person of the
same item (`own_`), and by this person of items of its category (`kind_`). The others say how near
the circumstances are in which the person had the item before, taken together, and how far away the
candidate is (log of 1 + km). NaN is for what cannot be told. Training rows come from the same
stage, with counts of before their window.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import numpy as np

from penchant.interests.context.crowd import Crowd
from penchant.interests.context.past import Near, compare
from penchant.interests.context.places import Places, kilometres
from penchant.interests.context.values import where
from penchant.interests.state import State
from penchant.language.categories import Derived
from penchant.store.columns import ItemColumns
from penchant.store.vectors import Vectors
from penchant.types import Candidates, Floats, Ids, Query

TOGETHER = (
    "crowd_together",
    "own_near",
    "own_nearest",
    "own_same",
    "own_alike",
    "own_text",
    "here_km",
)
PREFIXES = ("crowd_", "own_", "kind_")
_AWAY = "here_km"
"""What the names of the other columns begin with; no column of another stage does."""

_OWN, _KIND = 1.0, 2.0  # events before an own share is half of what is believed


class Circumstances:
    """Appends the columns above, for the fields that a training found worth it."""

    name = "circumstances"

    def __init__(
        self, crowd: Crowd, columns: ItemColumns, vectors: Vectors, derived: Derived | None = None
    ) -> None:
        self.schema = crowd.schema
        self._crowd, self._vectors = crowd, vectors
        self._places = Places(columns)
        self._categories = Derived(columns) if derived is None else derived
        fields = _slugs([field.name for field in self.schema.fields])
        self.names = (
            *TOGETHER,
            *(f"{prefix}in_{name}" for prefix in PREFIXES for name in fields),
        )

    def __call__(self, query: Query, state: State, candidates: Candidates) -> Candidates:
        """Return the same candidates with `len(self.names)` more columns."""
        n, fields = len(candidates), len(self.schema.fields)
        rows = np.full((len(self.names), n), np.nan, dtype=np.float32)
        together, each = rows[: len(TOGETHER)], rows[len(TOGETHER) :].reshape(3, fields, n)
        here = self.schema.here(query.context, query.now)
        if n and here.any():
            each[0] = self._crowd.lift(here, candidates.items)
            together[0] = np.nansum(each[0], axis=0)
            stands = where(query.context)
            if stands is not None:
                together[6] = np.log1p(kilometres(stands, self._places.of(candidates.items)))
            liked = np.flatnonzero(state.strengths > 0)
            if len(liked):
                contexts = [state.contexts[at] for at in liked] if state.contexts else ()
                then = self.schema.then(contexts, state.times[liked])
                near = compare(self.schema, here, then)
                if near is not None:
                    had = state.items[liked]
                    self._own(near, had, candidates.items, together, each[1])
                    self._kind(near, had, candidates.items, each[2])
                    together[5] = self._text(near, had, candidates.items)
        features = np.concatenate((candidates.features, rows.T), axis=1)
        return Candidates(
            items=candidates.items,
            scores=candidates.scores,
            features=features,
            names=(*candidates.names, *self.names),
            origin=candidates.origin,
            sources=candidates.sources,
        )

    def _own(self, near: Near, had: Ids, items: Ids, together: Floats, fields: Floats) -> None:
        """Write what the person's own events with the very candidates say."""
        order = np.argsort(items, kind="stable")
        at = np.minimum(np.searchsorted(items, had, sorter=order), len(items) - 1)
        place = order[at]
        event = np.flatnonzero(items[place] == had)
        if not len(event):
            return
        place, n = place[event], len(items)
        count = np.bincount(place, minlength=n)
        some = count > 0
        together[1] = np.log1p(np.bincount(place, near.near[event], minlength=n))
        together[2] = 0.0
        np.maximum.at(together[2], place, near.near[event])
        together[3] = np.log1p(np.bincount(place[near.missing[event] == 0], minlength=n))
        together[4] = np.log1p(np.bincount(place, np.exp2(-near.missing[event]), minlength=n))
        for field in np.flatnonzero(near.said).tolist():
            alike = np.bincount(place, near.same[field, event], minlength=n)
            base = near.same[field].mean()
            fields[field] = np.where(some, (alike + _OWN * base) / (count + _OWN) - base, np.nan)

    def _kind(self, near: Near, had: Ids, items: Ids, fields: Floats) -> None:
        """Write what the person's events with items of the same category say."""
        mine, theirs = self._categories.counted(had), self._categories.counted(items)
        width = max(int(mine.max(initial=-1)), int(theirs.max(initial=-1))) + 1
        known = mine >= 0
        if not known.any():
            return
        count = np.bincount(mine[known], minlength=width)
        for field in np.flatnonzero(near.said).tolist():
            alike = np.bincount(mine[known], near.same[field, known], minlength=width)
            base = near.same[field].mean()
            shift = (alike + _KIND * base) / (count + _KIND) - base
            fields[field] = np.where(theirs >= 0, shift[theirs], np.nan)

    def _text(self, near: Near, had: Ids, items: Ids) -> Floats | float:
        """Return how much nearer each candidate is to what was had in such circumstances than to
        all that was had, as a difference of cosines."""
        if not self._vectors.dimension:
            return math.nan
        rows = self._vectors.rows(had)
        known = np.isfinite(rows[:, 0])
        if not known.any():
            return math.nan
        weights = np.exp2(-near.missing[known])
        there, all_of_it = weights @ rows[known], rows[known].sum(axis=0)
        unit = [one / max(float(np.linalg.norm(one)), 1e-9) for one in (there, all_of_it)]
        return np.asarray((unit[0] - unit[1]) @ self._vectors.rows(items).T, dtype=np.float32)


def _slugs(names: Sequence[str]) -> list[str]:
    """Return the names of fields as parts of names of columns, none twice: letters and digits."""
    # LightGBM takes no name with a character that JSON uses.
    plain = [re.sub(r"\W", "_", name) for name in names]
    return [f"{name}_{at}" if plain.index(name) < at else name for at, name in enumerate(plain)]


def is_of_circumstances(name: str) -> bool:
    """Return whether a column is one of these."""
    return name.startswith(PREFIXES) or name == _AWAY
