"""What people want and say as vectors: by the shelf's model, and by categories without one."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import penchant
from penchant.evaluate.watch.meaning import HASHED, Meaning
from penchant.store.open import open_store
from penchant.types import Floats
from shelves import mute


def alike(a: Floats, b: Floats) -> float:
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def test_without_a_model_items_are_their_category_and_words_are_hashed(tmp_path: Path) -> None:
    with penchant.open(mute(tmp_path / "shelf")) as engine:
        engine.add(
            [
                {"item_id": "a", "category": "tea"},
                {"item_id": "b", "category": "tea"},
                {"item_id": "c", "category": "lamp"},
                {"item_id": "d"},
            ]
        )
    with open_store(tmp_path / "shelf", read_only=True) as store:
        meaning = Meaning(store)
        rows = meaning.things([0, 1, 2, 3, 1])
        assert rows.shape == (5, HASHED)
        assert alike(rows[0], rows[1]) == 1.0
        assert alike(rows[0], rows[2]) < 0.5
        assert np.isnan(rows[3]).all()
        assert np.array_equal(rows[4], rows[1])
        words = meaning.words(["Red tea", "tea red", ""])
        assert np.allclose(words[0], words[1])
        assert np.isnan(words[2]).all()
        assert meaning.things([]).shape[0] == 0


def test_the_model_of_the_shelf_says_what_belongs_together(trained_shelf: Path) -> None:
    with open_store(trained_shelf, read_only=True) as store:
        meaning = Meaning(store)
        rows = meaning.things([0, 1, 2, 0])
        assert rows.shape[0] == 4
        assert np.array_equal(rows[0], rows[3])
        near, far, other = meaning.words(["a film about war", "a movie of a war", "cheese recipes"])
        assert alike(near, far) > alike(near, other) + 0.2
        meaning.changed()
        assert np.array_equal(meaning.things([0])[0], rows[0])
        meaning.close()
