"""Terms: what a score is made of, written down by the scorer that made it.

A scorer whose parts cannot be read from the features alone keeps them as columns beside them, so
that an explanation, also a later one in another process, adds up to the score that was shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from penchant.types import Candidates, Floats

PREFIX = "term:"
WORDS, FOUND = "words", "found"  # nearness to what was asked for, and its very words
LED = "led"  # what others wanted after like words
CROWD = "crowd"  # what many chose, beside what the scorer says of a newcomer
SCALE, START = "scale", "start"  # scorer's own score = scale * what its trees say + start
ANSWERED = "answered"  # how often it is answered when it is shown
FOLLOWED = "followed"  # what answers have taught of taste since the training
RAISED = "raised"  # what the person themselves asked for more of
LATER = "later"  # what keeps the pages of a slate in order


def with_terms(candidates: Candidates, terms: Mapping[str, Floats]) -> Candidates:
    """Return the candidates with a column for each term, added to the one that is there already."""
    features, names = candidates.features, candidates.names
    at = {name: column for column, name in enumerate(names)}
    known = {at[PREFIX + name]: values for name, values in terms.items() if PREFIX + name in at}
    if known:
        features = features.copy()
        for column, values in known.items():
            features[:, column] += values
    new = {PREFIX + name: v for name, v in terms.items() if PREFIX + name not in at}
    if new:
        features = np.concatenate((features, *(v[:, None] for v in new.values())), axis=1)
    return replace(candidates, features=features.astype(np.float32), names=(*names, *new))


def scaled(candidates: Candidates, by: float) -> Candidates:
    """Return the candidates with every term multiplied."""
    columns = [i for i, name in enumerate(candidates.names) if name.startswith(PREFIX)]
    if not columns:
        return candidates
    features = candidates.features.copy()
    features[:, columns] *= np.float32(by)
    return replace(candidates, features=features)


def terms(names: tuple[str, ...], row: Floats) -> dict[str, float]:
    """Return the terms of one candidate by name, empty where its scorer wrote none."""
    return {
        name.removeprefix(PREFIX): float(value)
        for name, value in zip(names, row.tolist(), strict=True)
        if name.startswith(PREFIX)
    }
