"""Sparse rows against the dense matrix they stand for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penchant.recall.sparse import SparseRows

SHAPES = st.tuples(st.integers(1, 7), st.integers(1, 7), st.integers(0, 2**32 - 1))


def matrix(rows: int, columns: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    dense = rng.normal(size=(rows, columns)) * (rng.random((rows, columns)) < 0.6)
    return dense.astype(np.float32)


def to_dense(sparse: SparseRows, width: int) -> np.ndarray:
    out = np.zeros((sparse.n_rows, width), dtype=np.float32)
    for r in range(sparse.n_rows):
        columns, values = sparse.row(r)
        assert (np.diff(columns) > 0).all()  # sorted: contributions are found by bisection
        out[r, columns] = values
    return out


@settings(max_examples=150, deadline=None)
@given(SHAPES, st.integers(1, 9))
def test_the_largest_entries_of_each_row_are_kept(shape, keep) -> None:
    dense = matrix(*shape)
    got = to_dense(SparseRows.from_dense(dense, keep), dense.shape[1])
    for row, kept in zip(dense, got, strict=True):
        assert np.count_nonzero(kept) == min(keep, np.count_nonzero(row))
        np.testing.assert_array_equal(kept[kept != 0], row[kept != 0])
        lost = np.abs(row[kept == 0])
        assert not np.any(kept) or lost.max(initial=0) <= np.abs(kept[kept != 0]).min()


@settings(max_examples=150, deadline=None)
@given(SHAPES, st.lists(st.tuples(st.integers(0, 9), st.floats(-2, 2)), max_size=9))
def test_a_weighted_sum_of_rows_is_the_dense_product(shape, asked) -> None:
    dense = matrix(*shape)
    sparse = SparseRows.from_dense(dense, dense.shape[1])
    rows = np.array([r for r, _ in asked], dtype=np.int32)
    weights = np.array([w for _, w in asked], dtype=np.float32)
    padded = np.zeros((10, dense.shape[1]), dtype=np.float32)  # unknown rows are empty
    padded[: len(dense)] = dense
    for width in (dense.shape[1], dense.shape[1] + 3, 1):
        want = np.zeros(width, dtype=np.float32)
        whole = weights @ padded[rows]
        want[: min(width, len(whole))] = whole[:width]
        got = sparse.weighted_sum(rows, weights, width)
        assert got.dtype == np.float32
        np.testing.assert_allclose(got, want, atol=1e-4)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(-3, 3)), max_size=40),
    st.sampled_from([None, 1, 2, 10]),
)
def test_pairs_are_summed_and_the_largest_kept(pairs, keep) -> None:
    dense = np.zeros((6, 6))
    for r, c, v in pairs:
        dense[r, c] += v
    sparse = SparseRows.from_pairs(
        np.array([r for r, *_ in pairs], dtype=np.int32),
        np.array([c for _, c, _ in pairs], dtype=np.int32),
        np.array([v for *_, v in pairs], dtype=np.float64),
        6,
        keep,
    )
    got = to_dense(sparse, 6)
    if keep is None:
        np.testing.assert_allclose(got, dense)
        return
    named = {(r, c) for r, c, _ in pairs}
    for r in range(6):
        columns, values = sparse.row(r)
        assert len(columns) == min(keep, len({c for row, c in named if row == r}))
        others = [dense[r, c] for row, c in named if row == r and c not in columns]
        assert not others or not len(values) or max(others) <= values.min()
        np.testing.assert_allclose(values, dense[r, columns])


def test_a_matrix_of_many_rows_is_cut_into_blocks_without_a_seam() -> None:
    dense = matrix(2500, 40, 3)
    for keep in (5, 40):
        sparse = SparseRows.from_dense(dense, keep)
        assert sparse.n_rows == 2500
        for r in (0, 1023, 1024, 2047, 2048, 2499):
            columns, values = sparse.row(r)
            np.testing.assert_array_equal(values, dense[r, columns])
            assert len(values) == min(keep, np.count_nonzero(dense[r]))


def test_rows_beyond_the_last_are_empty() -> None:
    sparse = SparseRows.from_dense(np.ones((2, 2), dtype=np.float32), 2)
    columns, values = sparse.row(7)
    assert len(columns) == len(values) == 0
    none = np.zeros(0, dtype=np.int32)
    assert sparse.weighted_sum(none, none.astype(np.float32), 2).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("n_rows", [0, 3])
def test_no_pairs_make_empty_rows(n_rows: int) -> None:
    none = np.zeros(0, dtype=np.int32)
    sparse = SparseRows.from_pairs(none, none, none.astype(np.float64), n_rows, keep=5)
    assert sparse.n_rows == n_rows
    assert not len(sparse.values)


def test_it_comes_back_from_its_arrays() -> None:
    sparse = SparseRows.from_dense(matrix(5, 4, 1), 3)
    back = SparseRows.load(sparse.arrays("near"), "near")
    assert set(sparse.arrays("near")) == {"near.starts", "near.columns", "near.values"}
    np.testing.assert_array_equal(to_dense(back, 4), to_dense(sparse, 4))


def test_the_largest_entries_of_a_matrix_are_those_of_the_whole() -> None:
    dense = matrix(60, 50, 4)
    whole = SparseRows.from_dense(dense, 50)
    for keep in (1, 7, 50, 99):
        pruned = whole.largest(keep)
        np.testing.assert_array_equal(
            to_dense(pruned, 50), to_dense(SparseRows.from_dense(dense, keep), 50)
        )
        assert all((np.diff(pruned.row(r)[0]) > 0).all() for r in range(60))
        assert np.diff(pruned.starts).max() <= keep
    none = np.zeros(0, dtype=np.int32)
    empty = SparseRows.from_pairs(none, none, none.astype(np.float64), 3).largest(2)
    assert (empty.n_rows, len(empty.values)) == (3, 0)
