"""Encoders and decoders of many makes, and tuned ones, answer from ONNX as they do in PyTorch."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from learn.tuning import made
from learn.tuning.test_fit import QUICK
from penchant.language.encoder.exported import ensure_onnx
from penchant.language.encoder.sentence import SentenceEncoder
from penchant.language.encoder.weights import address
from penchant.learn.encoder import adapters
from penchant.learn.encoder.export import export
from penchant.learn.encoder.pooled import opened, pooling_of
from penchant.learn.tuning.fit import tune
from penchant.learn.tuning.text_model import TextModel
from penchant.types import Error

TEXTS = ["saddle red", "a violin, and 中文", "ember " * 100, "loud"]


def agree(folder: Path, export: Path) -> None:
    """The export answers as the folder does in PyTorch, in both precisions, alone and together."""
    expected = TextModel.open(folder).vectors(TEXTS, 32)
    exact = SentenceEncoder(export, precision="fp32", max_tokens=32)
    np.testing.assert_allclose(exact.encode(TEXTS), expected, atol=1e-5)
    np.testing.assert_allclose(exact.encode(TEXTS[:1]), expected[:1], atol=1e-5)
    assert not exact.encode(["", "  "]).any()
    small = SentenceEncoder(export, max_tokens=32)
    assert (small.encode(TEXTS) * expected).sum(1).min() > 0.9


@pytest.mark.parametrize(
    "kind", [pytest.param(k, marks=pytest.mark.slow) for k in ("distilbert", "gpt2", "qwen2")]
)
def test_many_makes_answer_as_in_pytorch(tmp_path: Path, kind: str) -> None:
    folder = made.model_folder(tmp_path / kind, kind)
    meta = export(folder, tmp_path / "export")
    assert meta["pooling"] == ("last" if kind in made.DECODERS else "mean")
    assert (meta["limit"], meta["dimension"]) == (64, 32)
    agree(folder, tmp_path / "export")
    graph = {p: (tmp_path / "export" / p).stat().st_size for p in meta["models"].values()}
    assert graph["model.int8.onnx"] < 0.95 * graph["model.onnx"]


@pytest.mark.parametrize(
    ("kind", "method"),
    [
        ("roberta", "bottleneck"),
        ("llama", "prefix"),
        pytest.param("modernbert", "lora", marks=pytest.mark.slow),
    ],
)
def test_a_tuned_model_is_served_as_it_was_tuned(tmp_path: Path, kind: str, method: str) -> None:
    folder = made.model_folder(tmp_path / kind, kind)
    behaviour, _ = made.behaviour()
    values = iter(range(100))
    config = replace(QUICK, method=method, learning_rate=3e-2, epochs=1, max_tokens=32)
    tuned = tune(
        folder, behaviour, config, tmp_path / "tuned", validate=lambda given: float(next(values))
    )
    assert tuned.kept == "tuned"
    before, after = (TextModel.open(f).vectors(TEXTS, 32) for f in (folder, tuned.folder))
    assert (before * after).sum(1).max() < 0.999
    assert address(tuned.folder) != address(folder)
    if method == "prefix":
        # By the way that a shelf takes, in a process of its own.
        agree(tuned.folder, ensure_onnx(tuned.folder, tmp_path / "cache"))
    else:
        export(tuned.folder, tmp_path / "export")
        agree(tuned.folder, tmp_path / "export")


def test_a_folder_says_how_it_pools_and_a_decoder_need_not(tmp_path: Path) -> None:
    folder = made.model_folder(tmp_path / "qwen2", "qwen2")
    unsaid = address(folder)
    assert pooling_of(folder) == "last"
    (folder / "1_Pooling").mkdir()
    for mode, expected in (("lasttoken", "last"), ("mean_tokens", "mean"), ("cls_token", "cls")):
        said = {f"pooling_mode_{mode}": True}
        (folder / "1_Pooling" / "config.json").write_text(json.dumps(said))
        assert pooling_of(folder) == expected
    assert address(folder) != unsaid


def test_a_damaged_adapter_is_named(tmp_path: Path) -> None:
    folder = made.model_folder(tmp_path / "bert")
    adapters.write(adapters.Bottleneck(opened(folder).module.transformer, 4), folder)
    assert opened(folder).module.adapter is not None
    (folder / adapters.FILE).write_bytes(b"damaged")
    with pytest.raises(Error, match=r"adapter\.safetensors is not an adapter"):
        opened(folder)
