from __future__ import annotations

import numpy as np
import pytest

from clouds import cloud
from penchant.learn.heads.active import choose
from penchant.types import InvalidInput

WAYS = ("mixed", "typical", "unsure", "random")


@pytest.mark.parametrize("way", WAYS)
def test_as_many_as_asked_for_and_none_twice(way: str) -> None:
    rows, labels = cloud(200)
    have = np.zeros(0, np.int64)
    for _ in range(4):
        more = choose(rows, have, labels[have], 7, way=way, seed=1)
        assert len(more) == len(set(more.tolist())) == 7
        assert not set(more.tolist()) & set(have.tolist())
        have = np.concatenate([have, more])
    again = choose(rows, have[:14], labels[have[:14]], 7, way=way, seed=1)
    assert again.tolist() == sorted(again.tolist())
    np.testing.assert_array_equal(again, np.sort(have[14:21]))


@pytest.mark.parametrize("way", WAYS)
def test_texts_that_say_nothing_are_never_chosen(way: str) -> None:
    rows, labels = cloud(60)
    rows[::2] = 0
    chosen = choose(rows, [1, 3], labels[[1, 3]], 50, way=way)
    assert set(chosen.tolist()) == set(range(5, 60, 2))


def test_typical_texts_are_of_every_label_though_nobody_said_any() -> None:
    rows, labels = cloud(300, labels=6, noise=0.1)
    rare = np.concatenate(
        [np.flatnonzero(labels != "label 5"), np.flatnonzero(labels == "label 5")[:12]]
    )
    chosen = choose(rows[rare], [], [], 12, way="typical")
    assert len(set(labels[rare][chosen])) == 6


def test_unsure_texts_lie_between_two_labels() -> None:
    rows, labels = cloud(200, labels=2, noise=0.1)
    between = rows[0] + rows[1]
    rows[[50, 60, 70]] = between / np.linalg.norm(between)
    chosen = choose(rows, np.arange(40), labels[:40], 3, way="unsure")
    assert chosen.tolist() == [50, 60, 70]
    # Three times the same text teach as much as one: the mixed way takes one of them.
    mixed = choose(rows, np.arange(40), labels[:40], 3, way="mixed")
    assert len(set(mixed.tolist()) & {50, 60, 70}) == 1


def test_wrong_questions_are_refused() -> None:
    rows = cloud(10)[0]
    with pytest.raises(InvalidInput, match="way is one of"):
        choose(rows, [], [], 2, way="best")  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="a label for each"):
        choose(rows, [1, 2], ["a"], 2)
    with pytest.raises(InvalidInput, match="n of 1 or more"):
        choose(rows, [], [], 0)
