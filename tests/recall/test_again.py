"""What was had comes back where it may, the frequent and the recent first."""

from __future__ import annotations

import numpy as np
import pytest

from numbered import DAY, NOW, names, query, state
from penchant.recall.again import DAYS_HALF, Again


def test_the_often_had_is_before_the_once_had() -> None:
    person = state(["s1", "w1", "w2", "w1"])
    scores = Again().score(query(seen="keep"), person)
    assert scores is not None
    assert names(scores.top(5, None)) == ["w1", "w2", "s1"]


def test_counts_fade_by_half() -> None:
    ago = NOW - DAYS_HALF * DAY
    scores = Again().score(query(seen="keep"), state(["w1", "w1"], times=[ago, NOW]))
    assert scores is not None
    assert scores.values.tolist() == pytest.approx([1.5])


def test_nothing_comes_back_where_seen_is_hidden_or_nothing_was_wanted() -> None:
    assert Again().score(query(), state(["w1"])) is None
    assert Again().score(query(seen="keep"), state([])) is None
    assert Again().score(query(seen="keep"), state(["w1"], strengths=[-1.0])) is None


def test_what_lies_in_the_future_counts_in_full() -> None:
    scores = Again().score(query(seen="keep"), state(["w1"], times=[NOW + DAY]))
    assert scores is not None
    assert np.array_equal(scores.values, [1.0])
