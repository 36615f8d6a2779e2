"""EASE under a time kernel: against loops, ridge regressions one by one, and as published."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import world
from numbered import DAY, NOW, PERSON, N, empty, make_view, names, numbers, query, state, view
from penchant.learn.sources.linear import (
    LONGEST,
    Ease,
    Kernel,
    fit_ease,
    fit_factors,
    gram,
    solve,
)
from penchant.learn.view import View
from penchant.recall.linear import Factors, ItemWeights, Recency, load
from penchant.store.artefacts import Artefacts

KERNELS = (
    Kernel(),
    Kernel(moments_half=2.0),
    Kernel(moments_half=0.0),
    Kernel(days_half=3.0),
    Kernel(moments_half=1.0, days_half=20.0),
)


def histories(seed: int, n_items: int = 7, n_users: int = 9) -> View:
    """Return a view of the first choices of people whose moments hold one to three items."""
    rng = np.random.default_rng(seed)
    size = 40
    users = rng.integers(0, n_users, size).astype(np.int32)
    items = rng.integers(0, n_items, size).astype(np.int32)
    times = NOW + DAY * rng.integers(0, 12, size)
    return make_view(users, items, times, empty(n_items)).wanted()


def plainly(view: View, kernel: Kernel) -> np.ndarray:
    out = np.zeros((view.n_items, view.n_items))
    for user in np.unique(view.users):
        mine = [(t, i) for u, i, t in zip(view.users, view.items, view.times) if u == user]  # noqa: B905
        moments = sorted({t for t, _ in mine})
        for s, i in mine:
            for t, j in mine:
                apart = abs(moments.index(s) - moments.index(t))
                if kernel.moments_half == 0:
                    k = float(apart == 0)
                else:
                    k = 0.5 ** (apart / kernel.moments_half)
                out[i, j] += k * 0.5 ** (abs(s - t) / DAY / kernel.days_half)
    return out


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_gram_matrix_counts_pairs_by_how_near_they_lie(kernel: Kernel) -> None:
    view = histories(1)
    np.testing.assert_allclose(gram(view, kernel), plainly(view, kernel), rtol=1e-5)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(KERNELS))
def test_it_stays_positive_definite_under_every_kernel(seed: int, kernel: Kernel) -> None:
    total = gram(histories(seed), kernel)
    np.testing.assert_array_equal(total, total.T)
    assert np.linalg.eigvalsh(total.astype(np.float64)).min() > -1e-4


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("ridge", [0.5, 20.0])
def test_the_closed_form_is_one_ridge_regression_per_item(kernel: Kernel, ridge: float) -> None:
    total = gram(histories(2), kernel)
    weights = solve(total.copy(), ridge)
    assert not np.diag(weights).any()
    for item in range(len(total)):
        others = np.delete(np.arange(len(total)), item)
        left = total[np.ix_(others, others)].astype(np.float64) + ridge * np.eye(len(others))
        best = np.linalg.solve(left, total[others, item])
        np.testing.assert_allclose(weights[others, item], best, rtol=1e-3, atol=1e-5)


def test_a_kernel_of_ones_is_ease_as_published() -> None:
    """Steck 2019: P = (X'X + l I)^-1, B = I - P / diag(P)."""
    view = histories(3)
    x = np.zeros((view.n_users, view.n_items))
    x[view.users, view.items] = 1.0
    inverse = np.linalg.inv(x.T @ x + 2.0 * np.eye(view.n_items))
    published = np.eye(view.n_items) - inverse / np.diag(inverse)
    np.testing.assert_allclose(solve(gram(view, Kernel()), 2.0), published, rtol=1e-3, atol=1e-5)


def test_items_nobody_wanted_keep_empty_rows_and_columns() -> None:
    weights = solve(gram(view(), Kernel()), 1.0)
    cold = list(world.ITEMS).index("cold")
    assert not weights[cold].any()
    assert not weights[:, cold].any()
    assert weights.any()


def test_where_no_pair_exists_nothing_goes_with_anything() -> None:
    single = make_view(
        np.arange(3, dtype=np.int32), np.arange(3, dtype=np.int32), np.full(3, NOW), empty(4)
    )
    assert not solve(gram(single, Kernel()), 1.0).any()
    assert solve(np.zeros((0, 0), dtype=np.float32), 1.0).shape == (0, 0)


def test_of_a_huge_history_the_newest_part_counts() -> None:
    n = LONGEST + 30
    items = np.arange(n, dtype=np.int32)
    zeros = np.zeros(n, dtype=np.int32)
    total = gram(make_view(zeros, items, NOW + DAY * items, empty(n)), Kernel())
    assert not total[:30].any()
    assert (total[30:, 30:] == 1).all()


def test_it_finds_what_each_person_misses(tmp_path: Path) -> None:
    fit_ease(view(), [Ease("linear", Kernel(), 1.0, Recency())], Artefacts(tmp_path))
    folder = Artefacts(tmp_path)
    parts = ("starts", "columns", "values")
    arrays = {f"linear.{part}": folder.array(f"linear.{part}") for part in parts}
    source = load("linear", folder.json("linear"), arrays)
    assert isinstance(source, ItemWeights)
    for user_id, missing in world.MISSING.items():
        scores = source.score(query(), state(list(world.HISTORIES[user_id])))
        assert scores is not None
        allowed = np.ones(N, dtype=np.bool_)
        allowed[numbers(world.HISTORIES[user_id])] = False
        assert set(names(scores.top(1, allowed))) <= missing


def test_sources_that_learn_alike_share_their_rows(tmp_path: Path) -> None:
    folder = Artefacts(tmp_path)
    heads = [
        Ease("taste", Kernel(), 2.0, Recency()),
        Ease("recent", Kernel(), 2.0, Recency(moments_half=1.0)),
        Ease("near", Kernel(moments_half=1.0), 2.0, Recency()),
    ]
    fit_ease(view(), heads, folder)
    assert [folder.json(head.name)["rows"] for head in heads] == ["taste", "taste", "near"]
    assert not folder.has("recent.values.npy")
    assert not np.array_equal(folder.array("taste.values"), folder.array("near.values"))


def test_the_closed_form_takes_no_more_than_two_matrices() -> None:
    """Gram matrices of thousands of items weigh half a gigabyte each."""
    x = np.random.default_rng(0).random((50, 2000)).astype(np.float32)
    total = x.T @ x
    expected = solve(total.copy(), 1.0)
    large = np.zeros((2100, 2100), dtype=np.float32)
    large[100:, 100:] = total
    tracemalloc.start()
    weights = solve(large, 1.0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert weights is large
    np.testing.assert_array_equal(weights[100:, 100:], expected)
    assert peak < 2.5 * 8 * total.size  # in double precision, below SINGLE_ABOVE


def test_factors_find_it_too(tmp_path: Path) -> None:
    folder = Artefacts(tmp_path)
    for _ in range(2):
        fit_factors(
            view(),
            "factors",
            folder,
            factors=4,
            regularization=0.05,
            alpha=10.0,
            iterations=10,
            recency=Recency(),
            seed=3,
        )
        first = np.array(folder.array("factors.factors"))
    np.testing.assert_array_equal(first, folder.array("factors.factors"))
    source = load("factors", folder.json("factors"), {"factors.factors": first})
    assert isinstance(source, Factors)
    assert np.isnan(first[list(world.ITEMS).index("cold")]).all()
    for user_id in PERSON:
        if user_id in ("ann", "eve"):
            scores = source.score(query(), state(list(world.HISTORIES[user_id])))
            assert scores is not None
            allowed = np.ones(N, dtype=np.bool_)
            allowed[numbers(world.HISTORIES[user_id])] = False
            assert set(names(scores.top(1, allowed))) <= world.MISSING[user_id]
