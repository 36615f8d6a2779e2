"""Tuning picks by a window before the test, never by the test, and stops when its time is up."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from penchant.evaluate.plan import plan
from penchant.evaluate.tuning import GRIDS, tune
from penchant.types import InvalidInput


class Oracle:
    """Recommends one item; remembers the latest time it was fitted to or told."""

    latest: float = 0.0

    def __init__(self, item):
        self.item = item
        self.name = "oracle"

    def fit(self, events):
        Oracle.latest = max(Oracle.latest, events["timestamp"].max())
        return self

    def record(self, user_id, item_ids, timestamp):
        Oracle.latest = max(Oracle.latest, timestamp)

    def recommend(self, user_id, k, now, exclude=()):
        return [self.item]


@pytest.fixture
def made():
    # Early people want x, those before the cut want y, those after it z, which began it all.
    times = np.arange(1000)
    wants = np.select([times < 50, times < 800, times < 900], ["z", "x", "y"], "z")
    rows = {"user_id": [f"u{t}" for t in times], "item_id": wants, "timestamp": times}
    return plan(pl.DataFrame(rows))


def test_the_window_decides_and_the_test_is_not_touched(made):
    Oracle.latest = 0.0
    tuned = tune(Oracle, [{"item": i} for i in "xyz"], made.train)
    assert tuned.settings == {"item": "y"}
    assert tuned.figure == 1.0
    assert [figure for _, figure in tuned.trials] == [0.0, 1.0, 0.0]
    assert Oracle.latest < made.split.cut


def test_a_spent_budget_starts_no_further_trial(made):
    tuned = tune(Oracle, [{"item": i} for i in "xyz"], made.train, budget=0.0)
    assert len(tuned.trials) == 1


def test_an_empty_grid_is_refused(made):
    with pytest.raises(InvalidInput, match="empty grid"):
        tune(Oracle, [], made.train)


def test_every_tuned_baseline_gets_the_same_number_of_trials():
    assert {len(grid) for grid in GRIDS.values()} == {8}
