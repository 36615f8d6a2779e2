"""What an expander is told of a person: their interests by name, and no id, no event."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from penchant.interests.expansion.ground import Ground
from penchant.interests.profile import HALF_LIFE
from penchant.interests.state import State
from penchant.interests.windows import WEEK
from penchant.types import Floats, Mask

LAST = 8  # titles of what they wished for last, for whom words are written to
NAMED = 8  # of their interests, those that a digest and a prompt tell of


@dataclass(frozen=True, slots=True)
class Portrait:
    """`own` float32[c] are strengths of concepts, adding up to 1 where positive, `trend` float32[c]
    is what of that came within a week, and `touched` bool[c] marks what they ever wished for or
    turned down. `vector` float32[d] is v_i, where their wishes point, empty where no text tells.
    `titles` are public texts of what they wished for last, newest first.
    """

    own: Floats
    trend: Floats
    touched: Mask
    vector: Floats
    titles: tuple[str, ...]

    def strongest(self, most: int = NAMED) -> list[int]:
        """Return the concepts that are strongest, best first."""
        order = np.argsort(-self.own, kind="stable")[:most]
        return [int(one) for one in order if self.own[one] > 0]


def portrait(state: State, ground: Ground) -> Portrait:
    """Return the portrait of a person in a state; nothing is told of somebody without wishes."""
    concepts = ground.concepts
    count = len(concepts)
    places, borne = concepts.borne(state.items.tolist())
    count = max(count, len(concepts))  # asking may have met new names
    told = concepts.telling(borne)

    def held(moment: float) -> Floats:
        fading = np.exp2(-np.maximum(moment - state.times, 0) / HALF_LIFE)
        weight = np.where(state.times <= moment, state.strengths * fading, 0.0)[places] * told
        strengths = np.bincount(borne, weight, minlength=count).astype(np.float32)
        total = float(strengths[strengths > 0].sum())
        return strengths / np.float32(total) if total > 0 else strengths

    own = held(state.now)
    touched = np.zeros(count, dtype=np.bool_)
    touched[borne] = True
    # What was had long ago is no new interest either, though it counts no more.
    older = np.setdiff1d(state.seen, state.items)
    touched[concepts.borne(older.tolist())[1]] = True
    titles = [ground.columns.titles[item] for item in state.liked.items[::-1].tolist()]
    return Portrait(
        own,
        own - held(state.now - WEEK),
        touched,
        ground.pointed(state),
        tuple(title for title in titles[:LAST] if title),
    )


def digest(portrait: Portrait, ground: Ground, who: str = "") -> str:
    """Return what an expansion depends on, roughly: it stays the same while little changes.

    The strongest interests in the order of their names, each by how strong it is in steps of two,
    and what the vocabulary and whoever expands (`who`) are called.
    """
    steps = []
    for concept in portrait.strongest():
        level = int(np.round(np.log2(max(float(portrait.own[concept]), 1e-3))))
        steps.append(f"{ground.concepts.names[concept]}={level}")
    said = "\n".join([ground.snapshot, who, *sorted(steps)])
    return hashlib.blake2b(said.encode(), digest_size=12).hexdigest()
