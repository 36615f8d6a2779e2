"""The split is by time alone, ties fall on one side, and a repeated item is no second target."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penchant.measure.split import cut_time, first_events, global_time, leave_one_out
from penchant.types import InvalidInput

logs = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 6), st.integers(0, 9)), min_size=1, max_size=60
).map(lambda rows: tuple(np.array(column) for column in zip(*rows, strict=True)))


def test_first_events_keep_the_earliest_of_a_pair_and_the_order_of_ties():
    users = [0, 0, 1, 0, 1]
    items = [5, 3, 5, 5, 5]
    times = [9.0, 2.0, 2.0, 1.0, 2.0]
    assert first_events(users, items, times).tolist() == [3, 1, 2]


def test_cut_time_is_the_event_nearest_to_the_quantile():
    assert cut_time(np.arange(11.0)) == 9.0
    assert cut_time([5.0]) == 5.0
    assert cut_time([3.0, 1.0, 2.0, 0.0], 0.5) == 2.0


@given(logs)
def test_global_time_is_a_partition_with_the_past_on_one_side(log):
    users, items, times = log
    split = global_time(users, items, times, 0.7)
    both = np.concatenate([split.train, split.test])
    assert sorted(both) == sorted(first_events(users, items, times))
    assert (times[split.train] < split.cut).all()
    assert (times[split.test] >= split.cut).all()
    assert (np.diff(times[both]) >= 0).all()
    assert split.asked.all()


@given(logs)
def test_last_targets_are_each_users_last_moment(log):
    users, items, times = log
    split = global_time(users, items, times, 0.3, targets="last")
    for user in np.unique(users[split.test]):
        mine = split.test[users[split.test] == user]
        asked = split.asked[users[split.test] == user]
        assert (asked == (times[mine] == times[mine].max())).all()


@given(logs)
def test_leave_one_out_holds_one_event_of_every_user_with_two(log):
    users, items, times = log
    split = leave_one_out(users, items, times)
    assert split.cut is None
    assert len(set(users[split.test])) == len(split.test)
    for user in np.unique(users):
        pairs = len(set(items[users == user]))
        assert (users[split.test] == user).sum() == (pairs > 1)
        assert (users[split.train] == user).sum() == max(1, pairs - 1)
        if pairs > 1:
            held = times[split.test[users[split.test] == user]][0]
            assert held >= times[split.train[users[split.train] == user]].max()


@pytest.mark.parametrize(
    ("users", "items", "times", "said"),
    [
        ([0], [0, 1], [1.0], "one column each"),
        ([0], [-1], [1.0], "without an item"),
        ([0], [0], [float("nan")], "finite time"),
        ([], [], [], "at least one event"),
    ],
)
def test_bad_columns_are_named(users, items, times, said):
    with pytest.raises(InvalidInput, match=said):
        global_time(users, items, times)


def test_a_quantile_outside_its_range_is_refused():
    with pytest.raises(InvalidInput, match="between 0 and 1"):
        cut_time([1.0, 2.0], 1.0)


def test_leave_one_out_of_nothing_is_refused():
    with pytest.raises(InvalidInput, match="needs events"):
        leave_one_out([], [], [])
