"""Probabilities mean what they say, out of time, or are left out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from numbered import columns, state
from penchant.language.categories import Derived
from penchant.learn.response.learning import Learned, _stretches
from penchant.learn.response.trees import PARAMETERS, chance, log_loss, platt, sigmoid, value
from penchant.measure.calibration import calibration_error
from penchant.rank.response import Response
from penchant.rank.scorers.ranker import FeatureMismatch
from penchant.rank.worth import COLUMNS
from penchant.store.artefacts import Artefacts
from penchant.types import Candidates, Floats

RUN = {**PARAMETERS, "seed": 0, "num_threads": 1}
MANY = 6_000


def world(shift: float = 0.0) -> tuple[Floats, np.ndarray, np.ndarray]:
    """The chance depends on the first of three columns; later it is `shift` logits higher."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(MANY, 3)).astype(np.float32)
    logits = 1.5 * rows[:, 0] - 1.0 + shift * (np.arange(MANY) > 0.6 * MANY)
    p = sigmoid(logits)
    return rows, rng.random(MANY) < p, p


def test_what_is_said_is_how_often_it_comes_true() -> None:
    rows, wanted, _ = world(shift=1.5)
    parts = _stretches(MANY)
    trees, _, start, measured = chance(rows, wanted, ("a", "b", "c"), parts, RUN)
    assert trees is not None
    assert measured["calibration_error"] < 0.05
    assert measured["calibration_error"] < measured["calibration_error_uncalibrated"] - 0.1
    assert measured["log_loss"] < measured["log_loss_of_the_rate"]
    assert start > 0.5


def test_noise_is_left_out() -> None:
    rows, wanted, _ = world()
    mixed = np.random.default_rng(1).permutation(wanted)
    trees, *_, measured = chance(rows, mixed, ("a", "b", "c"), _stretches(MANY), RUN)
    if trees is not None:  # by a hair: nothing is claimed that is not there
        assert measured["log_loss"] > measured["log_loss_of_the_rate"] - 0.005


def test_platt_finds_slope_and_start() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, 50_000)
    came = rng.random(len(logits)) < sigmoid(0.5 * logits + 0.7)
    slope, start = platt(logits, came)
    assert slope == pytest.approx(0.5, abs=0.03)
    assert start == pytest.approx(0.7, abs=0.03)
    assert calibration_error(sigmoid(slope * logits + start), came) < 0.02
    assert log_loss(np.array([0.5, 0.5]), np.array([True, False])) == pytest.approx(np.log(2))


def test_of_one_outcome_alone_nothing_is_certain() -> None:
    slope, start = platt(np.linspace(-1, 1, 100), np.ones(100, dtype=np.bool_))
    assert 0.9 < sigmoid(np.array([start]))[0] < 1.0
    assert np.isfinite(slope)


def test_values_are_kept_where_they_clearly_beat_the_factors() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(MANY, 2)).astype(np.float32)
    truth = (3 + rows[:, 0]).astype(np.float32)
    weak = np.concatenate((rows, np.full((MANY, 1), 3.0, dtype=np.float32)), axis=1)
    names = ("a", "b", COLUMNS[0])
    trees, measured = value(weak, truth, names, _stretches(MANY), RUN)
    assert trees is not None
    assert measured["value_error"] < 0.5 * measured["value_error_of_factors"]
    told = truth + rng.normal(0, 0.5, MANY).astype(np.float32)
    known = np.concatenate((rows, truth[:, None]), axis=1)
    trees, measured = value(known, told, names, _stretches(MANY), RUN)
    assert trees is None
    assert measured["value_error_of_factors"] == pytest.approx(0.5, abs=0.05)


def pool(names: tuple[str, ...]) -> Candidates:
    rng = np.random.default_rng(2)
    return Candidates(
        items=np.arange(8, dtype=np.int32),
        scores=np.zeros(8, dtype=np.float32),
        features=rng.normal(size=(8, len(names))).astype(np.float32),
        names=names,
        origin=np.zeros(8, dtype=np.uint32),
        sources=(),
    )


def test_what_serves_says_what_was_learned(tmp_path: Path) -> None:
    rows, wanted, _ = world()
    names = ("a", "b", "c")
    trees, slope, start, _ = chance(rows, wanted, names, _stretches(MANY), RUN)
    folder = Artefacts(tmp_path)
    Learned("judged", names, trees, slope, start).save(folder)
    served = Response.load(folder, Derived(columns()))
    assert served is not None
    shown = pool(("b", "other", "c", "a"))
    said, worth = served(shown, state([]))
    expected = sigmoid(slope * trees.predict(shown.features[:, [3, 0, 2]], raw_score=True) + start)
    assert said is not None
    assert worth is None
    assert said == pytest.approx(expected, abs=1e-6)
    with pytest.raises(FeatureMismatch, match="train again"):
        served(pool(("b", "c")), state([]))


def test_nothing_learned_is_nothing_written(tmp_path: Path) -> None:
    folder = Artefacts(tmp_path)
    Learned().save(folder)
    assert Response.load(folder, Derived(columns())) is None
