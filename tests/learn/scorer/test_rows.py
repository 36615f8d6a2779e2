"""Rows: their NDCG is the one that evaluation measures, and they split between moments."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penchant.learn.scorer.rows import Rows
from penchant.measure import ranking


def draw(seed: int, requests: int = 12, most: int = 25, times: np.ndarray | None = None) -> Rows:
    """Return requests of different sizes, some with nothing wanted, some with missed targets."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, most, requests)
    starts = np.concatenate(([0], np.cumsum(sizes))).astype(np.int64)
    n = int(starts[-1])
    items = np.concatenate([rng.permutation(most)[:size] for size in sizes]).astype(np.int32)
    return Rows(
        features=rng.normal(size=(n, 3)).astype(np.float32),
        items=items,
        wanted=rng.random(n) < 0.2,
        starts=starts,
        times=np.arange(requests, dtype=np.float64) if times is None else times,
        users=rng.integers(0, 5, requests).astype(np.int32),
        missed=rng.integers(0, 3, requests).astype(np.int32),
        arms=("next",) * requests,
        names=("one", "two", "three"),
        n_sources=2,
    )


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 5, 10]))
def test_ndcg_is_what_evaluation_measures(seed: int, k: int) -> None:
    rows = draw(seed)
    scores = np.random.default_rng(seed).permutation(len(rows.items)).astype(np.float32)
    got = rows.ndcg(scores, k)
    ranked = np.full((len(rows), k), -1, dtype=np.int64)
    wanted: list[list[int]] = []
    for r in range(len(rows)):
        cut = slice(int(rows.starts[r]), int(rows.starts[r + 1]))
        best = rows.items[cut][np.argsort(-scores[cut])][:k]
        ranked[r, : len(best)] = best
        missed = range(1000, 1000 + int(rows.missed[r]))  # wanted, and not among the candidates
        wanted.append([*rows.items[cut][rows.wanted[cut]].tolist(), *missed])
    some = np.array([len(one) > 0 for one in wanted])
    lists = ranking.Lists.of([one for one in wanted if one])
    hit = ranking.hits(ranked[some], lists)
    np.testing.assert_allclose(got[some], ranking.ndcg(hit, lists.lengths, k), rtol=1e-9)
    assert not got[~some].any()


def test_the_best_order_of_all_scores_one_where_nothing_is_missed() -> None:
    rows = draw(3)
    gains = rows.ndcg(rows.wanted.astype(np.float32))
    full = np.array([rows.wanted[a:e].any() for a, e in zip(rows.starts, rows.starts[1:])])  # noqa: B905
    assert gains[full & (rows.missed == 0)] == pytest.approx(1.0)
    assert (gains[full & (rows.missed > 0)] < 1.0).all()


@pytest.mark.parametrize("share", [0.1, 0.3, 0.7])
def test_a_split_lies_between_two_moments(share: float) -> None:
    times = np.repeat(np.arange(20.0), 5)
    rows = draw(1, 100, times=times)
    early, late = rows.split(share)
    assert len(early) + len(late) == 100
    assert early.times.max() < late.times.min()
    assert abs(len(late) - 100 * share) <= 5
    scores = np.arange(len(rows.items), dtype=np.float32)
    both = np.concatenate(
        (early.ndcg(scores[: len(early.items)]), late.ndcg(scores[len(early.items) :]))
    )
    np.testing.assert_array_equal(both, rows.ndcg(scores))
    assert early.arms + late.arms == rows.arms
    assert late.starts[0] == early.starts[0] == 0
    np.testing.assert_array_equal(np.concatenate((early.users, late.users)), rows.users)


def test_requests_of_one_moment_are_cut_anywhere() -> None:
    rows = draw(2, 50, times=np.zeros(50))
    early, late = rows.split(0.3)
    assert (len(early), len(late)) == (35, 15)
