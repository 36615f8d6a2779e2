"""A person's own past in circumstances like these: which past events were in such, and how much so.

Circumstances are compared field by field: an event is as near as the share of the fields that say
the same, each counting by how much it tells (`Field.gain`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from penchant.interests.context.schema import Codes, Schema
from penchant.types import Floats

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Near:
    """How the circumstances of n past events compare with those of now.

    `near` float32[n] is the weighted share of fields that say the same, 0 to 1; `missing`
    float32[n] how many of the fields that say something now say something else, or nothing;
    `same` bool[fields, n] which fields say the same, and `said` bool[fields] which say anything
    now.
    """

    near: Floats
    missing: Floats
    same: Mask
    said: Mask


def compare(schema: Schema, here: Codes, then: Codes) -> Near | None:
    """Return how past events, int32[n, slots], compare with now, int32[slots].

    None where nothing is said of now that a past event could say too.
    """
    slots = np.flatnonzero(here)
    if not len(slots):
        return None
    n_fields = len(schema.fields)
    same: Mask = np.zeros((n_fields, len(then)), dtype=np.bool_)
    said: Mask = np.zeros(n_fields, dtype=np.bool_)
    for slot in slots.tolist():
        field = int(schema.of_slot[slot])
        said[field] = True
        # Any of the values of a list is as good as any other.
        own = np.flatnonzero(schema.of_slot == field)
        same[field] |= (then[:, own] == here[slot]).any(axis=1)
    gains = np.array([field.gain for field in schema.fields], dtype=np.float32)
    weights = np.where(said, np.maximum(gains, 1e-4), 0.0).astype(np.float32)
    near = (weights @ same) / weights.sum()
    missing = (said.sum() - same.sum(axis=0)).astype(np.float32)
    return Near(near.astype(np.float32), missing, same, said)
