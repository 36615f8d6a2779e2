"""Trending: decayed counts of everybody, and no opinion on what nobody wanted."""

from __future__ import annotations

import numpy as np
import pytest

import world
from numbered import COLD, DAY, NOW, N, arrays, names, query, state
from penchant.recall.popularity import HALF_LIVES, Popularity
from penchant.recall.trending import Trending


@pytest.fixture
def popularity() -> Popularity:
    _, items, times = arrays()
    return Popularity(items, times)


def test_it_is_the_logarithm_of_the_decayed_count(popularity) -> None:
    for row, life in enumerate(HALF_LIVES):
        scores = Trending("trending", life, popularity).score(query(), state([]))
        counts = popularity.at(NOW, N)[row]
        known = np.isfinite(scores.values)
        np.testing.assert_allclose(scores.values[known], np.log1p(counts[known]), rtol=1e-6)
        assert np.flatnonzero(~known).tolist() == [COLD]


def test_over_years_it_is_the_plain_order_of_popularity(popularity) -> None:
    scores = Trending("trending", HALF_LIVES[-1], popularity).score(query(), state([]))
    best = names(scores.top(N, None))
    for level in world.POPULAR[:-1]:
        assert set(best[: len(level)]) == level
        best = best[len(level) :]
    assert best == []


def test_before_anything_happened_it_has_no_opinion(popularity) -> None:
    trending = Trending("trending", DAY, popularity)
    scores = trending.score(query(now=float(world.START) - 1.0), state([]))
    assert np.isnan(scores.values).all()


def test_a_half_life_that_is_not_kept_is_refused(popularity) -> None:
    with pytest.raises(ValueError, match="not in"):
        Trending("trending", 3.0, popularity)
