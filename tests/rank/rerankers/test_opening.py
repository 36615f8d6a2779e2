"""An opening: the last place of a slate for a new item that is near, and for nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from numbered import NOW, query, state
from penchant.rank.rerankers.opening import ENOUGH, NEW, REACH, SMALLEST, Opening
from penchant.recall.popularity import DAY, Popularity
from penchant.types import Candidates

N, K = 100, 10
LIMIT = int(REACH * N)  # the first place that is too far
NEWCOMER = 17
LONG_AGO = NOW - 200 * DAY


def opening(wanted: dict[int, list[float]]) -> Opening:
    """Items as old as the hills, wanted often, but for those of `wanted`: days before now."""
    old = np.setdiff1d(np.arange(N, dtype=np.int32), np.array(list(wanted), dtype=np.int32))
    items = [np.repeat(old, 20)]
    times = [np.tile(np.linspace(LONG_AGO, NOW - 60.0, 20), len(old))]
    for item, days in wanted.items():
        items.append(np.full(len(days), item, dtype=np.int32))
        times.append(NOW - DAY * np.array(days))
    return Opening(Popularity(np.concatenate(items), np.concatenate(times)))


def begun(item: int = NEWCOMER, times: int = ENOUGH) -> Opening:
    return opening({item: [2.0] * times})


def ranked(n: int = N) -> Candidates:
    return Candidates(
        items=np.arange(n, dtype=np.int32),
        scores=-np.arange(n, dtype=np.float32),
        features=np.arange(n, dtype=np.float32)[:, None],
        names=("one",),
        origin=np.arange(n, dtype=np.uint32),
        sources=("one",),
    )


def asked(stage: Opening, **rest: object) -> list[int]:
    question = query(**{"n_items": N, "k": K, **rest})
    person = state(np.array([0], dtype=np.int32))
    return stage(question, person, ranked()).items.tolist()


def raised(item: int, k: int = K) -> list[int]:
    """Every item in its place, but for the one that went to place k."""
    others = [i for i in range(N) if i != item]
    return [*others[: k - 1], item, *others[k - 1 :]]


def test_a_new_item_that_is_near_takes_the_last_place() -> None:
    assert asked(begun()) == raised(NEWCOMER)
    assert asked(begun(times=500)) == raised(NEWCOMER)


def test_what_is_known_of_it_goes_with_it() -> None:
    person = state(np.array([0], dtype=np.int32))
    moved = begun()(query(n_items=N, k=K), person, ranked())
    for column in (-moved.scores, moved.features[:, 0], moved.origin):
        np.testing.assert_array_equal(column, moved.items)


@pytest.mark.parametrize("shown", [0, 3, K - 1])
def test_no_second_one_is_shown(shown: int) -> None:
    assert asked(opening({shown: [1.0] * 9, NEWCOMER: [2.0] * 5})) == list(range(N))
    # One that is new, and wanted once only, is one all the same.
    assert asked(opening({shown: [1.0], NEWCOMER: [2.0] * 5})) == list(range(N))


def test_who_asks_for_something_is_not_shown_something_else() -> None:
    assert asked(begun(), text="a western") == list(range(N))


def test_one_that_is_far_stays_there() -> None:
    assert asked(begun(LIMIT - 1)) == raised(LIMIT - 1)
    for far in (LIMIT, N - 1):
        assert asked(begun(far)) == list(range(N))


def test_what_few_wanted_for_long_is_not_new() -> None:
    days = NEW / DAY
    assert asked(opening({NEWCOMER: [days - 0.01, 2.0, 1.0]})) == raised(NEWCOMER)
    assert asked(opening({NEWCOMER: [days + 0.01, 2.0, 1.0]})) == list(range(N))


def test_what_one_or_two_wanted_may_be_chance() -> None:
    for times in range(ENOUGH):
        assert asked(begun(times=times)) == list(range(N))
    first = NEW / DAY - 0.01
    assert asked(opening({NEWCOMER: [first] * ENOUGH})) == raised(NEWCOMER)


def test_of_several_the_one_most_wanted_of_late_is_taken_and_of_equals_the_nearest() -> None:
    more, less = [1.0] * 5, [1.0] * 4
    assert asked(opening({20: less, 30: more})) == raised(30)
    assert asked(opening({20: more, 30: less})) == raised(20)
    assert asked(opening({20: more, 30: more})) == raised(20)
    assert asked(opening({20: [13.0] * 6, 30: more})) == raised(30)  # that was another week
    assert asked(opening({20: less, LIMIT: more})) == raised(20)  # nobody there to lose to


def test_where_everything_is_new_nothing_is_moved() -> None:
    assert asked(opening({item: [1.0] * (3 + item) for item in range(N)})) == list(range(N))


def test_a_moment_that_has_passed_knows_nothing_of_later_wants() -> None:
    stage = opening({NEWCOMER: [1.0] * 9})
    assert asked(stage, now=NOW - 2 * DAY) == list(range(N))
    assert asked(stage, now=NOW + 12 * DAY) == raised(NEWCOMER)
    assert asked(stage, now=NOW + 14 * DAY) == list(range(N))


def test_a_short_slate_a_list_and_a_newcomer_are_left_alone() -> None:
    stage = begun()
    assert asked(stage, k=SMALLEST - 1) == list(range(N))
    assert asked(stage, k=SMALLEST) == raised(NEWCOMER, SMALLEST)
    assert asked(stage, only=np.arange(N, dtype=np.int32)) == list(range(N))
    nobody = state([])
    assert stage(query(n_items=N, k=K), nobody, ranked()).items.tolist() == list(range(N))
    person = state(np.array([0], dtype=np.int32))
    few = ranked(K)
    assert stage(query(n_items=N, k=K), person, few).items.tolist() == list(range(K))
