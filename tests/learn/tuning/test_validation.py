from __future__ import annotations

import numpy as np
import pytest

from penchant.learn.tuning.behaviour import Behaviour
from penchant.learn.tuning.validation import NextByText

VECTORS = np.array([[1, 0], [0.9, 0.1], [0.8, 0.2], [0, 1], [np.nan, np.nan]], np.float32)


def asked(users: list[int], targets: list[int], k: int = 10) -> NextByText:
    behaviour = Behaviour(
        ["a", "b", "c", "d", ""],
        np.array([0, 1, 1, 3], np.int32),
        np.array([0, 0, 1, 4], np.int32),
        np.array([1.0, 1.0, 2.0, 1.0]),
    )
    return NextByText(behaviour, np.array(users, np.int32), np.array(targets, np.int32), k)


@pytest.mark.parametrize(
    ("user", "target", "gain"),
    [
        (0, 1, 1.0),
        (0, 2, 1 / np.log2(3)),
        (0, 3, 1 / np.log2(4)),
        (1, 2, 1.0),  # item 1 is nearer, and was had
        (0, 4, 0.0),  # no text
        (2, 1, 0.0),  # nobody
        (3, 1, 0.0),  # a past without text
    ],
)
def test_known_answers(user: int, target: int, gain: float) -> None:
    assert asked([user], [target])(VECTORS) == pytest.approx(gain)


def test_below_the_cut_is_nothing_and_no_question_is_zero() -> None:
    assert asked([0], [3], k=2)(VECTORS) == 0.0
    assert asked([], [])(VECTORS) == 0.0


def test_ties_count_against_the_target() -> None:
    same = np.tile(np.array([[1.0, 0.0]], np.float32), (5, 1))
    assert asked([0], [1])(same) == pytest.approx(1 / np.log2(5))
