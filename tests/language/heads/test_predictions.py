from __future__ import annotations

import numpy as np
import pytest

from penchant.language.heads.predictions import UNKNOWN, Kind, Predictions


def said(kind: Kind, values: list[list[float]], known: list[bool], **more: object) -> Predictions:
    names = ("a", "b", "c")[: len(values[0])]
    n = len(values)
    columns = np.array(values, np.float32), np.zeros(n, np.float32), np.array(known)
    return Predictions(kind, names, *columns, **more)  # type: ignore[arg-type]


def test_a_class_is_the_likeliest_or_unknown() -> None:
    found = said("class", [[0.2, 0.7, 0.1], [0.4, 0.3, 0.3]], [True, False])
    assert (found[0].label, found[0].labels, found[0].known) == ("b", ("b",), True)
    assert found[0].probability == pytest.approx(0.7)
    assert (found[1].label, found[1].labels, found[1].known) == (UNKNOWN, (), False)
    assert found[1].probability == pytest.approx(0.4)
    assert found.labels == ["b", UNKNOWN]


def test_labels_are_all_that_reach_their_cut_likeliest_first() -> None:
    cuts = np.array([0.5, 0.3, 0.9], np.float32)
    found = said("labels", [[0.6, 0.8, 0.8], [0.1, 0.1, 0.1]], [True, True], cuts=cuts)
    assert found[0].labels == ("b", "a")
    assert (found[1].labels, found[1].label, found[1].known) == ((), UNKNOWN, True)


def test_a_value_has_bounds_and_no_label() -> None:
    found = said("value", [[2.0, 1.5, 2.5]], [True])[0]
    assert (found.value, found.low, found.high, found.label) == (2.0, 1.5, 2.5, "")
    assert said("value", [[2.0, 1.5, 2.5]], [False])[0].label == UNKNOWN


def test_relevance_is_yes_no_or_unknown() -> None:
    found = said("relevance", [[0.8], [0.2], [0.9]], [True, True, False])
    assert found.labels == ["relevant", "irrelevant", UNKNOWN]


def test_predictions_are_a_sequence() -> None:
    found = said("class", [[0.2, 0.7, 0.1]] * 3, [True] * 3)
    assert len(found[1:]) == 2
    assert found[-1] == found[0]
    with pytest.raises(IndexError):
        found[3]
