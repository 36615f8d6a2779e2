"""An opening: the last place of a slate for a cold item that is near, and for nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from numbered import NOW, query, state
from penchant.rank.opening import FEW, REACH, SMALLEST, Opening
from penchant.recall.popularity import Popularity
from penchant.types import Candidates

N, K = 100, 10
COLD = 17  # wanted once; all others were wanted often


def opening(cold: int = COLD, often: int = int(FEW) + 1, once: int = 1) -> Opening:
    items = np.repeat(np.delete(np.arange(N, dtype=np.int32), cold), often)
    items = np.append(items, np.full(once, cold, dtype=np.int32))
    return Opening(Popularity(items, np.full(len(items), NOW - 60.0)))


def ranked(n: int = N) -> Candidates:
    return Candidates(
        items=np.arange(n, dtype=np.int32),
        scores=-np.arange(n, dtype=np.float32),
        features=np.zeros((n, 1), dtype=np.float32),
        names=("one",),
        origin=np.zeros(n, dtype=np.uint32),
        sources=("one",),
    )


def asked(stage: Opening, **rest: object) -> list[int]:
    question = query(**{"n_items": N, "k": K, **rest})
    person = state(np.array([0], dtype=np.int32))
    return stage(question, person, ranked()).items.tolist()


def test_a_cold_item_that_is_near_takes_the_last_place() -> None:
    got = asked(opening())
    assert got == [*range(K - 1), COLD, *range(K - 1, COLD), *range(COLD + 1, N)]


def test_one_that_is_far_or_shown_already_moves_nothing() -> None:
    for cold in (3, K - 1, REACH * K, N - 1):
        assert asked(opening(cold)) == list(range(N))
    assert asked(opening(REACH * K - 1))[K - 1] == REACH * K - 1


@pytest.mark.parametrize("once", [0, int(FEW) + 1])
def test_what_nobody_or_many_wanted_is_not_moved(once: int) -> None:
    assert asked(opening(once=once)) == list(range(N))


def test_a_short_slate_a_list_and_a_newcomer_are_left_alone() -> None:
    stage = opening()
    assert asked(stage, k=SMALLEST - 1) == list(range(N))
    assert asked(stage, k=SMALLEST)[SMALLEST - 1] == COLD
    assert asked(stage, only=np.arange(N, dtype=np.int32)) == list(range(N))
    nobody = state([])
    assert stage(query(n_items=N, k=K), nobody, ranked()).items.tolist() == list(range(N))
    person = state(np.array([0], dtype=np.int32))
    few = ranked(K)
    assert stage(query(n_items=N, k=K), person, few).items.tolist() == list(range(K))
