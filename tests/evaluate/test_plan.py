"""A plan numbers a log, and says for each request who asks, what is wanted, and what was known."""

from __future__ import annotations

import polars as pl
import pytest

from penchant.evaluate.plan import plan
from penchant.types import InvalidInput


def log(*rows):
    return pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row")


ROWS = log(
    ("a", "x", 0), ("b", "x", 10), ("a", "y", 20), ("b", "z", 30), ("a", "x", 35),
    ("a", "z", 40), ("a", "w", 40), ("c", "x", 50), ("a", "v", 2000),
)  # fmt: skip


def test_a_plan_of_the_next_arm():
    made = plan(ROWS, ["never", "x"], quantile=0.6)
    assert made.items[:2] == ("never", "x")
    assert made.split.cut == 40
    assert made.train.rows() == [
        ("a", "x", 0.0), ("b", "x", 10.0), ("a", "y", 20.0), ("b", "z", 30.0)
    ]  # fmt: skip
    asked = [
        (made.users[u], t, {made.items[i] for i in made.wanted[n]})
        for n, (u, t) in enumerate(zip(made.askers, made.times, strict=True))
    ]
    assert asked == [("a", 40, {"z", "w"}), ("c", 50, {"x"}), ("a", 2000, {"v"})]
    assert made.history.tolist() == [2, 0, 4]
    # a had two events within the half hour before; the last request opens a session of its own.
    assert made.places.tolist() == [3, 1, 1]
    assert made.counts.tolist() == [0, 2, 1, 1, 0, 0]


def test_the_cart_arm_knows_the_earlier_items_of_the_basket():
    made = plan(ROWS, quantile=0.6, arm="cart")
    assert made.history.tolist() == [3]
    assert made.places.tolist() == [4]
    assert made.wanted.lengths.tolist() == [1]


def test_last_asks_once_for_each_user():
    made = plan(ROWS, quantile=0.6, protocol="last")
    assert [(made.users[u], t) for u, t in zip(made.askers, made.times, strict=True)] == [
        ("c", 50),
        ("a", 2000),
    ]
    assert made.history.tolist() == [0, 4]


def test_leave_one_out_trains_on_all_but_each_users_last():
    made = plan(ROWS, protocol="leave-one-out")
    assert made.train.height == 6
    assert made.split.cut is None
    assert [(made.users[u], made.items[made.wanted[n][0]]) for n, u in enumerate(made.askers)] == [
        ("b", "z"),
        ("a", "v"),
    ]
    assert made.history.tolist() == [1, 4]


def test_most_draws_requests_by_seed_and_keeps_their_order():
    few = [plan(ROWS, quantile=0.3, most=2, seed=seed).times.tolist() for seed in range(8)]
    assert all(times == sorted(times) and len(times) == 2 for times in few)
    assert len(set(map(tuple, few))) > 1


@pytest.mark.parametrize(
    ("events", "options", "said"),
    [
        (ROWS, {"protocol": "random"}, "protocol is one of global-time, last, leave-one-out"),
        (ROWS, {"arm": "all"}, "arm is one of next, cart"),
        (ROWS.head(1), {}, "there are 1"),
        (ROWS.head(0), {}, "there are 0"),
        (log(("a", "x", 5), ("b", "y", 5)), {}, "more than one time"),
    ],
)
def test_what_cannot_be_planned_is_said(events, options, said):
    with pytest.raises(InvalidInput, match=said):
        plan(events, **options)
