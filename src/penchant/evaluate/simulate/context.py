"""The moments in which films are watched, and what each moment does to a wish for a genre."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from penchant.evaluate.simulate.shelf import Reals
from penchant.types import InvalidInput

DIMENSIONS: Mapping[str, tuple[str, ...]] = {
    "device": ("tv", "laptop", "tablet", "phone"),
    "daypart": ("morning", "afternoon", "evening", "night"),
    "weekday": ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"),
    "company": ("alone", "partner", "family", "friends"),
}
"""What a context says, in the order in which contexts are numbered."""

HOURS: Mapping[str, tuple[int, ...]] = {
    "morning": tuple(range(7, 12)),
    "afternoon": tuple(range(12, 18)),
    "evening": tuple(range(18, 23)),
    "night": (23, 0, 1),
}
"""The hours (UTC) at which a visit of each part of the day begins."""

_WEEKEND = {"adventure": 0.4, "family": 0.3, "western": 0.2, "documentary": -0.2}
EFFECTS: Mapping[tuple[str, str], Mapping[str, float]] = {
    ("device", "tv"): {"adventure": 0.3, "space opera": 0.2, "musical": 0.2},
    ("device", "laptop"): {"documentary": 0.3, "mystery": 0.2},
    ("device", "tablet"): {"animation": 0.3, "family": 0.3, "war": -0.2},
    ("device", "phone"): {"comedy": 0.4, "animation": 0.3, "history": -0.4, "drama": -0.2},
    ("daypart", "morning"): {
        "family": 0.5,
        "animation": 0.4,
        "documentary": 0.3,
        "horror": -0.7,
        "thriller": -0.4,
    },
    ("daypart", "afternoon"): {"adventure": 0.3, "musical": 0.3, "comedy": 0.2},
    ("daypart", "evening"): {"drama": 0.2, "crime": 0.2, "romance": 0.2},
    ("daypart", "night"): {"horror": 0.8, "thriller": 0.5, "film noir": 0.5, "family": -0.8},
    ("weekday", "friday"): {"comedy": 0.3, "horror": 0.3, "action": 0.2},
    ("weekday", "saturday"): _WEEKEND,
    ("weekday", "sunday"): _WEEKEND,
    ("company", "alone"): {"drama": 0.3, "documentary": 0.3, "film noir": 0.2},
    ("company", "partner"): {"romance": 0.8, "drama": 0.2, "war": -0.4},
    ("company", "family"): {
        "family": 1.0,
        "animation": 0.8,
        "adventure": 0.4,
        "horror": -1.2,
        "crime": -0.6,
        "thriller": -0.6,
    },
    ("company", "friends"): {
        "comedy": 0.6,
        "horror": 0.5,
        "action": 0.5,
        "martial arts": 0.4,
        "documentary": -0.4,
        "drama": -0.3,
    },
}
"""What a value of a dimension adds to the utility of a film all of one genre."""

VALUES = tuple((name, value) for name, values in DIMENSIONS.items() for value in values)
_NUMBER = {pair: i for i, pair in enumerate(VALUES)}


def effects(genres: tuple[str, ...], holds: Reals) -> Reals:
    """Return float64[n_values, n_films]: what each context value adds to each film.

    `holds` float64[n_films, n_genres] says which genres a film has; it gets their mean effect.
    """
    by_genre = np.array([[EFFECTS.get(v, {}).get(g, 0.0) for g in genres] for v in VALUES])
    shares = holds / np.maximum(holds.sum(axis=1, keepdims=True), 1.0)
    return np.asarray(by_genre @ shares.T)


def numbers(context: Mapping[str, str]) -> list[int]:
    """Return the numbers of a context's values; dimensions that it leaves out say nothing."""
    unknown = [pair for pair in context.items() if pair not in _NUMBER]
    if unknown:
        raise InvalidInput(
            f"expected a context of {dict(DIMENSIONS)}, got {unknown}; leave those values out"
        )
    return [_NUMBER[pair] for pair in context.items()]
