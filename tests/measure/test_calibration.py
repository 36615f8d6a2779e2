from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from penchant.measure.calibration import calibration_error, separation


def test_what_is_said_and_comes_true_has_no_error() -> None:
    said = np.repeat([0.25, 0.75], 100)
    came = np.concatenate([np.arange(100) < 25, np.arange(100) < 75])
    assert calibration_error(said, came) == pytest.approx(0.0)
    assert calibration_error(np.ones(10), np.ones(10, bool)) == 0.0


def test_the_error_is_the_mean_distance_of_what_was_said() -> None:
    said = np.repeat([0.9, 0.3], [300, 100])
    came = np.concatenate([np.arange(300) < 150, np.arange(100) < 30])
    assert calibration_error(said, came) == pytest.approx(0.75 * 0.4)


def test_nothing_said_is_not_a_number() -> None:
    assert np.isnan(calibration_error([], []))
    assert np.isnan(separation([True, True], [0.1, 0.2]))


def test_separation_is_the_area_under_the_curve_with_ties() -> None:
    rng = np.random.default_rng(3)
    known = rng.random(500) < 0.3
    score = np.round(rng.normal(size=500) + known, 1)
    assert separation(known, score) == pytest.approx(roc_auc_score(known, score))
    assert separation(known, -score) == pytest.approx(1 - roc_auc_score(known, score))
