"""Intervals hold the truth about as often as they say, and pairing sees small differences."""

from __future__ import annotations

import numpy as np
import pytest

from penchant.measure.intervals import bootstrap, paired
from penchant.types import InvalidInput


def test_the_interval_covers_the_mean_of_the_world_about_as_often_as_it_says():
    rng = np.random.default_rng(5)
    covered = 0
    for seed in range(200):
        taste = rng.normal(0.3, 0.1, 40)
        users = np.repeat(np.arange(40), 5)
        values = taste[users] + rng.normal(0, 0.05, 200)
        one = bootstrap(values, users, seed=seed)
        covered += one.low <= 0.3 <= one.high
    assert 180 <= covered <= 198


def test_drawing_users_is_wider_than_drawing_requests_when_users_differ():
    rng = np.random.default_rng(0)
    users = np.repeat(np.arange(20), 50)
    values = rng.normal(0, 1, 20)[users]
    by_user = bootstrap(values, users)
    by_request = bootstrap(values, np.arange(1000))
    assert by_user.high - by_user.low > 3 * (by_request.high - by_request.low)
    assert (by_user.n, by_user.users) == (1000, 20)


def test_the_answer_does_not_depend_on_what_users_are_called():
    values = np.arange(6.0)
    assert bootstrap(values, [7, 3, 7, 5, 5, 3]) == bootstrap(values, [0, 9, 0, 2, 2, 9])


def test_nan_requests_are_left_out_and_nothing_gives_nan():
    assert bootstrap([1.0, np.nan], [0, 1]).n == 1
    assert np.isnan(bootstrap([np.nan], [0]).mean)
    assert np.isnan(paired([], [], []).mean)


def test_a_paired_difference_is_certain_where_separate_intervals_overlap():
    rng = np.random.default_rng(2)
    users = np.repeat(np.arange(60), 10)
    easy = rng.uniform(0, 0.5, 60)[users]
    a, b = easy + 0.01 + rng.normal(0, 0.02, 600), easy + rng.normal(0, 0.02, 600)
    assert bootstrap(a, users).low < bootstrap(b, users).high
    difference = paired(a, b, users)
    assert difference.certain
    assert 0.005 < difference.mean < 0.015
    assert difference.wins > 0.99


def test_equal_systems_differ_by_nothing():
    same = paired([0.1, 0.4], [0.1, 0.4], [0, 1])
    assert (same.mean, same.low, same.high, same.wins) == (0, 0, 0, 0.5)
    assert not same.certain


def test_lengths_and_levels_are_checked():
    with pytest.raises(InvalidInput, match="2 values came with 1 users"):
        bootstrap([1, 2], [0])
    with pytest.raises(InvalidInput, match="same requests"):
        paired([1, 2], [1], [0, 0])
    with pytest.raises(InvalidInput, match="level"):
        bootstrap([1.0], [0], level=95)
