"""Effort fast learns where torch is not installed; a library that is missing is named at once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import crowd
import penchant
from penchant.learn import requirements
from penchant.learn.effort import derive
from penchant.learn.requirements import MissingLibrary, afforded, need, needed

REFUSAL = """
import os, sys
class Refusal:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in os.environ["REFUSED"].split(","):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Refusal())
"""


def learn(folder: Path, tmp_path: Path, refused: str, effort: str) -> tuple[int, list[dict], str]:
    """Train in a process that cannot import what is refused."""
    (tmp_path / "sitecustomize.py").write_text(REFUSAL)
    done = subprocess.run(
        [sys.executable, "-m", "penchant.learn", str(folder), "--effort", effort],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "REFUSED": refused, "PYTHONPATH": str(tmp_path)},
    )
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def test_effort_fast_learns_without_torch(tmp_path: Path) -> None:
    folder = crowd.filled(tmp_path / "shelf")
    status, lines, errors = learn(folder, tmp_path, "torch,onnxscript,implicit,optuna", "fast")
    assert status == 0, errors
    assert errors == ""
    report = lines[-1]["report"]
    assert report["choice"]["measured"]
    with penchant.open(folder) as engine:
        assert engine.recommend("ann-0", now=crowd.NOW).snapshot == report["snapshot"]


def test_a_training_needs_no_tensorboard(tmp_path: Path) -> None:
    folder = crowd.filled(tmp_path / "shelf")
    status, lines, errors = learn(folder, tmp_path, "torch,tensorboard", "fast")
    assert status == 0, errors
    assert "tensorboard cannot be used" in lines[0]["step"]
    assert lines[-1]["report"]["snapshot"]
    assert not (folder / "logs").exists()


@pytest.mark.parametrize(
    ("refused", "effort"),
    [("torch", "balanced"), ("lightgbm", "fast"), ("scipy", "fast"), ("optuna", "best")],
)
def test_what_is_missing_is_named_before_anything_is_learned(
    tmp_path: Path, refused: str, effort: str
) -> None:
    folder = crowd.filled(tmp_path / "shelf")
    status, lines, errors = learn(folder, tmp_path, refused, effort)
    assert status == 3
    assert errors == ""
    (line,) = lines
    assert line["error"] == "MissingLibrary"
    assert f"effort {effort} needs {refused}" in line["message"]
    assert 'pip install "penchant[train]"' in line["message"]
    assert list((folder / "snapshots").iterdir()) == []


def test_factors_are_needed_for_large_catalogues_only() -> None:
    config = derive("fast")
    assert "implicit" not in needed(config, config.sources.dense_below)
    assert "implicit" in needed(config, config.sources.dense_below + 1)
    need(config, 1_000_000)
    with pytest.raises(MissingLibrary, match="needs nosuchlibrary, which is not installed"):
        need(config, more=["nosuchlibrary"])


def test_effort_fast_takes_the_layer_along_only_where_torch_is_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert afforded(derive("fast")).sources.tuned is not None
    assert "torch" in needed(derive("fast"), 100)
    monkeypatch.setattr(requirements, "_found", lambda name: name != "torch")
    assert afforded(derive("fast")).sources.tuned is None
    assert afforded(derive("balanced")).sources.tuned is not None
    need(derive("fast"))
    with pytest.raises(MissingLibrary, match="effort balanced needs torch"):
        need(derive("balanced"))


def test_a_library_that_lacks_something_of_the_system_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def lacks(name: str) -> None:
        raise OSError("libgomp.so.1: cannot open shared object file")

    monkeypatch.setattr(requirements, "import_module", lacks)
    with pytest.raises(MissingLibrary, match=r"lightgbm .*libgomp.*apt-get install libgomp1"):
        need(derive("fast", 100, 1_000))
