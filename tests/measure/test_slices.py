"""Slices cut requests by user, by item and by place in the session."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from penchant.measure.ranking import Lists
from penchant.measure.slices import by_item, by_place, by_user, session_places


def test_users_are_known_by_their_history():
    masks = by_user(np.array([0, 3, 1]))
    assert masks["new user"].tolist() == [True, False, False]
    assert masks["known user"].tolist() == [False, True, True]


def test_items_are_sliced_with_the_other_wants_left_out():
    counts = np.array([9, 1, 1, 1, 1, 0])
    wanted = Lists.of([[0, 1], [5], [0], [2, 5]])
    out = by_item(wanted, counts)
    rows, wants = out["cold item"]
    assert rows.tolist() == [1, 3]
    assert wants.values.tolist() == [5, 5]
    rows, wants = out["tail item"]
    assert rows.tolist() == [0, 3]
    assert wants.values.tolist() == [1, 2]
    assert out["head item"][0].tolist() == [0, 2]


def test_places_in_a_session():
    users = np.array([0, 0, 0, 0, 1, 0])
    times = np.array([0.0, 0.0, 60.0, 1860.0, 61.0, 9999.0])
    # Two at once share place 1; a gap of exactly half an hour still belongs; a longer one does not.
    assert session_places(users, times).tolist() == [1, 1, 3, 4, 1, 1]


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 40)), max_size=30).map(
        lambda rows: sorted(rows, key=lambda row: row[1])
    )
)
def test_places_equal_a_walk_along_the_log(rows):
    users = np.array([u for u, _ in rows], dtype=np.int64)
    times = np.array([t for _, t in rows], dtype=np.float64)
    slow = []
    for user, time in rows:
        mine = [t for u, t in rows if u == user and t < time]
        place, edge = 1, time
        for t in sorted(mine, reverse=True):
            if edge - t > 5:
                break
            place, edge = place + 1, t
        slow.append(place)
    assert session_places(users, times, gap=5).tolist() == slow


def test_place_slices_cover_every_request_once():
    places = np.array([1, 2, 3, 5, 6, 40])
    assert np.sum(list(by_place(places).values()), axis=0).tolist() == [1] * 6
