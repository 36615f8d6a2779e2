"""A learned space is served as it was learned, and a turn of it changes no cosine."""

from __future__ import annotations

from dataclasses import replace
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
    none = np.zeros((D, 0), np.float32), np.zeros(0, np.float32)
    return Projection((Whitening.fit(raw, D),), *learned, *none)


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


M = 5  # numbers of a picture


@pytest.fixture
def both(raw: Floats) -> tuple[Projection, Floats]:
    """A projection of texts and pictures, and rows of which some lack one or the other."""
    rng = np.random.default_rng(2)
    pictures = rng.normal(size=(N, M)).astype(np.float32)
    pictures[[4, 9]] = np.nan
    w = D + M
    shapes = ((w, K), (w, H), (H,), (H, K), (w, 1), (1,))
    learned = [rng.normal(size=shape).astype(np.float32) for shape in shapes]
    parts = Whitening.fit(raw, D), Whitening.fit(pictures, M)
    made = Projection(parts, *learned, names=("text", "picture a"))
    return made, np.concatenate((raw, pictures), axis=1)


def test_an_item_has_a_place_by_whatever_part_it_has(
    both: tuple[Projection, Floats], raw: Floats
) -> None:
    projection, rows = both
    placed = projection(rows)
    assert np.flatnonzero(np.isnan(placed).any(axis=1)).tolist() == [4]  # neither
    assert np.isfinite(placed[3]).all()  # a picture without a text
    # Words are a text without a picture: rows that end there.
    np.testing.assert_allclose(projection(raw)[9], placed[9], atol=1e-6)
    assert not np.allclose(projection(raw)[0], placed[0], atol=1e-2)


def test_a_gate_lets_a_part_through_or_not(both: tuple[Projection, Floats], raw: Floats) -> None:
    projection, rows = both
    shut = replace(projection, gate=projection.gate * 0, openness=np.array([-80.0], np.float32))
    np.testing.assert_allclose(shut(rows)[0], shut(raw)[0], atol=1e-5)


def test_parts_go_by_their_names(both: tuple[Projection, Floats], raw: Floats) -> None:
    projection, rows = both
    sound = np.ones((N, 2), np.float32)
    moved = np.concatenate((raw, sound, rows[:, D:]), axis=1)
    read = projection.reading((("text", D), ("sound", 2), ("picture a", M)))
    np.testing.assert_allclose(read(moved), projection(rows), atol=1e-6)
    np.testing.assert_allclose(read(raw), projection(raw), atol=1e-6)  # words
    # Of another model nothing is understood: as if the item had no picture.
    other = projection.reading((("text", D), ("picture b", M)))
    np.testing.assert_allclose(other(rows), projection(raw), atol=1e-6)
    assert projection.reading(()) is projection


def test_parts_and_gates_are_saved(both: tuple[Projection, Floats], tmp_path: Path) -> None:
    projection, rows = both
    projection.save(Artefacts(tmp_path), "tuned")
    Artefacts(tmp_path).write_json("tuned", {"parts": projection.names})
    again = Projection.load(Artefacts(tmp_path), "tuned")
    np.testing.assert_array_equal(again(rows), projection(rows))
    assert again.names == projection.names
