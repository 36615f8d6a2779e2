"""A learned space is served as it was learned, and a turn of it changes no cosine."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from penchant.language.projection import Projection
from penchant.language.whitening import Whitening
from penchant.store.artefacts import Artefacts
from penchant.types import Floats

N, D, K, H = 60, 12, 6, 9


@pytest.fixture
def raw() -> Floats:
    rows = np.random.default_rng(0).normal(size=(N, D)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    rows[3] = np.nan
    rows[4] = 0.0
    return rows


@pytest.fixture
def projection(raw: Floats) -> Projection:
    rng = np.random.default_rng(1)
    shapes = ((D, K), (D, H), (H,), (H, K))
    learned = [rng.normal(size=shape).astype(np.float32) for shape in shapes]
    return Projection(Whitening.fit(raw, D), *learned)


def test_rows_are_unit_and_texts_that_say_nothing_have_none(
    projection: Projection, raw: Floats
) -> None:
    rows = projection(raw)
    assert rows.shape == (N, K) == (N, projection.dimension)
    assert rows.dtype == np.float32
    assert np.flatnonzero(np.isnan(rows).any(axis=1)).tolist() == [3, 4]
    np.testing.assert_allclose(np.linalg.norm(np.delete(rows, [3, 4], 0), axis=1), 1, atol=1e-5)


def test_a_row_does_not_depend_on_the_others(projection: Projection, raw: Floats) -> None:
    np.testing.assert_allclose(projection(raw[7:8]), projection(raw)[7:8], atol=1e-6)


def test_a_turn_keeps_cosines_and_puts_the_most_telling_directions_first(
    projection: Projection, raw: Floats
) -> None:
    plain = np.delete(projection(raw), [3, 4], 0)
    turned = np.delete(projection.turned(projection(raw))(raw), [3, 4], 0)
    np.testing.assert_allclose(turned @ turned.T, plain @ plain.T, atol=1e-5)
    energy = (turned**2).sum(axis=0)
    assert (np.diff(energy) <= 1e-4).all()


def test_what_is_saved_is_what_is_loaded(
    projection: Projection, raw: Floats, tmp_path: Path
) -> None:
    folder = Artefacts(tmp_path)
    projection.save(folder, "tuned")
    np.testing.assert_array_equal(Projection.load(folder, "tuned")(raw), projection(raw))
