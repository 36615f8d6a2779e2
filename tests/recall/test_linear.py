"""Linear sources: a history weighed by hand, scores that are sums of terms, folded factors."""

from __future__ import annotations

import numpy as np
import pytest

from numbered import DAY, NOW, query, state
from penchant.recall.linear import Factors, ItemWeights, Recency
from penchant.recall.sparse import SparseRows
from penchant.store.vectors import Vectors

RNG = np.random.default_rng(5)
MATRIX = RNG.normal(size=(6, 6)).astype(np.float32)
MATRIX[np.diag_indices(6)] = 0.0
MATRIX[:, 5] = 0.0  # an item that goes with nothing
PERSON = state(
    np.array([0, 2, 3], dtype=np.int32),
    times=[NOW - 4 * DAY, NOW - DAY, NOW - DAY],
    strengths=[1.0, 2.0, 0.5],
)


@pytest.mark.parametrize(
    ("recency", "weights"),
    [
        (Recency(), [1.0, 2.0, 0.5]),
        (Recency(moments_half=1.0), [0.5, 2.0, 0.5]),
        (Recency(moments_half=0.0), [0.0, 2.0, 0.5]),
        (Recency(days_half=1.0), [1 / 16, 1.0, 0.25]),
        (Recency(moments_half=1.0, days_half=2.0), [0.125, 2 * 0.5**0.5, 0.5**1.5]),
        (Recency(moments_half=0.0, floor=0.1), [0.1, 2.2, 0.55]),
    ],
)
def test_a_history_weighs_by_moments_and_days(recency: Recency, weights: list[float]) -> None:
    np.testing.assert_allclose(recency.weights(PERSON.liked, NOW), weights, rtol=1e-6)


def test_the_score_is_the_weighted_sum_of_rows() -> None:
    recency = Recency(moments_half=2.0, days_half=9.0)
    source = ItemWeights("linear", SparseRows.from_dense(MATRIX, 6), recency)
    scores = source.score(query(n_items=8), PERSON)
    assert scores is not None
    want = recency.weights(PERSON.liked, NOW) @ MATRIX[[0, 2, 3]]
    np.testing.assert_allclose(scores.values[:5], want[:5], rtol=1e-5)
    assert np.isnan(scores.values[5:]).all()  # never wanted, and not there at training


def test_what_each_wanted_item_adds_adds_up_to_the_score() -> None:
    for keep in (6, 2):
        recency = Recency(moments_half=2.0, days_half=9.0)
        source = ItemWeights("linear", SparseRows.from_dense(MATRIX, keep), recency)
        scores = source.score(query(n_items=6), PERSON)
        assert scores is not None
        for item in range(6):
            terms = source.contributions(PERSON, item)
            assert terms.shape == (3,)
            assert terms.sum() == pytest.approx(np.nan_to_num(scores.values[item]), abs=1e-5)


def test_a_history_of_unknown_items_has_no_score() -> None:
    source = ItemWeights("linear", SparseRows.from_dense(MATRIX, 6), Recency())
    assert source.score(query(n_items=9), state(np.array([7, 8], dtype=np.int32))) is None
    assert source.score(query(n_items=9), state([])) is None
    assert source.contributions(state(np.array([7], dtype=np.int32)), 0).tolist() == [0.0]


def test_a_person_is_folded_into_factors_by_least_squares() -> None:
    """Hu et al. 2008, equation 4, with confidence 1 + alpha w for what was wanted."""
    factors = RNG.normal(size=(6, 3)).astype(np.float32)
    factors[4] = np.nan
    source = Factors("factors", Vectors(factors), alpha=7.0, regularization=0.3, recency=Recency())
    scores = source.score(query(n_items=7), PERSON)
    assert scores is not None
    confidence, wanted = np.ones(6), np.zeros(6)
    confidence[[0, 2, 3]] += 7.0 * np.array([1.0, 2.0, 0.5])
    wanted[[0, 2, 3]] = 1.0
    y = np.nan_to_num(factors).astype(np.float64)
    person = np.linalg.solve((y.T * confidence) @ y + 0.3 * np.eye(3), y.T @ (confidence * wanted))
    known = [0, 1, 2, 3, 5]
    np.testing.assert_allclose(scores.values[known], (y @ person)[known], rtol=1e-3, atol=1e-5)
    assert np.isnan(scores.values[[4, 6]]).all()


def test_factors_without_a_known_item_have_no_score() -> None:
    factors = np.full((3, 2), np.nan, dtype=np.float32)
    source = Factors("factors", Vectors(factors), alpha=1.0, regularization=0.1, recency=Recency())
    assert source.score(query(n_items=3), state(np.array([0, 2], dtype=np.int32))) is None


@pytest.mark.parametrize("length", [1, 7, 8, 9, 16, 40])
def test_short_and_long_histories_are_folded_alike(length: int) -> None:
    """Around half as many items as factors, where the way to solve changes."""
    rng = np.random.default_rng(length)
    factors = rng.normal(size=(60, 16)).astype(np.float32)
    factors[50] = np.nan
    source = Factors(
        "factors", Vectors(factors), alpha=20.0, regularization=0.05, recency=Recency()
    )
    items = rng.permutation(60)[:length].astype(np.int32)
    strengths = rng.random(length).astype(np.float32) + 0.1
    person = state(items, times=(NOW - np.arange(length, 0, -1)).tolist(), strengths=strengths)
    had = np.isfinite(factors[items, 0])
    known = np.delete(factors, 50, axis=0).astype(np.float64)
    rows, sure = factors[items[had]].astype(np.float64), 20.0 * strengths[had]
    left = known.T @ known + (rows.T * sure) @ rows + 0.05 * np.eye(16)
    want = factors @ np.linalg.solve(left, rows.T @ (1.0 + sure))
    for n in (30, 60, 75):
        values = source.score(query(n_items=n), person).values
        assert values.shape == (n,)
        np.testing.assert_allclose(values[:60], want[:n], rtol=2e-4, atol=1e-5)
        assert np.isnan(values[60:]).all()
