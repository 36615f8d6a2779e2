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
