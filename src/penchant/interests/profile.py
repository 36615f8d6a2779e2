"""A person's interests by name: categories and tags of what they wanted, how strong, which way."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from penchant.interests.state import DAY, State
from penchant.store.columns import ItemColumns
from penchant.types import Interest

HALF_LIFE = 30 * DAY
WEEK = 7 * DAY


def profile(state: State, columns: ItemColumns, most: int = 10) -> tuple[Interest, ...]:
    """Return up to `most` named interests, strongest first; strengths are shares of all of them.

    Each wanted item supports its category and its tags with its strength, halved every 30 days;
    what was rejected counts against them. `trend` is the share now minus the share a week ago.
    `evidence` are ids of the newest items behind it.
    """
    today = _shares(state, columns, state.now)
    before = _shares(state, columns, state.now - WEEK)
    evidence: dict[str, list[str]] = defaultdict(list)
    for item, strength in zip(state.items[::-1].tolist(), state.strengths[::-1], strict=True):
        if strength > 0:
            for name in columns.concepts(item):
                if len(evidence[name]) < 3 and columns.ids[item] not in evidence[name]:
                    evidence[name].append(columns.ids[item])
    ranked = sorted(today.items(), key=lambda pair: (-pair[1], pair[0]))[:most]
    return tuple(
        Interest(name, share, share - before.get(name, 0.0), tuple(evidence[name]))
        for name, share in ranked
        if share > 0
    )


def _shares(state: State, columns: ItemColumns, now: float) -> dict[str, float]:
    total: dict[str, float] = defaultdict(float)
    past = state.times <= now
    weight = state.strengths * np.exp2(-np.maximum(now - state.times, 0) / HALF_LIFE)
    for item, value in zip(state.items[past].tolist(), weight[past].tolist(), strict=True):
        for name in columns.concepts(item):
            total[name] += value
    positive = {name: value for name, value in total.items() if value > 0}
    everything = sum(positive.values())
    return {name: value / everything for name, value in positive.items()} if everything else {}
