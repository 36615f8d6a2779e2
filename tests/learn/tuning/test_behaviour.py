"""What training examples are made of: histories as requests read them, pairs, hard negatives."""

from __future__ import annotations

import numpy as np
import pytest

from learn.tuning import made
from penchant.interests.state import DAY, State
from penchant.learn.tuning.behaviour import Behaviour, Histories, Pairs, near, past, together
from penchant.recall.text import Text
from penchant.store.vectors import Vectors
from penchant.types import InvalidInput


def behaviour(rows: list[tuple[int, int, float]], texts: list[str]) -> Behaviour:
    users, items, times = zip(*rows, strict=True)
    return Behaviour(
        texts, np.array(users, np.int32), np.array(items, np.int32), np.array(times, np.float64)
    )


def test_a_past_weighs_as_the_interest_of_a_request_does() -> None:
    rng = np.random.default_rng(4)
    times = np.sort(rng.integers(0, 12, 9) * 0.7 * DAY)
    items = rng.permutation(12)[:9]
    log = behaviour(
        [(0, 11, 0.0), *((5, i, t) for i, t in zip(items, times, strict=True))], ["word"] * 12
    )
    vectors = rng.normal(size=(12, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    found = past(log, np.array([len(log.items)]), window=6)
    made_of = found.weights[0] @ vectors[found.items[0]]
    source = Text("text", Vectors(vectors), last=6)
    state = State(
        now=float(times[-1]),
        items=items.astype(np.int32),
        times=times,
        strengths=np.ones(9, np.float32),
        seen=items.astype(np.int32),
    )
    wanted = source.wanted(state)
    assert wanted is not None
    np.testing.assert_allclose(made_of / np.linalg.norm(made_of), wanted, atol=1e-5)


def test_what_comes_at_one_moment_is_no_past_of_itself() -> None:
    log = behaviour(
        [(0, 0, 1.0), (0, 1, 2.0), (0, 2, 2.0), (0, 3, 5.0), (1, 4, 1.0), (1, 5, 1.0)],
        ["word"] * 6,
    )
    told = Histories.of(log)
    assert told.targets.tolist() == [1, 2, 3]
    before = past(log, told.begins, window=4)
    for row, expected in enumerate(([0], [0], [2, 1, 0])):
        known = before.weights[row] > 0
        assert sorted(before.items[row][known].tolist()) == sorted(expected)
    # Two of one moment weigh the same.
    assert before.weights[2][0] == before.weights[2][1] > before.weights[2][2]


def test_items_without_text_are_neither_asked_nor_told() -> None:
    log = behaviour([(0, 0, 1.0), (0, 1, 2.0), (0, 2, 3.0)], ["word", " ", "word"])
    told = Histories.of(log)
    assert told.targets.tolist() == [2]
    weights = past(log, told.begins, window=3).weights
    assert (weights > 0).sum() == 1
    pairs = Pairs.of(log)
    assert {*pairs.left, *pairs.right} == {0, 2}


def test_a_pair_of_rare_items_tells_more_than_one_with_a_popular_item() -> None:
    # Item 0 is wanted by all, 1 and 2 by the same two people, 3 by another.
    rows = [(u, 0, 1.0) for u in range(6)]
    rows += [(0, 1, 2.0), (0, 2, 3.0), (1, 1, 2.0), (1, 2, 3.0), (2, 3, 2.0)]
    pairs = Pairs.of(behaviour(sorted(rows), ["word"] * 5))
    weight = {(a, b): w for a, b, w in zip(pairs.left, pairs.right, pairs.weights, strict=True)}
    assert weight[1, 2] > weight[1, 0] > 0
    assert weight[1, 2] == pytest.approx(weight[2, 1])
    assert sum(weight.values()) == pytest.approx(1.0)
    assert all(a != b for a, b in weight)
    assert (1, 3) not in weight


def test_only_the_most_telling_partners_are_kept_block_by_block() -> None:
    log, _ = made.behaviour()
    every = Pairs.of(log, most=100)
    few = Pairs.of(log, most=3, rows=7)
    assert np.bincount(few.left).max() == 3
    for item in (0, 13):
        best = np.sort(every.weights[every.left == item])[::-1][:3]
        kept = few.weights[few.left == item]
        np.testing.assert_allclose(np.sort(kept)[::-1] / kept.max(), best / best.max())


def test_hard_negatives_are_near_and_were_never_wanted_together() -> None:
    log, _ = made.behaviour()
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(40, 8)).astype(np.float32)
    anchors = np.arange(40)
    found = near(log, vectors, anchors, 4, np.random.default_rng(1), among=6)
    met = together(log, anchors, anchors)
    scores = vectors @ vectors.T
    for anchor in anchors:
        assert not met[anchor, found[anchor]].any()
        assert anchor not in found[anchor]
        free = scores[anchor][~met[anchor] & (anchors != anchor)]
        assert scores[anchor][found[anchor]].min() >= np.sort(free)[-6]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([(1, 0, 1.0), (0, 0, 1.0)], "sorted by user"),
        ([(0, 0, 2.0), (0, 1, 1.0)], "sorted by user"),
        ([(0, 7, 2.0)], "item numbers from 0 to 1"),
        ([(0, -1, 2.0)], "item numbers from 0 to 1"),
    ],
)
def test_what_is_no_behaviour_is_refused(rows: list[tuple[int, int, float]], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        behaviour(rows, ["a", "b"])


def test_columns_of_another_length_are_refused() -> None:
    none = np.zeros(0, np.int32)
    with pytest.raises(InvalidInput, match="one length"):
        Behaviour(["a"], none, np.zeros(1, np.int32), np.zeros(0))
    with pytest.raises(InvalidInput, match="categories of 1 items"):
        Behaviour(["a"], none, none, np.zeros(0), categories=np.zeros(2, np.int32))


def test_equal_digests_mean_equal_behaviour() -> None:
    one, _ = made.behaviour(seed=2)
    same, _ = made.behaviour(seed=2)
    other, _ = made.behaviour(seed=3)
    assert one.digest() == same.digest() != other.digest()


def test_of_somebody_who_wanted_very_much_the_newest_counts() -> None:
    many = [(0, i, float(i)) for i in range(500)] + [(1, 0, 1.0), (1, 1, 2.0)]
    people = behaviour(many, ["word"] * 500).people.toarray()
    assert people.sum(1).tolist() == [200.0, 2.0]
    assert people[0, 300:].all()
