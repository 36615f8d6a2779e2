from __future__ import annotations

import numpy as np

from clouds import cloud
from penchant.language.heads.familiarity import NEAR, Familiarity, nearest


def test_the_nearest_is_the_largest_cosine_in_blocks_too() -> None:
    rows, among = cloud(600, seed=1)[0], cloud(90, seed=2)[0]
    np.testing.assert_allclose(nearest(rows, among), (rows @ among.T).max(axis=1), atol=1e-6)
    assert (nearest(rows, among[:0]) == -1).all()


def test_sureness_and_nearness_add_up() -> None:
    rows = cloud(5)[0]
    some = Familiarity(rows, 0.0)
    alone = some.score(rows)
    np.testing.assert_allclose(alone, NEAR, atol=1e-5)
    np.testing.assert_allclose(some.score(rows, np.full(5, 0.5)), alone + np.log(0.5), atol=1e-5)
    assert np.isfinite(some.score(rows, np.zeros(5))).all()


def test_what_says_nothing_is_never_known() -> None:
    some = Familiarity(cloud(5)[0], -100.0)
    told = np.array([True, False])
    assert some.known(np.array([0.0, 0.0], np.float32), told).tolist() == [True, False]
