"""Sizes: tables are written smaller, and what is served from them is nearly what it was."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from penchant.recall.assemble import RecallPlan
from penchant.recall.sizes import RecallConfig, shrink
from penchant.recall.sparse import SparseRows
from penchant.store.artefacts import Artefacts
from penchant.store.vectors import Kind, Vectors

ROWS, WIDTH = 300, 64


@pytest.fixture
def folder(tmp_path: Path) -> Artefacts:
    """A folder with a matrix that two sources share, a source of factors, and texts."""
    rng = np.random.default_rng(0)
    made = Artefacts(tmp_path)
    plan = RecallPlan(linear=("taste", "recent", "factors"), covisitation=False, text=True)
    plan.save(made)
    matrix = rng.normal(size=(ROWS, ROWS)).astype(np.float32)
    made.write_arrays(SparseRows.from_dense(matrix, 100).arrays("taste"))
    made.write_array("factors.factors", matrix[:, :8])
    text = rng.normal(size=(ROWS, WIDTH)).astype(np.float32)
    text /= np.linalg.norm(text, axis=1, keepdims=True)
    text[5] = np.nan
    made.write_array("text.vectors", text)
    return made


def read(folder: Artefacts) -> SparseRows:
    parts = ("starts", "columns", "values")
    return SparseRows.load({f"taste.{p}": folder.array(f"taste.{p}") for p in parts}, "taste")


def files(folder: Artefacts) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.folder.iterdir()}


def test_full_tables_stay_what_they_are(folder: Artefacts) -> None:
    before = files(folder)
    shrink(folder, RecallConfig(vectors="float32"))
    assert files(folder) == before


def test_no_more_than_the_wanted_entries_are_kept(folder: Artefacts) -> None:
    whole = read(folder)
    shrink(folder, RecallConfig(entries=20, vectors="float32"))
    pruned = read(folder)
    assert np.diff(pruned.starts).tolist() == [20] * ROWS
    for r in (0, 17, ROWS - 1):
        (columns, values), (all_columns, all_values) = pruned.row(r), whole.row(r)
        np.testing.assert_array_equal(values, all_values[np.isin(all_columns, columns)])
        assert np.abs(values).min() >= np.sort(np.abs(all_values))[-20]
    before = files(folder)
    shrink(folder, RecallConfig(entries=50, vectors="float32"))  # what is gone is gone
    assert files(folder) == before


@pytest.mark.parametrize(("kind", "share", "loss"), [("float16", 0.5, 1e-3), ("int8", 0.27, 0.01)])
def test_vectors_are_stored_in_fewer_bits(
    folder: Artefacts, kind: Kind, share: float, loss: float
) -> None:
    full = np.array(folder.array("text.vectors"))
    factors = np.array(folder.array("factors.factors"))
    size = folder.path("text.vectors.npy").stat().st_size
    shrink(folder, RecallConfig(vectors=kind))
    assert folder.path("text.vectors.npy").stat().st_size < share * size + 128
    small = Vectors(folder.array("text.vectors"))
    np.testing.assert_allclose(small.dot(full[0]), full @ full[0], atol=loss)
    assert np.isnan(small.rows(np.array([5]))).all()
    rows = Vectors(folder.array("factors.factors")).rows(np.arange(ROWS))
    np.testing.assert_allclose(rows, factors, atol=loss * np.abs(factors).max())
    once = files(folder)
    shrink(folder, RecallConfig(vectors=kind))
    assert files(folder) == once
    assert not [name for name in once if name.startswith(".")]


def test_without_text_and_matrices_there_is_nothing_to_do(tmp_path: Path) -> None:
    bare = Artefacts(tmp_path)
    RecallPlan(covisitation=False).save(bare)
    before = files(bare)
    shrink(bare, RecallConfig(vectors="int8", entries=1))
    assert files(bare) == before


@pytest.mark.parametrize("wrong", [{"vectors": "int4"}, {"entries": 0}, {"keep": 3}])
def test_what_is_no_size_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        RecallConfig(**wrong)
