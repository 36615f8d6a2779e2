"""Widening: a place before the last for what was proposed, and for nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from numbered import DAY, NOW, query, state
from penchant.rank.rerankers.widening import COST, NEAREST, REACH, SMALLEST, Widening
from penchant.recall.popularity import Popularity
from penchant.types import Candidates, Policy

N, K = 100, 10
LIMIT = int(REACH * N)
NOBODY_WANTED = Popularity()
KNOWN, PROPOSED = np.uint32(1), np.uint32(2)


def ranked(*proposed: int, n: int = N) -> Candidates:
    origin = np.full(n, KNOWN)
    origin[list(proposed)] |= PROPOSED
    return Candidates(
        items=np.arange(n, dtype=np.int32),
        scores=-np.log1p(np.arange(n, dtype=np.float32)),
        features=np.stack((np.arange(n), np.where(origin & PROPOSED, 1.0, np.nan)), axis=1).astype(
            np.float32
        ),
        names=("linear", "expansion"),
        origin=origin,
        sources=("linear", "expansion"),
    )


def asked(pool: Candidates, earned: int = 1, widen: int = 1, **rest: object) -> list[int]:
    question = query(**{"n_items": N, "k": K, "policy": Policy(widen=widen), **rest})
    person = state(np.array([0, 1, 2], dtype=np.int32))
    return Widening(lambda _: earned, NOBODY_WANTED)(question, person, pool).items.tolist()


def test_the_best_that_was_proposed_takes_the_place_before_the_last() -> None:
    first = asked(ranked(17, 30))
    assert first[:K] == [0, 1, 2, 3, 4, 5, 6, 7, 17, 9]
    # Nobody is lost, and the others stay in order.
    assert first[K:] == [8, *(i for i in range(10, N) if i != 17)]


def test_a_place_costs_little() -> None:
    steep = ranked(17)
    scores = steep.scores.copy()
    dear = scores[8] - COST * (scores[0] - scores[8])
    scores[17:] = dear - 0.01
    same = steep.items.tolist()
    assert asked(replace(steep, scores=scores)) == same
    scores[17] = dear + 0.01
    assert asked(replace(steep, scores=scores))[K - 2] == 17


def test_of_those_that_are_near_the_least_wanted_is_shown() -> None:
    times = np.full(7, NOW - DAY)
    popularity = Popularity(np.array([17, 17, 18, 20, 20, 30, 30], dtype=np.int32), times)
    question = query(n_items=N, k=K, policy=Policy(widen=1))
    person = state(np.array([0, 1, 2], dtype=np.int32))
    slate = Widening(lambda _: 1, popularity)(question, person, ranked(17, 18, 20, 30))
    assert slate.items[K - 2] == 18
    # The eleventh is not near, however rarely it was wanted.
    many = [*range(11, 11 + NEAREST), 30]
    wanted = Popularity(np.array(many[:-1], dtype=np.int32), np.full(NEAREST, NOW - DAY))
    slate = Widening(lambda _: 1, wanted)(question, person, ranked(*many))
    assert slate.items[K - 2] == 11


def test_what_only_the_proposals_brought_is_shown_in_their_places_alone() -> None:
    pool = ranked(3, 5, 17)
    origin = pool.origin.copy()
    origin[[3, 5]] = PROPOSED
    strangers = replace(pool, origin=origin)
    assert asked(strangers)[:K] == [0, 1, 2, 4, 6, 7, 8, 9, 3, 11]
    assert asked(strangers, earned=0)[:K] == [0, 1, 2, 4, 6, 7, 8, 9, 10, 11]
    assert sorted(asked(strangers)) == list(range(N))


def test_the_last_place_is_left_to_who_has_it() -> None:
    assert asked(ranked(17))[K - 1] == 9
    assert asked(ranked(17, 18), earned=2, widen=2)[K - 3 : K] == [17, 18, 9]


@pytest.mark.parametrize(
    "pool",
    [ranked(), ranked(3), ranked(LIMIT), ranked(n=K), replace(ranked(17), sources=("a", "b"))],
    ids=["nothing proposed", "there already", "too far", "shown anyway", "no such source"],
)
def test_nothing_moves_where_nothing_is_due(pool: Candidates) -> None:
    assert asked(pool) == pool.items.tolist()


def test_places_are_what_was_earned_and_what_the_policy_grants() -> None:
    same = list(range(N))
    assert asked(ranked(17), earned=0) == same
    assert asked(ranked(17), widen=0) == same
    assert asked(ranked(17, 18), earned=5, widen=1)[K - 2] == 17
    many = asked(ranked(*range(10, 23)), earned=9, widen=9)[:K]
    assert sum(item >= 10 for item in many) == K // 3
    assert asked(ranked(3, 17, 18), earned=2, widen=2)[K - 2] == 17  # one is there already


def test_who_asks_for_something_is_not_shown_something_else() -> None:
    same = list(range(N))
    assert asked(ranked(17), text="a western") == same
    assert asked(ranked(17), only=np.arange(N, dtype=np.int32)) == same
    assert asked(ranked(17), k=SMALLEST - 1) == same


def test_of_somebody_new_nothing_is_said() -> None:
    question = query(n_items=N, k=K, policy=Policy(widen=1))
    stranger = state(np.array([0], dtype=np.int32), now=NOW)
    pool = ranked(17)
    assert Widening(lambda _: 1, NOBODY_WANTED)(question, stranger, pool) is pool
