from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from penchant.language.encoder import exported
from penchant.language.encoder.exported import ExportFailed, cache_home, ensure_onnx
from penchant.language.encoder.weights import DEFAULT, WeightsMissing, resolve

FILES = {"model.onnx", "model.int8.onnx", "tokenizer.json", "meta.json"}


def test_the_default_export_is_whole_and_remembered(encoder_folder: Path) -> None:
    assert {p.name for p in encoder_folder.iterdir()} == FILES
    assert ensure_onnx() == encoder_folder
    assert json.loads((encoder_folder / "meta.json").read_text())["name"] == DEFAULT
    for name in FILES:
        # Nothing of the machine that exported travels with the model.
        assert b"export_encoder" not in (encoder_folder / name).read_bytes()


def test_an_export_is_used_where_it_lies(encoder_folder: Path, tmp_path: Path) -> None:
    assert ensure_onnx(encoder_folder, tmp_path) == encoder_folder
    assert not list(tmp_path.iterdir())


def test_a_cache_from_another_machine_needs_neither_weights_nor_torch(
    encoder_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(encoder_folder.parent / "names", tmp_path / "encoders" / "names")
    os.symlink(encoder_folder, tmp_path / "encoders" / encoder_folder.name)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert ensure_onnx(DEFAULT, tmp_path).name == encoder_folder.name
    with pytest.raises(WeightsMissing, match=r"penchant\[offline\]"):
        ensure_onnx(DEFAULT, tmp_path / "other")


def test_without_torch_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "torch" else found(name)
    )
    with pytest.raises(ExportFailed, match=r"needs torch: `pip install 'penchant\[train\]'`"):
        ensure_onnx(DEFAULT, tmp_path)


def test_changed_weights_under_a_pinned_name_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = tmp_path / "model"
    fake.mkdir()
    (fake / "model.safetensors").write_bytes(b"tampered")
    for name in ("tokenizer.json", "config.json"):
        shutil.copy(resolve() / name, fake / name)
    monkeypatch.setattr(exported, "resolve", lambda model, online: fake)
    with pytest.raises(WeightsMissing, match="should have sha256 53aa51172d14"):
        ensure_onnx(DEFAULT, tmp_path / "cache")


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ExportFailed, match=r"set \$PENCHANT_CACHE"):
        ensure_onnx(DEFAULT, tmp_path / "file")


def test_a_failed_export_leaves_nothing_and_tells_the_reason(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "model.safetensors").write_bytes(b"not safetensors")
    shutil.copy(resolve() / "tokenizer.json", broken)
    shutil.copy(resolve() / "config.json", broken)
    with pytest.raises(ExportFailed, match=r"ended with status 1: .*[Hh]eader"):
        ensure_onnx(broken, tmp_path / "cache")
    assert [p.suffix for p in (tmp_path / "cache" / "encoders").iterdir()] == [".lock"]


def test_the_cache_lies_where_the_system_keeps_caches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PENCHANT_CACHE", "/somewhere")
    assert cache_home() == Path("/somewhere")
    monkeypatch.delenv("PENCHANT_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    monkeypatch.setattr(sys, "platform", "linux")
    assert cache_home() == Path("/xdg/penchant")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_home() == Path.home() / ".cache/penchant"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert cache_home() == Path.home() / "Library/Caches/penchant"


@pytest.mark.slow
def test_processes_that_ask_at_once_export_once(tmp_path: Path) -> None:
    code = "from penchant.language.encoder.exported import ensure_onnx; print(ensure_onnx())"
    environment = os.environ | {"PENCHANT_CACHE": str(tmp_path)}
    started = [
        subprocess.Popen(
            [sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    answers = {process.communicate()[0].strip() for process in started}
    assert len(answers) == 1
    folder = Path(answers.pop())
    assert {p.name for p in folder.iterdir()} == FILES
    assert {p.suffix for p in folder.parent.iterdir() if p.name.startswith(folder.name)} == {
        "",
        ".lock",
    }
