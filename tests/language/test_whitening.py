"""Whitening spreads what a catalogue's vectors share, and leaves out what has no text."""

from __future__ import annotations

import numpy as np
import pytest

from penchant.language.whitening import Whitening


def draw(n: int = 500, d: int = 12, seed: int = 0) -> np.ndarray:
    """Return vectors that all point about the same way, as titles of one shop do."""
    rng = np.random.default_rng(seed)
    spread = np.linspace(3.0, 0.05, d)
    return (rng.normal(size=(n, d)) * spread + 5.0).astype(np.float32)


def test_rows_are_of_length_one_and_as_short_as_asked_for() -> None:
    rows = Whitening.fit(draw(), 5)(draw())
    assert rows.shape == (500, 5)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1.0, rtol=1e-5)


def test_directions_count_alike_and_cosines_spread() -> None:
    raw = draw()
    unit = raw / np.linalg.norm(raw, axis=1, keepdims=True)
    white = Whitening.fit(raw, 6, floor=0.0)
    spread = ((raw - white.mean) @ white.matrix).std(axis=0)
    np.testing.assert_allclose(spread, 1.0, rtol=0.02)
    alike = np.cov(((raw - white.mean) @ white.matrix).T)
    np.testing.assert_allclose(alike, np.eye(6), atol=0.02)
    before, after = unit @ unit.T, white(raw) @ white(raw).T
    assert after.std() > before.std()
    assert abs(after.mean()) < 0.05 < before.mean()


def test_noise_is_not_blown_up() -> None:
    rng = np.random.default_rng(0)
    raw = rng.normal(size=(300, 3)).astype(np.float32) * [1.0, 1.0, 1e-6]
    white = Whitening.fit(raw.astype(np.float32), 3, floor=0.03)
    spread = ((raw - white.mean) @ white.matrix).std(axis=0)
    assert sorted(spread)[0] < 0.01
    assert sorted(spread)[1:] == pytest.approx([1.0, 1.0], rel=0.01)


def test_items_without_text_have_no_row_and_no_say() -> None:
    raw = draw()
    holes = raw.copy()
    holes[::7] = np.nan
    holes[3::11] = 0.0
    known = np.isfinite(holes[:, 0]) & (np.abs(holes).max(axis=1) > 0)
    white = Whitening.fit(holes, 6)
    clean = Whitening.fit(raw[known], 6)
    np.testing.assert_array_equal(white.matrix, clean.matrix)
    rows = white(holes)
    assert np.isnan(rows[~known]).all()
    assert np.isfinite(rows[known]).all()


def test_a_row_does_not_depend_on_its_neighbours() -> None:
    white = Whitening.fit(draw(), 6)
    rows = white(draw())
    np.testing.assert_allclose(white(draw()[7:8]), rows[7:8], rtol=1e-4, atol=1e-5)


def test_fewer_texts_than_dimensions() -> None:
    few = draw(4)
    rows = Whitening.fit(few, 8)(few)
    assert rows.shape == (4, 3)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1.0, rtol=1e-4)


def test_texts_that_are_all_the_same_are_no_error() -> None:
    same = np.ones((20, 6), dtype=np.float32)
    white = Whitening.fit(same, 4)
    assert np.isfinite(white.matrix).all()
    assert np.isfinite(white(same)).all()
    one = Whitening.fit(same[:1], 4)
    assert np.isfinite(one(same)).all()
