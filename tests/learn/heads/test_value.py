from __future__ import annotations

import numpy as np
import pytest

from penchant.learn.heads.config import HeadConfig
from penchant.learn.heads.value import learn_value
from penchant.types import InvalidInput


def slope(n: int = 400, noise: float = 0.3, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(n, 8))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows.astype(np.float32), 5 + 3 * rows[:, 0] - rows[:, 1] + noise * rng.normal(size=n)


def test_the_number_and_its_interval() -> None:
    head = learn_value(*slope(), "e")
    rows, truth = slope(2000, seed=1)
    said = head.predict(rows).values
    assert np.abs(said[:, 0] - truth).mean() < 0.3
    inside = (said[:, 1] <= truth) & (truth <= said[:, 2])
    assert inside.mean() == pytest.approx(0.9, abs=0.04)
    assert head.learned["explained"] > 0.8


@pytest.mark.parametrize("coverage", [0.5, 0.8, 0.99])
def test_the_interval_covers_what_was_asked_for(coverage: float) -> None:
    head = learn_value(*slope(800), "e", HeadConfig(coverage=coverage))
    rows, truth = slope(2000, seed=1)
    said = head.predict(rows).values
    inside = (said[:, 1] <= truth) & (truth <= said[:, 2])
    assert inside.mean() == pytest.approx(coverage, abs=0.06)


def test_an_estimate_does_not_leave_what_was_learned() -> None:
    rows, values = slope(200)
    head = learn_value(rows, np.clip(values, 4, 6), "e")
    said = head.predict(slope(500, seed=3)[0]).values[:, 0]
    assert said.min() >= 4
    assert said.max() <= 6


def test_a_number_that_is_always_the_same() -> None:
    head = learn_value(slope(20)[0], [7.0] * 20, "e")
    np.testing.assert_allclose(head.predict(slope(5)[0]).values, 7.0, atol=1e-5)


def test_numbers_that_cannot_be_learned_are_refused() -> None:
    rows = slope(5)[0]
    for wrong, said in (
        ([1.0, 2.0], "each of 5"),
        ([1, 2, 3, 4, float("nan")], "1 that are not"),
        (["a"] * 5, "expected a number"),
    ):
        with pytest.raises(InvalidInput, match=said):
            learn_value(rows, wrong, "e")
    with pytest.raises(InvalidInput, match="at least 4"):
        learn_value(rows[:3], [1, 2, 3], "e")
