"""The interest is a fold, and what was liked is read as the docstrings promise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from numbered import DAY, NOW, names, state
from penchant.interests.state import Liked, fold, interest

EVENTS = st.lists(
    st.tuples(
        st.integers(0, 5),
        st.floats(0, 40 * DAY),
        st.sampled_from([-1.0, -0.3, 0.0, 0.5, 1.0, 2.0]),
    ),
    max_size=30,
)


@settings(max_examples=200, deadline=None)
@given(EVENTS, st.floats(0, 20 * DAY), st.sampled_from([DAY / 24, DAY, 7 * DAY, 365 * DAY]))
def test_folding_event_by_event_is_the_product_written_at_once(events, silence, half_life) -> None:
    rows = np.random.default_rng(0).normal(size=(6, 8)).astype(np.float32)
    events = sorted(events, key=lambda event: event[1])
    now = NOW + (events[-1][1] if events else 0.0) + silence
    h, before = np.zeros(8, dtype=np.float32), NOW
    for item, after, strength in events:
        h = fold(h, NOW + after - before, strength, rows[item], half_life)
        before = NOW + after
    h = fold(h, now - before, 0.0, rows[0], half_life)
    at_once = interest(
        np.array([item for item, *_ in events], dtype=np.int32),
        np.array([NOW + after for _, after, _ in events]),
        np.array([strength for *_, strength in events], dtype=np.float32),
        now,
        rows[[item for item, *_ in events]].reshape(-1, 8),
        half_life,
    )
    np.testing.assert_allclose(at_once, h, rtol=1e-3, atol=1e-4)


def test_an_interest_halves_in_its_half_life() -> None:
    row = np.ones((1, 3), dtype=np.float32)
    one, item = np.ones(1, dtype=np.float32), np.zeros(1, dtype=np.int32)
    for half_lives in (0, 1, 2):
        h = interest(item, np.array([NOW]), one, NOW + half_lives * 7 * DAY, row)
        np.testing.assert_allclose(h, 0.5**half_lives * row[0], rtol=1e-6)


def test_items_without_a_vector_add_nothing() -> None:
    rows = np.array([[1.0, 2.0], [np.nan, np.nan]], dtype=np.float32)
    ones, items = np.ones(2, dtype=np.float32), np.arange(2, dtype=np.int32)
    h = interest(items, np.array([NOW, NOW]), ones, NOW, rows)
    np.testing.assert_allclose(h, [1.0, 2.0])
    none = interest(items[:0], np.zeros(0), ones[:0], NOW, rows[:0])
    np.testing.assert_array_equal(none, [0.0, 0.0])


def test_moments_count_back_from_the_newest() -> None:
    liked = state(["w1", "s1", "w2", "w3"], times=[1.0, 2.0, 2.0, 9.0]).liked
    assert names(liked.items) == ["w1", "s1", "w2", "w3"]
    assert liked.moments.tolist() == [2, 1, 1, 0]
    assert not liked.same_moment


def test_the_same_moment_is_now() -> None:
    assert state(["w1", "w2"], times=[NOW - 1, NOW]).liked.same_moment
    assert not state(["w1", "w2"], times=[NOW - 1, NOW - 0.001]).liked.same_moment
    # Rejecting something now is not filling a basket.
    assert not state(["w1", "w2"], times=[NOW - 1, NOW], strengths=[1, -1]).liked.same_moment


def test_an_item_had_twice_stands_where_it_was_had_last() -> None:
    liked = state(
        ["w1", "s1", "w1", "s2", "s1"], times=[1.0, 2.0, 3.0, 3.0, 5.0], strengths=[1, 2, 3, 4, 5]
    ).liked
    assert names(liked.items) == ["w1", "s2", "s1"]
    assert liked.times.tolist() == [3.0, 3.0, 5.0]
    assert liked.strengths.tolist() == [3.0, 4.0, 5.0]
    assert liked.moments.tolist() == [1, 1, 0]


def test_what_was_rejected_or_only_shown_is_not_liked() -> None:
    read = state(["w1", "w2", "w3"], strengths=[-1.0, 0.0, 0.2])
    assert names(read.liked.items) == ["w3"]
    assert read.liked.moments.tolist() == [0]
    assert len(read.items) == 3


def test_nothing_is_liked_by_somebody_new() -> None:
    liked = state([]).liked
    assert len(liked) == 0
    assert liked.moments.dtype == np.int32
    assert liked.same_moment is False


def test_a_later_rejection_does_not_take_back_the_wish() -> None:
    """What is wanted now is not decided here: both facts stay in the state."""
    read = state(["w1", "w1"], strengths=[1.0, -1.0])
    assert names(read.liked.items) == ["w1"]
    assert read.strengths.tolist() == [1.0, -1.0]


@settings(max_examples=200, deadline=None)
@given(EVENTS)
def test_liked_is_what_a_plain_loop_finds(events) -> None:
    events = sorted(events, key=lambda event: event[1])
    read = state(
        np.array([item for item, *_ in events], dtype=np.int32),
        NOW + 41 * DAY,
        times=[NOW + after for _, after, _ in events],
        strengths=[strength for *_, strength in events],
    )
    last: dict[int, tuple[float, float]] = {}
    for item, after, strength in events:
        if strength > 0:
            last.pop(item, None)
            last[item] = (NOW + after, strength)
    moments = sorted({time for time, _ in last.values()}, reverse=True)
    liked = read.liked
    assert liked.items.tolist() == list(last)
    assert liked.times.tolist() == [time for time, _ in last.values()]
    assert liked.strengths.tolist() == pytest.approx([much for _, much in last.values()])
    assert liked.moments.tolist() == [moments.index(time) for time, _ in last.values()]
    assert isinstance(liked, Liked)
