"""The vectorised metrics equal their definitions written out one request at a time."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penchant.measure.ranking import Lists, hit_rate, hits, ndcg, recall, reciprocal_rank
from penchant.types import InvalidInput

cases = st.lists(
    st.tuples(
        st.lists(st.integers(0, 20), max_size=12, unique=True),
        st.sets(st.integers(0, 25), min_size=1, max_size=15),
    ),
    min_size=1,
    max_size=8,
)


@given(cases, st.integers(1, 12))
def test_metrics_equal_their_definitions(rows, k):
    wanted = Lists.of(sorted(w) for _, w in rows)
    found = hits(Lists.of(r for r, _ in rows).padded(12), wanted)
    for n, (ranked, want) in enumerate(rows):
        places = [p for p, item in enumerate(ranked[:k], start=1) if item in want]
        best = sum(1 / math.log2(p + 1) for p in range(1, min(k, len(want)) + 1))
        got = sum(1 / math.log2(p + 1) for p in places)
        assert ndcg(found, wanted.lengths, k)[n] == pytest.approx(got / best)
        assert recall(found, wanted.lengths, k)[n] == pytest.approx(len(places) / len(want))
        assert hit_rate(found, k)[n] == bool(places)
        assert reciprocal_rank(found, k)[n] == pytest.approx(1 / places[0] if places else 0)


def test_a_perfect_list_scores_one_and_an_empty_one_nothing():
    wanted = Lists.of([[4, 2, 9], [1]])
    found = hits(np.array([[9, 4, 2], [-1, -1, -1]]), wanted)
    assert ndcg(found, wanted.lengths, 10).tolist() == [pytest.approx(1.0), 0.0]
    assert hit_rate(found, 10).tolist() == [1.0, 0.0]


def test_an_item_named_twice_counts_once():
    wanted = Lists.of([[3, 5]])
    assert hits(np.array([[3, 3, 5]]), wanted).tolist() == [[True, False, True]]


def test_lists_keep_take_and_pad():
    rows = Lists.of([[1, 2, 3], [], [4]])
    assert rows.kept(rows.values != 2).lengths.tolist() == [2, 0, 1]
    assert rows.take(np.array([2, 0])).values.tolist() == [4, 1, 2, 3]
    assert rows.padded(2).tolist() == [[1, 2], [-1, -1], [4, -1]]
    assert len(Lists.of([])) == 0


def test_rows_and_wants_must_match():
    with pytest.raises(InvalidInput, match="one ranked row for each of 1"):
        hits(np.zeros((2, 3), dtype=int), Lists.of([[1]]))


def test_a_request_that_wants_nothing_has_no_score():
    wanted = Lists.of([[1], []])
    found = hits(np.array([[1], [2]]), wanted)
    with pytest.raises(InvalidInput, match="wants nothing"):
        ndcg(found, wanted.lengths)
