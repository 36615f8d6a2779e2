"""What a training sees: first wishes, strict pasts, and cuts between moments."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from numbered import DAY, NOW, empty
from penchant.learn.view import View

EVENTS = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.integers(0, 4),
        st.integers(0, 8),
        st.sampled_from([-1.0, 0.5, 1.0]),
        st.sampled_from([0.0, 1.0]),
    ),
    max_size=40,
)


def view(events: list[tuple[int, int, int, float, float]]) -> View:
    """Return the view of (user, item, day, strength, shared), put into the order of time."""
    events = sorted(events, key=lambda event: event[2])
    return View(
        users=np.array([e[0] for e in events], dtype=np.int32),
        items=np.array([e[1] for e in events], dtype=np.int32),
        times=NOW + DAY * np.array([e[2] for e in events], dtype=np.float64),
        strengths=np.array([e[3] for e in events], dtype=np.float32),
        shared=np.array([e[4] for e in events], dtype=np.float32),
        n_users=4,
        columns=empty(5),
    )


def rows(v: View) -> list[tuple[int, int, int]]:
    days = ((v.times - NOW) / DAY).astype(int)
    return list(zip(v.users.tolist(), v.items.tolist(), days.tolist(), strict=True))


@settings(max_examples=200, deadline=None)
@given(EVENTS)
def test_wanted_is_the_first_wish_of_each_person_and_item(events) -> None:
    found = view(events).wanted()
    first: dict[tuple[int, int], int] = {}
    for user, item, day, strength, shared in sorted(events, key=lambda event: event[2]):
        if strength > 0 and shared > 0:
            first.setdefault((user, item), day)
    assert sorted(rows(found)) == sorted((u, i, day) for (u, i), day in first.items())
    assert (np.diff(found.times) >= 0).all()


@settings(max_examples=100, deadline=None)
@given(EVENTS, st.integers(-1, 9))
def test_before_is_strictly_before(events, day) -> None:
    whole, moment = view(events), NOW + DAY * day
    past = whole.before(moment)
    assert (past.times < moment).all()
    assert len(past) == sum(event[2] < day for event in events)
    for name in ("users", "items", "times", "strengths", "shared"):
        np.testing.assert_array_equal(
            getattr(past, name), getattr(whole, name)[whole.times < moment]
        )


@settings(max_examples=100, deadline=None)
@given(EVENTS)
def test_by_user_is_each_persons_run_in_the_order_of_time(events) -> None:
    ordered, starts = view(events).by_user()
    assert sorted(rows(ordered)) == sorted(rows(view(events)))
    assert starts[-1] == len(ordered)
    users = []
    for a, e in pairwise(starts):
        assert len(set(ordered.users[a:e])) == 1
        assert (np.diff(ordered.times[a:e]) >= 0).all()
        users.append(int(ordered.users[a]))
    assert len(set(users)) == len(users)


@settings(max_examples=100, deadline=None)
@given(EVENTS, st.floats(0.01, 0.99))
def test_the_newest_share_begins_between_two_moments(events, share) -> None:
    whole = view(events)
    begin = whole.newest(share)
    moments = sorted({event[2] for event in events})
    if len(moments) < 2:
        return
    assert (whole.times < begin).any()
    got = float((whole.times >= begin).mean())
    every = [float((whole.times >= NOW + DAY * day).mean()) for day in moments[1:]]
    assert abs(got - share) == pytest.approx(min(abs(one - share) for one in every))


def test_the_newest_share_of_hardly_anything() -> None:
    assert view([]).newest(0.1) == 0.0
    assert view([(0, 0, 3, 1.0, 1.0), (1, 0, 3, 1.0, 1.0)]).newest(0.1) == NOW + 3 * DAY
    assert view([(0, 0, 3, 1.0, 1.0), (1, 0, 4, 1.0, 1.0)]).newest(0.01) == NOW + 4 * DAY


def test_a_view_of_nothing() -> None:
    none = view([])
    assert len(none) == len(none.wanted()) == 0
    ordered, starts = none.by_user()
    assert len(ordered) == 0
    assert starts.tolist() == [0]
    assert none.n_items == 5
