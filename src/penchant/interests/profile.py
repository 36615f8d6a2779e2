"""A person's interests by name: what their history speaks of, how strong, and which way it goes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from penchant.interests.adjustments import Adjustment
from penchant.interests.concepts import Concepts, Numbers, folded
from penchant.interests.state import DAY, State
from penchant.interests.windows import NAMES, WEEK, held, windows
from penchant.store.columns import ItemColumns
from penchant.store.vectors import Vectors
from penchant.types import Floats, Ids, Interest, Profile, Prospect, Window

Reals = npt.NDArray[np.floating[Any]]

HALF_LIFE = 30 * DAY
SHOWN, FEWEST = 10, 3
POINTED = 3  # names for each window
SAME = 0.8  # of what speaks of two interests, above which they are shown as one


def profile(
    state: State,
    columns: ItemColumns,
    concepts: Concepts,
    vectors: Vectors | None = None,
    changes: Mapping[str, Adjustment] | None = None,
    prospects: Iterable[Prospect] = (),
    most: int = SHOWN,
) -> Profile:
    """Return up to `most` named interests, strongest first, and where they point in three windows.

    Each wish speaks of the concepts of its item, of rare ones more than of common ones, with its
    strength, halved every 30 days; what was rejected speaks against them. `strength` is the share
    of a concept in all that is spoken of, `trend` that share minus the share a week ago, `evidence`
    the ids of the newest items behind it. Of two concepts that the same wishes speak of only the
    stronger is shown, unless fewer than three are left. What was muted comes last, with the share
    that it would have. `prospects` are handed on.
    """
    changes = changes or {}
    places, borne = concepts.borne(state.items.tolist())
    told = concepts.telling(borne)
    now, before = (
        _shares(state, moment, places, borne, told, len(concepts))
        for moment in (state.now, state.now - WEEK)
    )
    speaks: dict[int, set[int]] = defaultdict(set)
    for place, concept in zip(places.tolist(), borne.tolist(), strict=True):
        if state.strengths[place] > 0:
            speaks[concept].add(int(state.items[place]))
    order = [one for one in np.argsort(-now, kind="stable").tolist() if now[one] > 0]
    apart: list[int] = []
    alike: list[int] = []
    for concept in order:
        mine = speaks[concept]
        same = any(len(mine & speaks[one]) > SAME * len(mine | speaks[one]) for one in apart)
        adjustable = folded(concepts.names[concept]) in changes
        (alike if same and not adjustable else apart).append(concept)
        if len(apart) == most:
            break
    chosen = {*apart, *alike[: max(0, min(FEWEST, most) - len(apart))]}
    shown = [
        Interest(
            concepts.names[one],
            float(now[one]),
            float(now[one] - before[one]),
            _newest(state, speaks[one], columns),
            concepts.kinds[one],
            _told(changes.get(folded(concepts.names[one]))),
        )
        for one in order
        if one in chosen
    ]
    shown.sort(key=lambda one: one.adjusted == "mute")
    gone = tuple(one.name for one in changes.values() if concepts.number(one.name) is None)
    pointed = _pointed(state, concepts, places, borne, told, vectors)
    return Profile(tuple(shown), pointed, tuple(prospects), gone)


def _shares(
    state: State, now: float, places: Numbers, borne: Ids, told: Floats, count: int
) -> Floats:
    """Return float32[c]: of what is spoken of at a moment, the share of each concept."""
    fading = np.exp2(-np.maximum(now - state.times, 0) / HALF_LIFE)
    weight = np.where(state.times <= now, state.strengths * fading, 0.0)
    spoken = np.maximum(_spoken(weight, places, borne, told, count), 0.0)
    everything = spoken.sum()
    return (spoken / everything if everything > 0 else spoken).astype(np.float32)


def _spoken(weight: Reals, places: Numbers, borne: Ids, told: Floats, count: int) -> Reals:
    """Return float64[c]: how much is said of each concept. Each wish speaks once, however many
    concepts its item bears."""
    total = np.maximum(np.bincount(places, told, minlength=len(weight)), 1e-9)
    share = weight[places] * told / total[places]
    spoken: Reals = np.bincount(borne, share, minlength=count).astype(np.float64)
    return spoken


def _told(change: Adjustment | None) -> str:
    """Return what a person did to an interest that still shows."""
    return "" if change is None or change.to == "delete" else change.to


def _newest(state: State, items: set[int], columns: ItemColumns, most: int = 3) -> tuple[str, ...]:
    found = dict.fromkeys(item for item in state.items[::-1].tolist() if item in items)
    return tuple(columns.ids[item] for item in list(found)[:most])


def _pointed(
    state: State,
    concepts: Concepts,
    places: Numbers,
    borne: Ids,
    told: Floats,
    vectors: Vectors | None,
) -> tuple[Window, ...]:
    """Return the windows with what they point at, by name."""
    if not len(state.items):
        return ()
    if vectors is not None and vectors.dimension:
        rows = vectors.rows(state.items)
    else:  # without texts what items bear is all that is known of them
        rows = np.zeros((len(state.items), max(1, len(concepts))), dtype=np.float32)
        rows[places, borne] = told
        rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
    found, holds = windows(state, rows), held(state.times, state.now)
    out = []
    for at, name in enumerate(NAMES):
        said = _spoken(state.strengths * holds[at], places, borne, told, len(concepts))
        best = [one for one in np.argsort(-said, kind="stable")[:POINTED].tolist() if said[one] > 0]
        turned = float(found.turned[at])
        out.append(
            Window(
                name,
                float(found.sure[at]),
                None if np.isnan(turned) else turned,
                tuple(concepts.names[one] for one in best),
            )
        )
    return tuple(out)
