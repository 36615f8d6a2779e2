"""A folder of learned things gives back what was written, and never unpickles."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from penchant.store.artefacts import Artefacts


@pytest.mark.parametrize(
    "array",
    [
        np.arange(12, dtype=np.float32).reshape(3, 4),
        np.arange(12).reshape(3, 4).T,
        np.zeros((0, 5), dtype=np.float32),
        np.array([np.nan, np.inf]),
        np.array([1, 2], dtype=np.int8),
        np.array(7.0),
    ],
)
def test_an_array_comes_back_mapped_and_read_only(tmp_path: Path, array: np.ndarray) -> None:
    folder = Artefacts(tmp_path / "made" / "when" / "needed")
    folder.write_array("a.b", array)
    back = folder.array("a.b")
    np.testing.assert_array_equal(back, np.ascontiguousarray(array).reshape(back.shape))
    assert back.dtype == array.dtype
    assert not back.flags.writeable
    assert folder.has("a.b.npy")
    assert not folder.has("a.npy")


def test_several_arrays_and_json(tmp_path: Path) -> None:
    folder = Artefacts(tmp_path)
    folder.write_arrays({"one": np.ones(2), "two": np.zeros(1)})
    assert folder.array("one").tolist() == [1.0, 1.0]
    content = {"a": [1, 2.5, None, "中文 🎬"], "b": {"c": True}}
    folder.write_json("plan", content)
    assert folder.json("plan") == content
    assert folder.path("plan.json").read_text(encoding="utf-8").isascii() is False


def test_json_is_strict(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        Artefacts(tmp_path).write_json("plan", {"a": float("inf")})


def test_objects_are_neither_written_nor_read(tmp_path: Path) -> None:
    folder = Artefacts(tmp_path)
    objects = np.array([{"a": 1}], dtype=object)
    with pytest.raises(ValueError, match="allow_pickle"):
        folder.write_array("objects", objects)
    np.save(tmp_path / "smuggled.npy", objects, allow_pickle=True)
    with pytest.raises(ValueError, match="Python objects"):
        folder.array("smuggled")


def test_what_is_missing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Artefacts(tmp_path).array("nothing")
    with pytest.raises(FileNotFoundError):
        Artefacts(tmp_path).json("nothing")
