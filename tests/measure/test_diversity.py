"""Coverage, tail, Gini, novelty and intra-list diversity on answers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from penchant.measure.diversity import (
    coverage,
    exposure,
    gini,
    intra_list,
    novelty,
    popularity_class,
    tail_share,
)

RANKED = np.array([[0, 1, 2], [0, 3, -1], [-1, -1, -1]])


def test_exposure_and_coverage_count_what_is_shown():
    assert exposure(RANKED, 6).tolist() == [2, 1, 1, 1, 0, 0]
    assert coverage(RANKED, 6) == pytest.approx(4 / 6)
    assert coverage(RANKED, 0) == 0.0


def test_popularity_classes_by_the_count_that_closes_the_head():
    counts = np.array([9, 5, 5, 5, 4, 3, 2, 1, 1, 1, 0])
    assert popularity_class(counts).tolist() == [2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 0]
    assert popularity_class(np.zeros(3, dtype=int)).tolist() == [0, 0, 0]


def test_tail_share_of_each_list():
    shares = tail_share(RANKED, np.array([9, 5, 1, 0, 1, 1]))
    assert shares[:2].tolist() == [pytest.approx(2 / 3), 0.5]
    assert np.isnan(shares[2])


def test_gini_is_zero_when_even_and_near_one_when_one_item_takes_all():
    assert gini(np.array([[0, 1], [2, 3]]), 4) == 0.0
    assert gini(np.zeros((50, 1), dtype=int), 100) == pytest.approx(0.99)
    assert gini(np.full((2, 2), -1), 4) == 0.0


@given(hnp.arrays(np.int64, (5, 4), elements=st.integers(0, 7)))
def test_gini_equals_the_mean_absolute_difference(ranked):
    shown = exposure(ranked, 8).astype(float)
    slow = np.abs(shown[:, None] - shown).mean() / (2 * shown.mean())
    assert gini(ranked, 8) == pytest.approx(slow)


def test_novelty_is_surprise_in_bits():
    # Counts 2, 0, 0 with one more each: shares 3/5, 1/5, 1/5.
    bits = novelty(np.array([[0, -1], [1, 2]]), np.array([2, 0, 0]))
    assert bits.tolist() == [pytest.approx(-np.log2(0.6)), pytest.approx(-np.log2(0.2))]


def test_intra_list_diversity_by_hand():
    vectors = np.array([[1, 0], [2, 0], [0, 3], [-1, 0], [0, 0], [np.nan, 1]])
    ranked = np.array([[0, 1, -1], [0, 2, -1], [0, 3, -1], [0, 1, 2], [0, 4, 5], [-1, -1, -1]])
    out = intra_list(ranked, vectors)
    assert out[:4].tolist() == pytest.approx([0.0, 1.0, 2.0, 2 / 3], abs=1e-6)
    assert np.isnan(out[4:]).all()


def test_intra_list_diversity_does_not_depend_on_the_block():
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(30, 5))
    ranked = rng.integers(0, 30, (1500, 4))
    whole = intra_list(ranked, vectors)
    assert np.allclose(whole[1200:1300], intra_list(ranked[1200:1300], vectors))
