"""Tails and distances against scipy, and against what is known of them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from penchant.measure.surprise import above, apart, below, energy, kolmogorov, spread_of, stability


@given(st.integers(0, 3000), st.floats(0.05, 2000), st.sampled_from([0.0, 0.01, 0.3, 4.0]))
def test_tails_are_those_of_scipy(count: int, mean: float, spread: float) -> None:
    law = stats.nbinom(1 / spread, 1 / (1 + spread * mean)) if spread else stats.poisson(mean)
    if count > mean:
        expected = law.logsf(count - 1) / math.log(10)
        assert below(count, mean, spread) == 0.0
        found = above(count, mean, spread)
    elif count < mean:
        expected = law.logcdf(count) / math.log(10)
        assert above(count, mean, spread) == 0.0
        found = below(count, mean, spread)
    else:
        return
    if expected > -300:
        assert found == pytest.approx(expected, rel=1e-5, abs=1e-6)
    else:
        assert found < -250


def test_nothing_expected_and_something_there() -> None:
    assert above(5, 0.0) < -100
    assert below(0, 0.0) == 0.0
    assert above(0, 0.0) == 0.0


def test_spread_is_found_again_and_survives_a_bad_day() -> None:
    rng = np.random.default_rng(3)
    mean = np.full(2000, 80.0)
    counts = rng.negative_binomial(1 / 0.05, 1 / (1 + 0.05 * mean)).astype(float)
    assert spread_of(counts, mean) == pytest.approx(0.05, rel=0.35)
    counts[:20] = 100_000.0
    assert spread_of(counts, mean) == pytest.approx(0.05, rel=1.0)
    assert spread_of(rng.poisson(mean).astype(float), mean) < 0.01
    assert spread_of(np.zeros(0), np.zeros(0)) == 0.0


def test_kolmogorov_is_that_of_scipy() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=300), rng.normal(0.7, 1.0, 200)
    distance, p = kolmogorov(a, b)
    assert distance == pytest.approx(stats.ks_2samp(a, b).statistic)
    assert p == pytest.approx(math.log10(stats.ks_2samp(a, b, method="asymp").pvalue), rel=0.15)
    assert kolmogorov(a, a)[0] == 0.0
    assert kolmogorov(a, np.zeros(0)) == (0.0, 0.0)


def test_stability_tells_a_shift_from_none() -> None:
    rng = np.random.default_rng(2)
    old = rng.normal(size=2000)
    assert stability(rng.normal(size=1000), old) < 0.05
    assert stability(rng.normal(1.0, 1.0, 1000), old) > 0.25
    assert stability(np.zeros(0), old) == 0.0


def test_energy_is_nothing_between_equals_and_grows_with_the_gap() -> None:
    rng = np.random.default_rng(4)
    a, b = rng.normal(size=(200, 5)), rng.normal(size=(150, 5))
    assert abs(energy(a, b)) < 0.05
    assert energy(a, b + 0.5) < energy(a, b + 1.0)
    straight = np.mean([np.linalg.norm(x - y) for x in a[:20] for y in b[:20]])
    assert apart(a[:20], b[:20]) == pytest.approx(straight)
