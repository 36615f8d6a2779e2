"""Rates are a function of what was counted: of no order, and of nothing that came later."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penchant.rank.feedback.examination import GROUPS, PLACES, examination, group
from penchant.rank.feedback.rates import HOUR, SHAPE, Rate, Rates

DAY = 24 * HOUR
HALF = 2 * DAY


def ints(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int32)


def test_a_rate_is_answers_by_exposures_drawn_to_the_mean() -> None:
    rates = Rates(HALF)
    items, places = ints(*[0] * 100, *[1] * 100, 2), np.zeros(201, dtype=np.int32)
    rates.show(items, places, np.full(201, 10.0))
    rates.answer(ints(*[0] * 20), np.zeros(20, dtype=np.int32), np.full(20, 11.0))
    found = rates.at(ints(0, 1, 2, 3), 20.0)
    assert found is not None
    mean = 20 / 201
    assert found.mean == pytest.approx(mean)
    assert found.exposures.tolist() == [100, 100, 1, 0]
    assert found.value == pytest.approx(
        [
            (20 + SHAPE) / (100 + SHAPE / mean),
            SHAPE / (100 + SHAPE / mean),
            SHAPE / (1 + SHAPE / mean),
            mean,
        ]
    )
    assert found.lift[0] > 0 > found.lift[2] > found.lift[1]
    assert found.lift[3] == pytest.approx(0)


def test_an_item_nobody_saw_has_the_rate_of_its_category() -> None:
    rates = Rates(HALF)
    rates.categorise(ints(0, 1, 0, 1, -1))
    rates.show(ints(*[0, 1] * 100), np.zeros(200, dtype=np.int32), np.full(200, 10.0))
    rates.answer(ints(*[0] * 30), np.zeros(30, dtype=np.int32), np.full(30, 11.0))
    # Categories count from the hour after.
    found = rates.at(ints(2, 3, 4, 99), HOUR + 1)
    assert found is not None
    assert found.lift[0] > 0 > found.lift[1]
    assert found.lift[2:] == pytest.approx([0, 0])


def test_what_was_counted_fades_by_half() -> None:
    rates = Rates(HALF)
    rates.show(ints(*[0] * 8), np.zeros(8, dtype=np.int32), np.full(8, 1.0))
    rates.answer(ints(0, 0), np.zeros(2, dtype=np.int32), np.full(2, 2.0))
    for days, left in ((2, 0.5), (4, 0.25)):
        found = rates.at(ints(0), days * DAY)
        assert found is not None
        assert found.exposures[0] == pytest.approx(8 * left)
        assert found.answers[0] == pytest.approx(2 * left)


def test_nothing_later_than_the_moment_is_read() -> None:
    rates = Rates(HALF)
    rates.show(ints(0, 0), ints(0, 0), np.array([1.0, 2 * HOUR + 5]))
    rates.answer(ints(0), ints(0), np.array([1.0]))
    early = rates.at(ints(0), 2 * HOUR + 1)
    late = rates.at(ints(0), 2 * HOUR + 6)
    assert early is not None
    assert late is not None
    assert late.exposures[0] == pytest.approx(early.exposures[0] + 1)


def test_without_answers_there_are_no_rates() -> None:
    rates = Rates(HALF)
    assert rates.at(ints(0), 0.0) is None
    rates.show(ints(0), ints(0), np.array([0.0]))
    assert rates.at(ints(0), 1.0) is None


Row = tuple[bool, int, int, float]


def counted(rows: list[Row], cuts: list[int], ask: list[float]) -> Rates:
    """Fold the rows in parts, asking now and then: what is remembered must not matter."""
    rates = Rates(6 * HOUR)
    bounds = [0, *sorted(c for c in cuts if c < len(rows)), len(rows)]
    for n, (begin, end) in enumerate(pairwise(bounds)):
        for answers in (False, True):
            part = [row for row in rows[begin:end] if row[0] == answers]
            columns = (
                ints(*[row[1] for row in part]),
                ints(*[row[2] for row in part]),
                np.array([row[3] for row in part]),
            )
            (rates.answer if answers else rates.show)(*columns)
        if n < len(ask):
            rates.at(ints(0, 1), ask[n])
    return rates


@given(
    st.lists(
        st.tuples(
            st.booleans(), st.integers(0, 4), st.integers(0, 60), st.floats(0, 40 * 6 * HOUR)
        ),
        max_size=60,
    ),
    st.lists(st.integers(0, 60), max_size=5),
    st.lists(st.floats(0, 40 * 6 * HOUR), max_size=5),
    st.lists(st.floats(0, 60 * 6 * HOUR), min_size=1, max_size=5),
    st.randoms(use_true_random=False),
)
def test_rates_are_the_same_to_the_bit_however_they_were_counted(rows, cuts, ask, then, random):
    in_time = sorted(rows, key=lambda row: row[3])
    nearly = sorted(rows, key=lambda row: row[3] + random.uniform(0, 1.5 * HOUR))
    latest = max((row[3] for row in rows), default=0.0)
    whole, parts = counted(in_time, [], []), counted(nearly, cuts, ask)
    for now in [*then, latest, latest + DAY]:
        one, other = whole.at(ints(*range(6)), now), parts.at(ints(*range(6)), now)
        assert (one is None) == (other is None)
        if one is not None and other is not None:
            assert one.answers.tobytes() == other.answers.tobytes()
            assert one.exposures.tobytes() == other.exposures.tobytes()
            assert (one.mean, one.lift.tobytes()) == (other.mean, other.lift.tobytes())


def test_places_belong_to_groups() -> None:
    assert group(np.array([0, 1, 2, 3, 4, 5, 9, 10, 50, 999])).tolist() == [
        0, 1, 2, 3, 3, 4, 4, 5, 7, 7,
    ]  # fmt: skip
    assert len(PLACES) == GROUPS


def world(seed: int, seen: np.ndarray, slates: int = 20_000) -> tuple[np.ndarray, np.ndarray]:
    """Counts of a shop whose better items stand higher, though not always, looked at by `seen`."""
    rng = np.random.default_rng(seed)
    attraction = rng.beta(2, 12, 50)
    exposures, answers = np.zeros((2, 50, GROUPS))
    for _ in range(slates):
        order = np.argsort(-(attraction + rng.normal(0, 0.15, 50)))[:20]
        cells = group(np.arange(20))
        clicked = rng.random(20) < attraction[order] * seen[cells]
        np.add.at(exposures, (order, cells), 1)
        np.add.at(answers, (order[clicked], cells[clicked]), 1)
    return exposures, answers


def test_examination_is_told_from_counts_and_only_half_believed() -> None:
    seen = np.array([1.0, 0.8, 0.65, 0.5, 0.35, 0.2, 1.0, 1.0])
    exposures, answers = world(0, seen)
    found = examination(exposures, answers)
    assert found[:6] == pytest.approx(np.sqrt(seen[:6]), rel=0.05)
    # Far from what the places alone would say, where better items stand higher.
    naive = answers.sum(axis=0)[:6] / exposures.sum(axis=0)[:6]
    assert (naive[4] / naive[0]) < 0.8 * seen[4]
    flat = examination(*world(1, np.ones(GROUPS)))
    assert flat[:6] == pytest.approx(np.ones(6), rel=0.05)


def test_few_answers_say_little_about_places() -> None:
    exposures, answers = np.zeros((2, 3, GROUPS))
    assert examination(exposures, answers).tolist() == [1.0] * GROUPS
    exposures[0, :4], answers[0, 0] = 5, 2
    assert examination(exposures, answers).min() > 0.9


def test_the_lift_of_the_mean_is_nothing() -> None:
    four = np.array([4.0], dtype=np.float32)
    rate = Rate(four, 10 * four, np.array([0.1], dtype=np.float32), 0.1)
    assert rate.lift[0] == pytest.approx(0.0)
