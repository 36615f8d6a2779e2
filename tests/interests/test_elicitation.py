"""Elicitation: questions that separate tastes, that people can answer, and that do not repeat."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from penchant.interests.elicitation import SURE, Elicitation, by_category
from penchant.store.artefacts import Artefacts

NONE = np.zeros(0, dtype=np.int32)
N = 60


def two_worlds() -> Elicitation:
    """Return two tastes of 25 items each that nobody crosses, ten items that all know half the
    time, and an item that hardly anybody knows."""
    likely = np.full((2, N), 0.02)
    likely[0, :25] = np.linspace(0.7, 0.3, 25)
    likely[1, 25:50] = np.linspace(0.65, 0.3, 25)
    likely[:, 50:59] = 0.5
    likely[:, 59] = SURE
    return Elicitation(np.arange(N, dtype=np.int32), likely.astype(np.float32))


def numbers(*items: int) -> np.ndarray:
    return np.array(items, dtype=np.int32)


def everything() -> np.ndarray:
    return np.ones(N, dtype=np.bool_)


def test_the_first_question_separates_the_tastes() -> None:
    first, second = two_worlds().questions(NONE, NONE, everything(), 2)
    # Of those that separate one that most can answer, of the world that would not be shown anyway.
    assert first.item == 25
    assert first.likely == pytest.approx(0.335)
    assert first.gain > 1
    assert first.bits > 0.3
    assert second.item != first.item
    # What all know alike would help nobody, however many say yes.
    asked = {one.item for one in two_worlds().questions(NONE, NONE, everything(), 5)}
    assert not asked & set(range(50, 60))


def test_an_answer_changes_what_is_believed_and_asked() -> None:
    model = two_worlds()
    assert model.believed(NONE, NONE).tolist() == [0.5, 0.5]
    assert model.believed(numbers(0), NONE)[0] > 0.95
    assert model.believed(NONE, numbers(0))[1] > 0.7
    assert model.believed(numbers(0, 999), numbers(1000))[0] > 0.95  # nothing is known of those
    # Once it is known which world it is, nothing is left to gain.
    for liked, declined in ((numbers(0, 1), NONE), (NONE, numbers(0, 1, 2))):
        assert model.questions(liked, declined, everything(), 1)[0].gain < 0.05


def test_a_question_has_those_before_it_in_mind() -> None:
    """Asked for two at once, it does not ask the same thing twice: a near copy tells little."""
    model = two_worlds()
    both = model.questions(NONE, NONE, everything(), 2)
    alone = model.questions(NONE, NONE, np.arange(N) != both[0].item, 1)[0]
    assert both[1].gain < alone.gain


def test_only_what_may_be_asked_is() -> None:
    model = two_worlds()
    may = np.zeros(N, dtype=np.bool_)
    may[[7, 30]] = True
    assert {one.item for one in model.questions(NONE, NONE, may, 5)} == {7, 30}
    assert model.questions(numbers(7), numbers(30), may, 5) == []
    assert {one.item for one in model.questions(NONE, NONE, may[:20], 5)} == {7}
    assert model.questions(NONE, NONE, may[:0], 5) == []


def test_all_of_a_catalogue_can_be_asked_and_every_figure_is_one() -> None:
    found = two_worlds().questions(NONE, NONE, everything(), 20)
    assert len({one.item for one in found}) == 20
    for one in found:
        assert 0 <= one.likely <= 1
        assert np.isfinite(one.gain)
        assert 0 <= one.bits <= 1


def test_one_item_and_one_taste() -> None:
    model = Elicitation(numbers(3), np.array([[0.5]], dtype=np.float32))
    (one,) = model.questions(NONE, NONE, np.ones(9, dtype=np.bool_), 5)
    assert (one.item, one.gain, one.bits) == (3, 0.0, 0.0)


def test_it_is_kept_in_a_snapshot(tmp_path: Path) -> None:
    folder = Artefacts(tmp_path)
    assert Elicitation.load(folder) is None
    two_worlds().save(folder)
    again = Elicitation.load(folder)
    assert again is not None
    np.testing.assert_array_equal(again.likely, two_worlds().likely)
    np.testing.assert_array_equal(again.items, two_worlds().items)


def test_before_a_training_categories_are_tastes() -> None:
    counts = np.concatenate((np.linspace(9, 6, 30), np.linspace(8, 5, 30), [0.0])).astype(
        np.float32
    )
    category = np.repeat([0, 1, -1], [30, 30, 1]).astype(np.int32)
    model = by_category(counts, category, 60)
    assert sorted(model.items.tolist()) == list(range(60))
    first, second = model.questions(NONE, NONE, np.ones(61, dtype=np.bool_), 2)
    assert first.item in (0, 30)  # the best known of a category
    assert first.gain > second.gain
    nothing = by_category(np.zeros(3, dtype=np.float32), np.full(3, -1, dtype=np.int32), 5)
    found = nothing.questions(NONE, NONE, np.ones(3, dtype=np.bool_), 5)
    assert sorted(one.item for one in found) == [0, 1, 2]
    empty = by_category(np.zeros(0, dtype=np.float32), NONE, 5)
    assert empty.questions(NONE, NONE, np.zeros(0, dtype=np.bool_), 5) == []
