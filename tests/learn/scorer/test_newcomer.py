"""Newcomers are answered by the popularity that foretold first wishes best, alone or in a sum."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from learn.scorer.test_choice import draw, noise
from learn.test_view import view
from penchant.learn.scorer import newcomer as newcomers
from penchant.learn.scorer.newcomer import newcomer, popular_with_newcomers
from penchant.learn.view import View

NEW = (np.arange(500) % 3 == 0).astype(float)  # every third request is a newcomer's
SHARE = 0.3


def log(wish: Callable[[int, int], int], days: int = 240, a_day: int = 30) -> View:
    """Return a log in which `a_day` people a day come once, for what `wish(day, number)` says."""
    rng = np.random.default_rng(0)
    n = days * a_day
    day = np.repeat(np.arange(days), a_day)
    made = view([(0, 0, 0, 1.0, 1.0)])
    columns = made.columns
    columns.n = 100
    return View(
        users=rng.permutation(n).astype(np.int32),
        items=np.array([wish(int(d), int(k)) for d, k in zip(day, np.arange(n), strict=True)]),
        times=1e9 + 86_400.0 * day + np.tile(np.arange(a_day) * 60.0, days),
        strengths=np.ones(n, dtype=np.float32),
        shared=np.ones(n, dtype=np.float32),
        n_users=n,
        columns=columns,
    )


def of_the_day(day: int, number: int) -> int:
    """Return an item that everybody wants for one day, or one of many."""
    return day % 50 if number % 3 else 50 + (number * 7) % 50


def of_all_times(day: int, number: int) -> int:
    """Return one of ten that are always wanted, the less the later, with much noise between."""
    rng = np.random.default_rng(number)
    return int(rng.integers(10, 100)) if number % 2 else int(min(rng.geometric(0.25) - 1, 9))


def test_the_life_that_fits_how_fast_wishes_change_is_chosen() -> None:
    assert popular_with_newcomers(log(of_the_day)) == "trending_1d"
    assert popular_with_newcomers(log(of_all_times, a_day=3)) == "trending_30d"


def test_what_is_not_shared_or_not_wanted_is_not_counted() -> None:
    made = log(of_the_day)
    none = made.shared.copy()
    none[:] = 0.0
    assert popular_with_newcomers(View(**{**vars(made), "shared": none})) == ""
    assert popular_with_newcomers(View(**{**vars(made), "strengths": -made.strengths})) == ""


def test_a_person_counts_for_the_first_moment_alone() -> None:
    made = log(of_all_times, a_day=3)
    # Nineteen people, who come again and again: too few newcomers to tell anything from.
    few = View(**{**vars(made), "users": (made.users % 19).astype(np.int32)})
    assert popular_with_newcomers(few) == ""


def test_of_very_many_as_many_as_take_a_second_are_asked_about(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(newcomers, "MOST", 300)
    assert popular_with_newcomers(log(of_the_day)) == "trending_1d"


def test_newcomers_are_answered_by_both_unless_one_alone_is_surely_better() -> None:
    halves = draw(lambda x, rng: x[:, 0] + x[:, 4], history=1.0 - NEW)
    _, late = halves.split(SHARE)
    assert newcomer(halves, None, "trending_7d", SHARE) == ("trending_7d", True)
    said = late.features[:, 0].copy()
    assert newcomer(halves, said, "trending_7d", SHARE) == ("trending_7d", False)

    # Popularity that is always right, and a ranker that is as wrong as can be.
    knowing = draw(lambda x, rng: x[:, 4], history=1.0 - NEW)
    _, late = knowing.split(SHARE)
    wrong = -1e3 * late.wanted.astype(np.float32)
    assert newcomer(knowing, wrong, "trending_7d", SHARE) == ("trending_7d", True)


def test_the_ranker_alone_answers_newcomers_where_popularity_spoils_it() -> None:
    rows = draw(lambda x, rng: -x[:, 4] - x[:, 5] + noise(x, rng, 0.01), history=1.0 - NEW)
    _, late = rows.split(SHARE)
    said = late.wanted + 0.01 * late.features[:, 0]
    assert newcomer(rows, said, "trending_7d", SHARE) == ("", True)


def test_where_nobody_knows_a_month_of_popularity_answers() -> None:
    rows = draw(lambda x, rng: x[:, 0], requests=60)
    assert newcomer(rows, None, "", SHARE) == ("trending_30d", True)
