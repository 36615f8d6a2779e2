"""A search in two stages finds what an exact one finds, in a fraction of the bytes."""

from __future__ import annotations

import numpy as np
import pytest

from penchant.language.staged import staged
from penchant.types import Floats, InvalidInput


def catalogue(n: int = 4000, d: int = 128, seed: int = 0) -> Floats:
    """Texts of a catalogue: a common direction, topics, and first components that tell most."""
    rng = np.random.default_rng(seed)
    topics = rng.normal(size=(40, d)) * np.linspace(2.0, 0.2, d)
    rows = topics[rng.integers(0, 40, n)] + rng.normal(size=(n, d)) * 0.5 + 1.0
    unit: Floats = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return unit


def recall(vectors: Floats, found: list[np.ndarray], asked: np.ndarray, k: int) -> float:
    exact = np.argsort(-(vectors[asked] @ vectors.T), axis=1)[:, :k]
    return float(np.mean([np.isin(e, f).mean() for e, f in zip(exact, found, strict=True)]))


@pytest.mark.parametrize("rest", ["float32", "int8"])
@pytest.mark.parametrize("first", ["signs", "leading"])
def test_nearly_everything_near_is_found_in_few_bytes(first: str, rest: str) -> None:
    vectors = catalogue()
    asked = np.arange(0, 4000, 80)
    search = staged(vectors, first=first, leading=48, rest=rest)  # type: ignore[arg-type]
    found = [search.near(vectors[i], 10, survivors=200)[0] for i in asked]
    assert recall(vectors, found, asked, 10) > 0.93
    assert [ids[0] for ids in found] == asked.tolist()
    share = search.bytes_first / vectors.nbytes
    assert share == (1 / 32 if first == "signs" else 48 / 128)
    whole = {"float32": 1.0, "int8": 0.25 + 1 / 128}[rest]
    assert search.bytes_rest / vectors.nbytes == pytest.approx(whole)


def test_more_survivors_find_more_and_all_of_them_everything() -> None:
    vectors = catalogue(d=70)  # bits that fill no byte
    asked = np.arange(0, 4000, 80)
    search = staged(vectors)
    shares = [
        recall(vectors, [search.near(vectors[i], 10, s)[0] for i in asked], asked, 10)
        for s in (10, 40, 160, 4000)
    ]
    assert shares == sorted(shares)
    assert shares[0] < 0.9
    assert shares[-1] == 1.0


def test_scores_are_cosines_best_first() -> None:
    vectors = catalogue(500)
    for rest, tolerance in (("float32", 1e-6), ("int8", 0.01)):
        search = staged(vectors, rest=rest)  # type: ignore[arg-type]
        ids, scores = search.near(vectors[7], 20)
        assert ids.dtype == np.int32
        assert scores.dtype == np.float32
        np.testing.assert_allclose(scores, vectors[ids] @ vectors[7], atol=tolerance)
        assert (np.diff(scores) <= 0).all()


def test_rows_without_a_vector_are_never_found() -> None:
    vectors = catalogue(60)
    vectors[::2] = np.nan
    vectors[1] = 0.0
    for first in ("signs", "leading"):
        search = staged(vectors, first=first)  # type: ignore[arg-type]
        ids, _ = search.near(vectors[3], 60, survivors=60)
        assert sorted(ids.tolist()) == [*range(3, 60, 2)]
        few, _ = search.near(vectors[3], 5, survivors=40)
        assert (few % 2 == 1).all()


def test_nothing_to_search_is_no_error() -> None:
    for vectors in (np.zeros((0, 16), np.float32), np.full((3, 16), np.nan, np.float32)):
        ids, scores = staged(vectors).near(np.ones(16, np.float32) / 4, 5)
        assert (len(ids), len(scores)) == (0, 0)
    search = staged(catalogue(20, 16))
    assert len(search.near(np.ones(16, np.float32) / 4, 0)[0]) == 0
    assert len(search.near(np.ones(16, np.float32) / 4, 50)[0]) == 20


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InvalidInput, match=r"query of 16 components, got shape \(8,\)"):
        staged(catalogue(20, 16)).near(np.ones(8, np.float32), 5)
    with pytest.raises(InvalidInput, match="1 to 16 leading"):
        staged(catalogue(20, 16), first="leading", leading=17)
    with pytest.raises(InvalidInput, match=r"expected vectors \[n, d\]"):
        staged(np.zeros(3, np.float32))
