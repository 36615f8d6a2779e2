"""Moments are sets in the order of time; a walk records each event once, after asking for it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penchant.measure.moments import ask, moments, steps

logs = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5)), min_size=0, max_size=40).map(
    lambda rows: sorted(rows, key=lambda row: row[1])
)


def made(rows, seed=7):
    users = np.array([u for u, _ in rows], dtype=np.int64)
    times = np.array([t for _, t in rows], dtype=np.float64)
    return users, times, moments(users, times, np.arange(len(rows)), seed)


def test_moments_follow_time_and_then_first_appearance():
    _, _, of = made([(2, 0), (1, 0), (2, 0), (1, 3)])
    assert of.users.tolist() == [2, 1, 1]
    assert of.times.tolist() == [0, 0, 3]
    assert [sorted(of.events[a:b]) for a, b in zip(of.bounds, of.bounds[1:], strict=False)] == [
        [0, 2],
        [1],
        [3],
    ]


@given(logs)
def test_moments_hold_every_event_once(rows):
    users, times, of = made(rows)
    assert sorted(of.events) == list(range(len(rows)))
    for j in range(len(of)):
        inside = of.events[of.bounds[j] : of.bounds[j + 1]]
        assert (users[inside] == of.users[j]).all()
        assert (times[inside] == of.times[j]).all()
    assert len({(u, t) for u, t in rows}) == len(of)


def test_the_seed_decides_the_order_within_a_moment():
    rows = [(0, 0)] * 12
    assert made(rows, 1)[2].events.tolist() == made(rows, 1)[2].events.tolist()
    assert made(rows, 1)[2].events.tolist() != made(rows, 2)[2].events.tolist()


@given(logs, st.sampled_from(["next", "cart"]), st.integers(1, 12))
def test_a_walk_records_everything_and_asks_before_the_targets_are_known(rows, arm, most):
    users, _, of = made(rows)
    requests = ask(of, arm, most)
    possible = len(of) if arm == "next" else len(rows) - len(of)
    assert len(requests) == min(most, possible)
    targets = requests.targets(of, np.arange(len(rows)))
    known: set[int] = set()
    answered = []
    for step in steps(of, requests):
        if step.request >= 0:
            answered.append(step.request)
            assert not known & set(targets[step.request].tolist())
            moment = requests.moments[step.request]
            before = set(of.events[: of.bounds[moment] + requests.steps[step.request]].tolist())
            assert known == before
            assert (users[targets[step.request]] == step.user).all()
        known |= set(step.events.tolist())
    assert answered == list(range(len(requests)))
    assert known == set(range(len(rows)))


def test_the_next_arm_wants_the_whole_basket_and_the_cart_arm_one_item():
    _, _, of = made([(0, 0), (0, 0), (0, 0), (1, 1)])
    assert ask(of, "next").targets(of, np.arange(4)).lengths.tolist() == [3, 1]
    cart = ask(of, "cart")
    assert cart.steps.tolist() == [1, 2]
    assert cart.targets(of, np.arange(4)).values.tolist() == of.events[1:3].tolist()


@pytest.mark.parametrize("arm", ["next", "cart"])
def test_moments_nobody_asks_for_are_recorded_all_the_same(arm):
    _, _, of = made([(0, 0), (0, 0), (0, 1), (0, 1)])
    requests = ask(of, arm, asked=np.array([False, True]))
    assert requests.moments.tolist() == [1]
    assert sum(len(step.events) for step in steps(of, requests)) == 4
