"""Vectors: exact products by item number, NaN for what has none, new rows at once."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penchant.store.faults import StoreError
from penchant.store.vectors import Kind, Vectors
from penchant.types import InvalidInput


def matrix(n: int, d: int = 8, seed: int = 0) -> np.ndarray:
    rows = np.random.default_rng(seed).standard_normal((n, d), dtype=np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_dot_is_the_product_with_every_row() -> None:
    rows = matrix(50)
    vectors = Vectors(rows)
    assert (len(vectors), vectors.dimension) == (50, 8)
    np.testing.assert_allclose(vectors.dot(rows[3]), rows @ rows[3], rtol=1e-5)
    assert vectors.dot(rows[3]).dtype == np.float32


def test_nothing_yet() -> None:
    vectors = Vectors()
    assert (len(vectors), vectors.dimension) == (0, 0)
    assert vectors.dot(np.zeros(0, dtype=np.float32)).tolist() == []
    assert vectors.rows(np.array([0, 5])).shape == (2, 0)
    vectors.set(np.array([2]), matrix(1, 3))
    assert (len(vectors), vectors.dimension) == (3, 3)
    assert np.isnan(vectors.dot(np.ones(3, dtype=np.float32))).tolist() == [True, True, False]


def test_late_rows_are_scored_like_those_of_the_file() -> None:
    rows = matrix(40)
    vectors = Vectors(rows[:30])
    vectors.set(np.array([31, 39]), rows[[31, 39]])
    vectors.set(np.array([5]), rows[[0]])  # a changed item
    got = vectors.dot(rows[0])
    assert len(got) == 40
    assert np.flatnonzero(np.isnan(got)).tolist() == [30, *range(32, 39)]
    np.testing.assert_allclose(got[[5, 31, 39]], rows[[0, 31, 39]] @ rows[0], rtol=1e-5)
    np.testing.assert_array_equal(vectors.rows(np.array([39, 5, 4])), rows[[39, 0, 4]])


def test_rows_that_are_missing_are_nan() -> None:
    rows = matrix(4)
    rows[2] = np.nan
    vectors = Vectors(rows)
    assert np.isnan(vectors.dot(rows[0])).tolist() == [False, False, True, False]
    got = vectors.rows(np.array([0, 2, 4, -1, 99], dtype=np.int32))
    assert np.isnan(got).all(axis=1).tolist() == [False, True, True, True, True]


def test_n_cuts_and_pads() -> None:
    rows = matrix(5)
    vectors = Vectors(rows)
    vectors.set(np.array([6]), rows[:1])
    assert np.isnan(vectors.dot(rows[0], n=9)).tolist() == [False] * 5 + [True, False, True, True]
    assert len(vectors.dot(rows[0], n=2)) == 2
    assert len(vectors.dot(rows[0], n=6)) == 6
    assert len(vectors.dot(rows[0], n=0)) == 0


@pytest.mark.parametrize("kind", ["float32", "float16", "int8"])
def test_many_queries_equal_one_at_a_time(tmp_path: Path, kind: str) -> None:
    rows = matrix(3000)
    Vectors(rows).save(tmp_path / "v.npy", kind)  # type: ignore[arg-type]
    vectors = Vectors.open(tmp_path / "v.npy")
    vectors.set(np.array([1, 3005]), rows[:2])
    together = vectors.dot(rows[:7])
    assert together.shape == (7, 3006)
    for query, line in zip(rows[:7], together, strict=True):
        np.testing.assert_allclose(vectors.dot(query), line, rtol=1e-4, atol=1e-6)


def test_the_last_of_several_rows_for_one_number_wins() -> None:
    rows = matrix(3)
    vectors = Vectors()
    vectors.set(np.array([0, 0, 0]), rows)
    np.testing.assert_array_equal(vectors.rows(np.array([0])), rows[2:])
    vectors.set(np.array([0]), rows[:1])
    np.testing.assert_array_equal(vectors.rows(np.array([0])), rows[:1])
    vectors.set(np.array([], dtype=np.int32), np.zeros((0, 8), dtype=np.float32))


@pytest.mark.parametrize("kind", ["float32", "float16", "int8"])
def test_saved_and_opened_the_scores_are_the_same(tmp_path: Path, kind: str) -> None:
    rows = matrix(2500, 32)
    rows[7] = np.nan
    vectors = Vectors(rows[:2400])
    vectors.set(np.arange(2450, 2500), rows[2450:])
    path = tmp_path / "v.npy"
    vectors.save(path, kind)  # type: ignore[arg-type]
    opened = Vectors.open(path)
    assert not opened._state.base.flags.owndata  # mapped, not read
    assert (len(opened), opened.dimension) == (2500, 32)
    got, wanted = opened.dot(rows[0]), vectors.dot(rows[0])
    assert np.flatnonzero(np.isnan(got)).tolist() == [7, *range(2400, 2450)]
    loss = {"float32": 1e-6, "float16": 1e-3, "int8": 0.01}[kind]
    np.testing.assert_allclose(got, wanted, atol=loss)
    opened.save(tmp_path / "again.npy", kind)  # type: ignore[arg-type]
    assert (tmp_path / "again.npy").read_bytes() == path.read_bytes()
    opened.save(path)  # onto the file it is mapped from
    everything = np.arange(2500)
    np.testing.assert_array_equal(Vectors.open(path).rows(everything), opened.rows(everything))
    bits = {"float32": 32, "float16": 16, "int8": 9}[kind]
    assert (tmp_path / "again.npy").stat().st_size == 2500 * 32 * bits // 8 + 128
    assert [p.name for p in sorted(tmp_path.iterdir())] == ["again.npy", "v.npy"]


def test_rows_of_zeros_and_huge_rows_survive_int8(tmp_path: Path) -> None:
    rows = np.array([[0, 0], [1e30, -1e30], [1e-30, 0], [np.inf, 1]], dtype=np.float32)
    vectors = Vectors(rows[:3])
    vectors.set(np.array([3]), rows[3:])
    assert np.isnan(vectors.rows(np.array([3]))).all()
    Vectors(rows).save(tmp_path / "v.npy", "int8")
    got = Vectors.open(tmp_path / "v.npy").rows(np.arange(4))
    np.testing.assert_allclose(got[:3], rows[:3], rtol=0.01)
    assert np.isnan(got[3]).all()


def test_questions_of_zeros_and_without_end(tmp_path: Path) -> None:
    Vectors(np.eye(3, dtype=np.float32)).save(tmp_path / "v.npy", "int8")
    vectors = Vectors.open(tmp_path / "v.npy")
    assert vectors.dot(np.zeros(3, dtype=np.float32)).tolist() == [0.0, 0.0, 0.0]
    for wrong in (np.nan, np.inf):
        asked = np.array([wrong, 0.0, 1.0], dtype=np.float32)
        assert np.isnan(vectors.dot(asked)).all()
        assert np.isnan(vectors.dot(asked[None])).all()


def test_questions_leave_the_count_of_none_as_it_was(tmp_path: Path) -> None:
    """A library that lets go of one None too many ends the process after enough questions."""
    Vectors(matrix(50)).save(tmp_path / "v.npy", "int8")
    vectors = Vectors.open(tmp_path / "v.npy")
    query = matrix(1)[0]
    before = sys.getrefcount(None)
    for _ in range(2_000):
        vectors.dot(query)
    assert abs(sys.getrefcount(None) - before) < 500


@pytest.mark.parametrize("kind", ["float32", "float16", "int8"])
def test_nothing_can_be_saved_and_opened(tmp_path: Path, kind: str) -> None:
    Vectors().save(tmp_path / "v.npy", kind)  # type: ignore[arg-type]
    assert len(Vectors.open(tmp_path / "v.npy")) == 0


def test_bad_input_is_refused(tmp_path: Path) -> None:
    vectors = Vectors(matrix(3))
    with pytest.raises(InvalidInput, match=r"query of 8 numbers, got \[7\]"):
        vectors.dot(np.zeros(7, dtype=np.float32))
    with pytest.raises(InvalidInput, match="vectors of 8 numbers, got 9"):
        vectors.set(np.array([1]), np.zeros((1, 9), dtype=np.float32))
    with pytest.raises(InvalidInput, match="a row for each of 2"):
        vectors.set(np.array([1, 2]), np.zeros((1, 8), dtype=np.float32))
    with pytest.raises(InvalidInput, match="a row for each"):
        vectors.set(np.array([-1]), np.zeros((1, 8), dtype=np.float32))
    with pytest.raises(InvalidInput, match="float64"):
        Vectors(np.zeros((2, 2)))
    (tmp_path / "v.npy").write_bytes(b"nothing")
    with pytest.raises(StoreError, match="holds no vectors"):
        Vectors.open(tmp_path / "v.npy")
    with pytest.raises(StoreError, match="holds no vectors"):
        Vectors.open(tmp_path / "missing.npy")


def test_readers_see_whole_rows_while_others_arrive() -> None:
    ones = np.ones((1, 64), dtype=np.float32)
    vectors = Vectors(np.ones((10, 64), dtype=np.float32))
    stop = threading.Event()
    torn: list[float] = []

    def read() -> None:
        while not stop.is_set():
            got = vectors.dot(ones[0])
            # Every row is k ones for some k: its product is a multiple of 64.
            torn.extend(v for v in got[np.isfinite(got)] if v % 64)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for k in range(400):
        vectors.set(np.array([k % 37]), ones * (k % 5 + 1))
    stop.set()
    for reader in readers:
        reader.join()
    assert torn == []


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 12),
    st.lists(st.lists(st.integers(0, 20), min_size=1, max_size=6), max_size=8),
    st.integers(0, 2**32 - 1),
)
def test_it_is_a_plain_dictionary_of_rows(n: int, batches: list[list[int]], seed: int) -> None:
    rng = np.random.default_rng(seed)
    base = rng.standard_normal((n, 4), dtype=np.float32)
    vectors, plain = Vectors(base), dict(enumerate(base))
    for numbers in batches:
        rows = rng.standard_normal((len(numbers), 4), dtype=np.float32)
        vectors.set(np.array(numbers), rows)
        plain.update(zip(numbers, rows, strict=True))
    length = max(plain, default=-1) + 1
    wanted = np.full((length, 4), np.nan, dtype=np.float32)
    for number, row in plain.items():
        wanted[number] = row
    assert len(vectors) == length
    np.testing.assert_array_equal(vectors.rows(np.arange(length)), wanted)
    query = rng.standard_normal(4, dtype=np.float32)
    np.testing.assert_allclose(vectors.dot(query), wanted @ query, rtol=1e-4, atol=1e-5)


def test_late_rows_cost_little_beside_the_product_itself() -> None:
    rows = matrix(20_000, 128)
    vectors = Vectors(rows)
    vectors.set(np.arange(20_000, 20_100), rows[:100])
    query = rows[0]

    def quickest(work: Callable[[], object]) -> float:
        times = []
        for _ in range(40):
            start = time.perf_counter()
            work()
            times.append(time.perf_counter() - start)
        return min(times)

    # A ratio taken side by side: the machine that tests run on may be busy.
    assert quickest(lambda: vectors.dot(query)) < 3 * quickest(lambda: rows @ query) + 2e-4


@pytest.mark.parametrize("kind", ["float32", "float16", "int8"])
def test_what_differs_is_what_a_file_can_tell_apart(tmp_path: Path, kind: Kind) -> None:
    rows = matrix(50, d=128)
    rows[7] = np.nan
    Vectors(rows).save(tmp_path / "vectors.npy", kind)
    vectors = Vectors.open(tmp_path / "vectors.npy")
    everything = np.arange(50, dtype=np.int32)
    assert not vectors.differ(everything, rows).any()
    # Text that was there and is not, that was not and is, another, and an item of later.
    changed = np.concatenate([rows, rows[:1]])
    changed[3], changed[7], changed[9] = np.nan, rows[8], rows[10]
    numbers = np.arange(51, dtype=np.int32)
    assert np.flatnonzero(vectors.differ(numbers, changed)).tolist() == [3, 7, 9, 50]
    vectors.set(numbers, changed)
    assert not vectors.differ(numbers, changed).any()
    # One number of many is enough.
    changed[20, 5] += 0.01
    assert np.flatnonzero(vectors.differ(numbers, changed)).tolist() == [20]


def test_everything_differs_where_there_is_nothing_or_another_space() -> None:
    numbers = np.arange(3, dtype=np.int32)
    assert Vectors().differ(numbers, matrix(3)).all()
    assert Vectors(matrix(3, d=4)).differ(numbers, matrix(3)).all()
    assert Vectors().differ(numbers[:0], matrix(0)).tolist() == []
