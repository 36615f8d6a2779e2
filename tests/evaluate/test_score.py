"""A walk becomes figures: known answers on a small plan, and curves that end at their mean."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from penchant.evaluate.plan import plan
from penchant.evaluate.replay import Walk
from penchant.evaluate.score import compare, score, sliding

ROWS = [("a", "x", 0), ("b", "x", 1), ("b", "y", 2), ("a", "y", 10), ("c", "z", 11), ("b", "z", 12)]


@pytest.fixture
def made():
    frame = pl.DataFrame(ROWS, schema=["user_id", "item_id", "timestamp"], orient="row")
    return plan(frame, ["x", "y", "z", "w"], quantile=0.6)


def answers(rows):
    return Walk(np.array(rows), np.array([0.001, 0.003, 0.002]), 0.006)


def test_figures_of_three_requests(made):
    got = score(made, answers([[1, 3], [0, 2], [3, -1]]), k=2)
    assert got.gains.tolist() == pytest.approx([1.0, 1 / np.log2(3), 0.0])
    assert got.metrics["HR@2"].mean == pytest.approx(2 / 3)
    assert got.metrics["MRR@2"].mean == pytest.approx(0.5)
    assert got.coverage == 1.0
    assert got.slices["new user"].mean == pytest.approx(1 / np.log2(3))
    assert got.slices["known user"].n == 2
    assert got.slices["cold item"].mean == pytest.approx(1 / np.log2(3) / 2)
    assert got.slices["1st in session"].n == 1
    assert got.milliseconds["answer, median"] == pytest.approx(2.0)
    assert got.milliseconds["recording, mean"] == pytest.approx(2.0)
    assert "diversity" not in got.metrics


def test_vectors_add_diversity(made):
    vectors = np.array([[1.0, 0], [0, 1.0], [1.0, 0], [1.0, 0]])
    got = score(made, answers([[0, 1], [0, 2], [3, -1]]), 2, vectors)
    assert got.metrics["diversity"].mean == pytest.approx(0.5, abs=1e-6)
    assert got.metrics["diversity"].n == 2


def test_systems_are_compared_request_by_request(made):
    good = score(made, answers([[1, 3], [2, 0], [2, -1]]), k=2)
    bad = score(made, answers([[3, 3], [3, 3], [3, 3]]), k=2)
    lead = compare(made, good, bad)
    assert (lead.mean, lead.low, lead.wins) == (1.0, 1.0, 1.0)


def test_curves_slide_over_the_requests(made):
    times, values = sliding(made, np.array([1.0, 0.0, 0.5]), points=3, window=2)
    assert times == (11.0, 12.0)
    assert values == pytest.approx((0.5, 0.25))
    assert sliding(made, np.array([]), points=3) == ((), ())
