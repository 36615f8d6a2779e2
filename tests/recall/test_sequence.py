"""Gaps in time become buckets: none, then logarithmic."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from penchant.recall.sequence import GAP_BUCKETS, gap_buckets

DAY = 86_400.0


def test_no_gap_is_a_bucket_of_its_own() -> None:
    assert gap_buckets(np.array([0.0, -5.0, 0.5, 1.0])).tolist() == [0, 0, 1, 1]


def test_a_minute_an_hour_a_day_and_a_year_are_told_apart() -> None:
    gaps = np.array([1.0, 60.0, 3600.0, DAY, 7 * DAY, 30 * DAY, 365 * DAY])
    buckets = gap_buckets(gaps)
    assert buckets.dtype == np.int64
    assert len(set(buckets.tolist())) == len(gaps)
    assert gap_buckets(np.array([730 * DAY, 1e12])).tolist() == [15, 15]


@given(st.lists(st.floats(-1e12, 1e12), min_size=1, max_size=20))
def test_longer_gaps_have_no_lower_bucket(gaps: list[float]) -> None:
    buckets = gap_buckets(np.sort(np.array(gaps)))
    assert (np.diff(buckets) >= 0).all()
    assert buckets.min() >= 0
    assert buckets.max() < GAP_BUCKETS


def test_buckets_are_steps_of_a_logarithm() -> None:
    """Trained networks know them as floor(log2(seconds) / 1.8) + 1."""
    gaps = np.concatenate((np.arange(1, 10**6), np.exp2(np.linspace(0, 30, 10_000))))
    plainly = np.clip(np.floor(np.log2(gaps) / 1.8) + 1, 1, GAP_BUCKETS - 1)
    np.testing.assert_array_equal(gap_buckets(gaps), plainly)
