"""Scores: the best of what is allowed, found the same way dense and sparse."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penchant.recall.source import Scores

VALUES = st.lists(
    st.one_of(st.floats(-5, 5, width=32), st.just(float("nan")), st.just(float("-inf"))),
    max_size=20,
)


@settings(max_examples=200, deadline=None)
@given(VALUES, st.integers(0, 25), st.integers(0, 2**20 - 1), st.booleans(), st.integers(0, 9))
def test_the_best_are_what_sorting_finds(values, k, bits, sparse, seed) -> None:
    n = len(values)
    mask = np.array([bits >> i & 1 for i in range(n)], dtype=np.bool_)
    given_values = np.array(values, dtype=np.float32)
    scores = Scores(given_values)
    if sparse:
        order = np.random.default_rng(seed).permutation(n).astype(np.int32)
        scores = Scores(given_values[order], order)
    best = scores.top(k, mask)
    want = sorted((v for v, ok in zip(given_values, mask, strict=True) if ok and np.isfinite(v)))
    assert given_values[best].tolist() == want[::-1][:k]
    assert mask[best].all()
    assert len(set(best.tolist())) == len(best)


@pytest.mark.parametrize("kind", ["plain", "ties", "gaps", "blocks", "endless", "alike"])
@pytest.mark.parametrize("share", [1.0, 0.98, 0.5, 0.01, 0.0])
def test_the_best_of_many_are_those_of_a_full_sort(kind: str, share: float) -> None:
    """However few may be shown, and wherever there are no opinions."""
    rng = np.random.default_rng(3)
    for n in (500, 5_003, 20_000):
        values = rng.normal(size=n).astype(np.float32)
        if kind == "ties":
            values = np.round(values, 1)
        elif kind == "gaps":
            values[rng.random(n) < 0.7] = np.nan
        elif kind == "blocks":
            values[n // 3 :] = np.nan
        elif kind == "endless":
            values[:9], values[9:99] = np.inf, -np.inf
        elif kind == "alike":
            values[:] = 1.0
        allowed = rng.random(n) < share
        if share == 0.98:  # the very best are what somebody had already
            allowed = np.ones(n, dtype=np.bool_)
            allowed[np.argsort(-values)[: n // 50]] = False
        for k in (0, 1, 10, 80):
            best = Scores(values).top(k, allowed)
            places = np.flatnonzero(allowed & np.isfinite(values))
            want = places[np.argsort(-values[places], kind="stable")[:k]]
            # Of equal ones any may come first where many tie for the last place.
            assert values[best].tolist() == values[want].tolist()
            if kind == "plain":
                assert best.tolist() == want.tolist()
            assert allowed[best].all()
            assert len(set(best.tolist())) == len(best)


def test_a_mask_shorter_or_longer_than_the_scores() -> None:
    dense = Scores(np.array([1.0, 3.0, 2.0], dtype=np.float32))
    assert dense.top(5, np.array([True])).tolist() == [0]
    assert dense.top(5, np.ones(9, dtype=np.bool_)).tolist() == [1, 2, 0]


def test_items_without_an_opinion_are_nan() -> None:
    wanted = np.array([4, 1, 9], dtype=np.int32)
    dense = Scores(np.array([1.0, 3.0], dtype=np.float32))
    np.testing.assert_array_equal(dense.at(wanted), [np.nan, 3.0, np.nan])
    sparse = Scores(np.array([7.0, 5.0], dtype=np.float32), np.array([9, 4], dtype=np.int32))
    np.testing.assert_array_equal(sparse.at(wanted), [5.0, np.nan, 7.0])
    none = Scores(np.zeros(0, dtype=np.float32), np.zeros(0, dtype=np.int32))
    assert np.isnan(none.at(wanted)).all()
    assert not len(none.top(3, np.ones(2, dtype=np.bool_)))
