from __future__ import annotations

import numpy as np
import pytest

from clouds import paired_cloud
from penchant.language.heads.rows import compared
from penchant.learn.heads.relevance import learn_relevance
from penchant.measure.calibration import calibration_error, separation
from penchant.types import InvalidInput


def test_what_answers_is_told_from_what_does_not() -> None:
    rows, yes, queries = paired_cloud()
    head = learn_relevance(rows, yes, "e", queries=queries)
    asked, truth, _ = paired_cloud(seed=1)
    said = head.predict(asked).values[:, 0]
    assert separation(truth, said) > 0.95
    assert calibration_error(said, truth, bins=5) < 0.1


def test_it_learns_which_components_matter() -> None:
    """Relevant where they agree in the first half of the components: the cosine knows only half."""
    rng = np.random.default_rng(0)
    n, d = 3000, 12
    query, text = rng.normal(size=(2, n, d))
    yes = rng.random(n) < 0.5
    text[:, :6] = np.where(yes[:, None], query[:, :6] + 0.3 * text[:, :6], text[:, :6])
    rows = np.hstack([query, text]).astype(np.float32)
    head = learn_relevance(rows[:2000], yes[:2000], "e")
    assert head.learned["auroc"] > head.learned["auroc_cosine"] + 0.02
    said = head.predict(rows[2000:]).values[:, 0]
    assert separation(yes[2000:], said) > 0.9


def test_pairs_are_compared_alike_from_either_side() -> None:
    rows = paired_cloud()[0][:20]
    turned = np.hstack(np.split(rows, 2, axis=1)[::-1])
    np.testing.assert_allclose(compared(rows), compared(turned), atol=1e-6)


def test_pairs_that_cannot_be_learned_are_refused() -> None:
    rows = paired_cloud()[0][:6]
    for wrong, said in (
        ([True] * 6, "of which 6 are"),
        ([False] * 6, "of which 0 are"),
        ([True] * 5, "each of 6 pairs"),
        ([0.5] * 6, "true or false"),
    ):
        with pytest.raises(InvalidInput, match=said):
            learn_relevance(rows, wrong, "e")
