"""The first scorer: its terms add up to its score, checked with numbers made by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from numbered import DAY, NOW, query, state
from penchant.rank.scorers.affinity import Affinity, AffinityStage, read_interest
from penchant.store.vectors import Vectors
from penchant.types import Candidates

VECTORS = np.array(
    [[1, 0, 0], [0, 1, 0], [0.6, 0.8, 0], [np.nan, np.nan, np.nan]], dtype=np.float32
)
THETA = np.array([2.0, -1.0, 5.0], dtype=np.float32)
BY_HAND = Affinity(THETA, 0.25, days_half=1.0)
# Item 0 a day before item 1: h = (1/2, 1, 0), scaled to length 1.
PERSON = state(np.array([0, 1], dtype=np.int32), times=[NOW - 9 * DAY, NOW - 8 * DAY])
H = np.array([0.5, 1.0, 0.0]) / np.sqrt(1.25)


def candidates(items: list[int]) -> Candidates:
    n = len(items)
    return Candidates(
        items=np.array(items, dtype=np.int32),
        scores=np.arange(n, dtype=np.float32),
        features=np.ones((n, 1), dtype=np.float32),
        names=("text",),
        origin=np.ones(n, dtype=np.uint32),
        sources=("text",),
    )


def test_the_interest_is_read_at_the_last_event_and_scaled_to_one() -> None:
    np.testing.assert_allclose(BY_HAND.read(PERSON, Vectors(VECTORS)), H, rtol=1e-6)


def test_the_score_is_theta_times_interest_times_item() -> None:
    """s_2 = 0.25 + 2 * h_0 * 0.6 - 1 * h_1 * 0.8"""
    by_hand = 0.25 + 2 * H[0] * 0.6 - H[1] * 0.8
    (score,) = BY_HAND.score(H.astype(np.float32), VECTORS[2:3])
    assert score == pytest.approx(by_hand)
    (terms,) = BY_HAND.terms(H.astype(np.float32), VECTORS[2:3])
    assert terms.tolist() == pytest.approx([2 * H[0] * 0.6, -H[1] * 0.8, 0.0, 0.25])


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 20))
def test_the_terms_add_up_to_the_score(seed: int, d: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    theta, h, rows = (rng.normal(size=s).astype(np.float32) for s in ((d,), (d,), (n, d)))
    model = Affinity(theta, float(rng.normal()), 7.0)
    terms = model.terms(h, rows)
    assert terms.shape == (n, d + 1)
    np.testing.assert_allclose(terms.sum(axis=1), model.score(h, rows), rtol=1e-4, atol=1e-4)


def test_the_stage_appends_it_and_leaves_everything_else() -> None:
    stage = AffinityStage(BY_HAND, Vectors(VECTORS))
    before = candidates([2, 3, 0])
    after = stage(query(n_items=4), PERSON, before)
    assert after.names == ("text", "affinity")
    np.testing.assert_array_equal(after.features[:, 0], before.features[:, 0])
    want = BY_HAND.score(H.astype(np.float32), VECTORS[[2, 3, 0]])
    np.testing.assert_allclose(after.features[:, 1], want, rtol=1e-6)
    assert np.isnan(after.features[1, 1])  # an item without text
    np.testing.assert_array_equal(after.scores, before.scores)


def test_rejections_push_the_interest_away() -> None:
    torn = state(np.array([0, 1], dtype=np.int32), times=[NOW, NOW], strengths=[1, -1])
    h = BY_HAND.read(torn, Vectors(VECTORS))
    np.testing.assert_allclose(h, np.array([1, -1, 0]) / np.sqrt(2), rtol=1e-6)


def test_without_a_history_or_text_there_is_no_interest() -> None:
    rows = Vectors(VECTORS)
    assert read_interest(state([]), rows, 1.0) is None
    assert read_interest(PERSON, Vectors(), 1.0) is None
    assert read_interest(state(np.array([3], dtype=np.int32)), rows, 1.0) is None
    cancelled = state(np.array([0, 0], dtype=np.int32), times=[NOW, NOW], strengths=[1, -1])
    assert read_interest(cancelled, rows, 1.0) is None
    for stage in (AffinityStage(None, rows), AffinityStage(BY_HAND, rows)):
        after = stage(query(n_items=4), state([]), candidates([0, 1]))
        assert np.isnan(after.features[:, 1]).all()
