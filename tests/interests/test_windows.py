"""Where interest points in three windows: direction, how sure, and how far it turned."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from numbered import DAY, NOW, state
from penchant.interests.windows import DOUBT, begun, held, windows

EAST, NORTH = [1.0, 0.0], [0.0, 1.0]


def pointed(moments: list[float], rows: list[list[float]], strengths: list[float] | None = None):
    items = ["w1", "w2", "w3", "w4", "w5", "w6"][: len(moments)]
    return windows(
        state(items, times=moments, strengths=strengths), np.array(rows, dtype=np.float32)
    )


def test_each_window_holds_what_lies_in_it() -> None:
    times = np.array([NOW - 30 * DAY, NOW - 3 * DAY, NOW - 1200, NOW - 60])
    assert held(times, NOW).tolist() == [[0, 0, 1, 1], [0, 1, 1, 1], [1, 1, 1, 1]]
    # A day ago the last session was another one.
    assert held(times, NOW - DAY).tolist() == [[0, 1, 0, 0], [0, 1, 0, 0], [1, 1, 0, 0]]


def test_a_session_begins_after_half_an_hour_of_silence() -> None:
    assert begun(np.array([0.0, 1000.0, 3000.0, 4000.0])) == 3000.0
    assert begun(np.array([5.0])) == 5.0


def test_directions_and_how_sure_they_are() -> None:
    found = pointed([NOW - 30 * DAY, NOW - 60, NOW - 30], [NORTH, EAST, EAST])
    np.testing.assert_allclose(found.directions[0], EAST)
    np.testing.assert_allclose(found.directions[2], np.array([2.0, 1.0]) / np.sqrt(5), rtol=1e-6)
    assert found.sure[0] == pytest.approx(2 / (2 + DOUBT))
    # Three wishes that do not agree are no surer than their sum is long.
    assert found.sure[2] == pytest.approx(np.sqrt(5) / (3 + DOUBT))


def test_how_far_it_turned_since_the_day_before() -> None:
    found = pointed([NOW - 3 * DAY, NOW - 60], [NORTH, EAST])
    assert found.turned[0] == pytest.approx(0.0)  # another session altogether
    assert found.turned[2] == pytest.approx(np.sqrt(0.5))
    assert np.isnan(pointed([NOW - 60], [EAST]).turned).all()


def test_nothing_points_nowhere() -> None:
    found = pointed([], np.zeros((0, 2)).tolist() or np.zeros((0, 2)))
    assert not found.directions.any()
    assert not found.sure.any()
    unread = pointed([NOW - 60], [[np.nan, np.nan]])
    assert not unread.sure.any()
    assert np.isnan(unread.turned).all()


@given(st.lists(st.tuples(st.floats(0, 60), st.floats(-2, 2), st.floats(0, 6.2)), max_size=6))
def test_it_is_bounded_whatever_happened(events: list[tuple[float, float, float]]) -> None:
    events.sort(reverse=True)
    rows = [[np.cos(angle), np.sin(angle)] for _, _, angle in events]
    found = pointed(
        [NOW - days * DAY for days, _, _ in events],
        rows if rows else np.zeros((0, 2)),
        [strength for _, strength, _ in events],
    )
    assert ((found.sure >= 0) & (found.sure < 1)).all()
    lengths = np.linalg.norm(found.directions, axis=1)
    assert ((np.abs(lengths - 1) < 1e-4) | (lengths < 1e-4) | (lengths < 1)).all()
    turned = found.turned[np.isfinite(found.turned)]
    assert (np.abs(turned) <= 1 + 1e-5).all()
