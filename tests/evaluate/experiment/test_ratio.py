"""The sample-ratio check: beside a library, quiet by chance, loud where people are lost."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi2, chisquare

from penchant.evaluate.experiment.ratio import DOUBT, exceeded, sample_ratio
from penchant.types import InvalidInput


@pytest.mark.parametrize("degrees", range(1, 12))
def test_the_tail_of_chi_square(degrees: int) -> None:
    for x in (0.0, 0.01, 0.5, 3.0, 10.0, 40.0, 100.0, 900.0):
        assert exceeded(x, degrees) == pytest.approx(chi2.sf(x, degrees), rel=1e-9, abs=1e-300)
    assert exceeded(1e6, degrees) == 0.0


def test_beside_a_library() -> None:
    found = sample_ratio([510, 240, 250], [0.5, 0.25, 0.25])
    assert found == pytest.approx(chisquare([510, 240, 250], [500, 250, 250]).pvalue)
    # Of some variants only: what they share.
    assert sample_ratio([240, 260], [0.25, 0.25]) == pytest.approx(chisquare([240, 260]).pvalue)
    assert sample_ratio([0, 0], [0.5, 0.5]) == 1.0
    assert sample_ratio([7], [0.5]) == 1.0
    with pytest.raises(InvalidInput, match="a share above 0 for each count"):
        sample_ratio([1, 2], [0.5, 0.0])


def test_chance_alone_is_doubted_one_time_in_a_thousand() -> None:
    rng = np.random.default_rng(0)
    counts = rng.multinomial(2000, [0.5, 0.3, 0.2], size=20_000)
    doubted = sum(sample_ratio(row, [0.5, 0.3, 0.2]) < DOUBT for row in counts.tolist())
    assert 5 <= doubted <= 45


def test_a_loss_of_five_in_a_hundred_is_found() -> None:
    rng = np.random.default_rng(1)
    for _ in range(20):
        came = rng.binomial(20_000, 0.5)
        assert sample_ratio([20_000 - came, rng.binomial(came, 0.92)], [0.5, 0.5]) < DOUBT
