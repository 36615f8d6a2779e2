from __future__ import annotations

import numpy as np
import pytest

from penchant.language.heads.linear import sigmoid, softmax
from penchant.learn.heads.calibrate import best_cut, clearly_less, platt, sureness, temperature
from penchant.learn.heads.folds import dealt, together
from penchant.learn.heads.logistic import ABSENT, multinomial


def test_the_temperature_that_was_applied_is_found() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(20_000, 5)) * 2
    classes = (softmax(logits).cumsum(axis=1) > rng.random((20_000, 1))).argmax(axis=1)
    for t in (0.25, 1.0, 4.0):
        assert temperature(logits * t, classes) == pytest.approx(t, rel=0.05)
    assert temperature(logits[:0], classes[:0]) == 1.0


def test_texts_that_all_came_out_right_do_not_promise_the_next() -> None:
    classes = np.arange(20) % 4
    logits = np.eye(4)[classes]
    sure = softmax(logits / temperature(logits, classes)).max(axis=1)
    assert 0.9 < sure.min() < 0.98
    others = softmax(np.eye(4)[np.arange(2000) % 4] / temperature(logits, classes))
    assert others.max() == pytest.approx(sure[0])


def test_how_sure_one_text_is_said_is_not_fitted_on_it() -> None:
    rng = np.random.default_rng(0)
    # No answer is any better than another: fitted on themselves, ten texts look surer than that.
    logits, classes = rng.normal(size=(10, 3)), rng.integers(3, size=10)
    sure = sureness(logits, classes, 5, 0)
    assert sure.shape == (10,)
    changed = logits.copy()
    changed[3] *= 100
    t = temperature(logits, classes)
    assert temperature(changed, classes) != pytest.approx(t)
    apart = np.flatnonzero(dealt(classes, 5, 0) == dealt(classes, 5, 0)[3])
    again = sureness(changed, classes, 5, 0)
    for i in apart:
        if i != 3:
            assert again[i] == pytest.approx(sure[i])


def test_a_gain_within_its_error_is_none() -> None:
    rng = np.random.default_rng(0)
    before = rng.exponential(size=400)
    assert clearly_less(before - 0.1, before)
    assert not clearly_less(before, before)
    assert not clearly_less(before - 0.001, before)  # sure, and not worth it
    noise = rng.normal(size=400)
    noise -= noise.mean()
    assert not clearly_less(before - 0.02 + noise, before)
    assert clearly_less(before - 0.04 + noise, before)
    assert not clearly_less(before[:1] - 1, before[:1])


def test_a_class_that_a_fold_has_not_seen_does_not_decide() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(5000, 3)) * 2
    classes = (softmax(logits).cumsum(axis=1) > rng.random((5000, 1))).argmax(axis=1)
    unseen = logits.copy()
    unseen[:5, :] = ABSENT
    assert temperature(unseen, classes) == pytest.approx(1.0, rel=0.15)


def test_slope_and_shift_are_found() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=20_000) * 2
    yes = rng.random(20_000) < sigmoid(1.5 * logits - 1.0)
    slope, shift = platt(logits, yes)
    assert (slope, shift) == (pytest.approx(1.5, rel=0.1), pytest.approx(-1.0, rel=0.1))
    assert platt(logits[:5], yes[:5]) == (1.0, 0.0)
    # Worse than guessing: flat, not turned around.
    assert 0 < platt(logits, ~yes)[0] < 0.01


def test_the_cut_is_where_f1_is_best() -> None:
    probability = np.linspace(0, 1, 100)
    assert best_cut(probability, probability >= 0.3) == pytest.approx(0.3, abs=0.011)
    assert best_cut(probability, np.zeros(100, bool)) == 0.5


def test_folds_deal_out_every_group() -> None:
    groups = np.repeat(["a", "b", "c"], [50, 13, 2])
    folds = dealt(groups, 5, 0)
    assert np.bincount(folds).tolist() == [13] * 5
    assert np.ptp(np.bincount(folds[groups == "a"], minlength=5)) <= 1
    np.testing.assert_array_equal(folds, dealt(groups, 5, 0))
    assert (folds != dealt(groups, 5, 1)).any()


def test_rows_of_one_key_stay_together() -> None:
    keys = [i // 4 for i in range(80)]
    folds = together(keys, 5, 0)
    assert all(len(set(folds[i : i + 4])) == 1 for i in range(0, 80, 4))
    assert set(folds) == set(range(5))


def test_one_class_alone_is_always_said() -> None:
    weights, bias = multinomial(np.eye(3, dtype=np.float32), np.array([1, 1, 1]), 3, 1.0)
    assert (np.eye(3) @ weights + bias).argmax(axis=1).tolist() == [1, 1, 1]
