from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from penchant.language.staged import Staged
from penchant.language.whitening import Whitening
from penchant.store.vectors import Vectors
from penchant.types import Floats, InvalidInput

N, D = 6000, 128


def catalogue(n: int = N) -> Floats:
    """Rows like those of titles: groups in groups, a common direction, few strong dimensions."""
    rng = np.random.default_rng(0)
    spread = np.float32(1.0) / np.sqrt(1 + np.arange(384, dtype=np.float32))
    shelves = rng.normal(size=(40, 384)).astype(np.float32) * spread
    kinds = shelves[rng.integers(0, 40, 600)] + rng.normal(size=(600, 384)) * spread * 0.8
    rows = kinds[rng.integers(0, 600, n)] + rng.normal(size=(n, 384)) * spread * 0.5
    rows = rows.astype(np.float32) + np.float32(0.3)
    return Whitening.fit(rows, D)(rows)


@pytest.fixture(scope="module")
def rows() -> Floats:
    return catalogue()


@pytest.fixture(scope="module")
def vectors(rows: Floats, tmp_path_factory: pytest.TempPathFactory) -> Vectors:
    path = tmp_path_factory.mktemp("rows") / "rows.npy"
    Vectors(rows).save(path, "int8")
    return Vectors.open(path)


def exact(vectors: Vectors, query: Floats, k: int) -> np.ndarray:
    return np.argsort(-np.nan_to_num(vectors.dot(query), nan=-9.0), kind="stable")[:k]


def recall(staged: Staged, vectors: Vectors, rows: Floats, k: int = 10) -> float:
    asked = rows[np.random.default_rng(1).choice(len(rows), 200, replace=False)]
    found = [len(np.intersect1d(staged.top(q, k)[0], exact(vectors, q, k))) for q in asked]
    return float(np.mean(found)) / k


def test_few_survivors_hold_nearly_all_of_the_best(rows: Floats, vectors: Vectors) -> None:
    bits = [recall(Staged(vectors, survivors=s), vectors, rows) for s in (20, 100, 400)]
    assert bits[0] < bits[1] <= bits[2]
    assert bits[1] > 0.9
    assert bits[2] > 0.98
    assert recall(Staged(vectors, first=32, survivors=400), vectors, rows) > 0.8
    # By chance a fifteenth would be among them.
    assert recall(Staged(vectors, survivors=N), vectors, rows) > 0.99


def test_scores_are_those_of_whole_rows_best_first(rows: Floats, vectors: Vectors) -> None:
    numbers, scores = Staged(vectors).top(rows[7], 10)
    assert numbers[0] == 7
    assert numbers.dtype == np.int32
    assert len(numbers) == 10
    assert (np.diff(scores) <= 0).all()
    np.testing.assert_allclose(scores, vectors.dot(rows[7])[numbers], atol=0.005)


def test_the_short_form_takes_a_bit_a_number(vectors: Vectors) -> None:
    assert Staged(vectors).nbytes == N * D // 8
    assert Staged(vectors, first=32).nbytes == N * 32


@pytest.mark.parametrize("first", [0, 24])
def test_only_those_that_compete(rows: Floats, vectors: Vectors, first: int) -> None:
    among = np.zeros(N, dtype=np.bool_)
    among[100:160] = True
    numbers, _ = Staged(vectors, first=first, survivors=60).top(rows[7], 10, among)
    assert set(numbers) <= set(range(100, 160))
    inside = 100 + np.argsort(-vectors.dot(rows[7])[100:160], kind="stable")[:10]
    assert len(np.intersect1d(numbers, inside)) >= 9
    nobody = np.zeros(N, dtype=np.bool_)
    assert len(Staged(vectors, first=first).top(rows[7], 10, nobody)[0]) == 0


@pytest.mark.parametrize("first", [0, 8])
def test_items_without_a_vector_never_come_and_new_ones_do(rows: Floats, first: int) -> None:
    some = rows[:500].copy()
    some[::3] = np.nan
    vectors = Vectors(some)
    staged = Staged(vectors, first=first)
    numbers, scores = staged.top(rows[0], 500)
    assert len(numbers) == 333
    assert np.isfinite(scores).all()
    vectors.set(np.array([700], dtype=np.int32), rows[:1])
    assert staged.top(rows[0], 3)[0][0] == 700
    assert staged.top(rows[0], 3, np.ones(600, dtype=np.bool_))[0][0] != 700
    # A row that changed is found where its old form survives, and after reading anew.
    vectors.set(np.array([1], dtype=np.int32), rows[:1])
    staged.read()
    assert set(staged.top(rows[0], 2)[0]) == {1, 700}


def test_the_same_question_has_the_same_answer_and_ties_go_to_the_lower_number() -> None:
    vectors = Vectors(np.tile(np.eye(4, dtype=np.float32), (50, 1)))
    numbers, _ = Staged(vectors, survivors=1).top(np.eye(4, dtype=np.float32)[1], 5)
    assert list(numbers) == [1, 5, 9, 13, 17]


def test_nothing_to_search(tmp_path: Path) -> None:
    staged = Staged(Vectors())
    assert [len(part) for part in staged.top(np.zeros(0, dtype=np.float32), 5)] == [0, 0]
    blank = Vectors(np.full((3, 4), np.nan, dtype=np.float32))
    assert len(Staged(blank, first=2).top(np.ones(4, dtype=np.float32), 5)[0]) == 0


def test_wide_rows_of_any_length() -> None:
    rng = np.random.default_rng(2)
    rows = rng.normal(size=(900, 301)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    staged = Staged(Vectors(rows), survivors=50)
    assert all(staged.top(rows[i], 1)[0][0] == i for i in range(0, 900, 90))


def test_bad_input_is_refused(rows: Floats, vectors: Vectors) -> None:
    with pytest.raises(InvalidInput, match="first"):
        Staged(vectors, first=129)
    with pytest.raises(InvalidInput, match="survivor"):
        Staged(vectors, survivors=0)
    with pytest.raises(InvalidInput, match="128 numbers"):
        Staged(vectors).top(rows[0, :3], 5)
    with pytest.raises(InvalidInput, match="finite"):
        Staged(vectors).top(np.full(D, np.nan, dtype=np.float32), 5)
