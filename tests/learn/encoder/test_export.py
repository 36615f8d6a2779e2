from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import helper
from tokenizers import Tokenizer
from transformers import AutoModel, BertConfig, BertModel

from penchant.language.encoder.sentence import SentenceEncoder
from penchant.language.encoder.weights import resolve
from penchant.learn.encoder.export import (
    LEAST_COSINE,
    ParityLost,
    Pooled,
    compare,
    export,
    main,
)
from penchant.types import Error


@pytest.fixture(scope="module")
def original() -> Pooled:
    torch.set_num_threads(1)
    transformer = AutoModel.from_pretrained(resolve(), local_files_only=True)
    return Pooled(transformer, "mean").eval()


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    tokenizer = Tokenizer.from_file(str(resolve() / "tokenizer.json"))
    tokenizer.enable_truncation(128)
    tokenizer.no_padding()
    return tokenizer


@pytest.mark.parametrize(
    ("file", "precision"), [("model.onnx", "fp32"), ("model.int8.onnx", "int8")]
)
def test_padded_batches_agree_with_pytorch(
    encoder_folder: Path, original: Pooled, tokenizer: Tokenizer, file: str, precision: str
) -> None:
    assert compare(original, encoder_folder / file, tokenizer, 0) >= LEAST_COSINE[precision]


def test_the_encoder_agrees_with_pytorch_text_by_text(
    encoder_folder: Path, original: Pooled, tokenizer: Tokenizer
) -> None:
    texts = ["tea", "a red hat for children", "A long walk by the sea, in the rain. " * 8, "42"]
    with torch.no_grad():
        expected = np.concatenate(
            [
                original(ids, torch.ones_like(ids)).numpy()
                for ids in (torch.tensor([tokenizer.encode(t).ids]) for t in texts)
            ]
        )
    for precision, tolerance in (("fp32", 1e-5), ("int8", 0.02)):
        got = SentenceEncoder(encoder_folder, precision=precision).encode(texts)
        assert ((got * expected).sum(1) >= 1 - tolerance).all()


def test_a_graph_that_lost_the_mask_is_noticed(
    encoder_folder: Path, original: Pooled, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    model = onnx.load(encoder_folder / "model.onnx")
    for node in model.graph.node:
        for i, name in enumerate(node.input):
            if name == "attention_mask":
                node.input[i] = "all"
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array(1, np.int64), "one"))
    model.graph.node.insert(0, helper.make_node("Max", ["attention_mask", "one"], ["all"]))
    onnx.save(model, tmp_path / "lost.onnx")
    assert compare(original, tmp_path / "lost.onnx", tokenizer, 0) < LEAST_COSINE["int8"]


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A random model of two layers with the real tokenizer."""
    folder = tmp_path / "tiny"
    torch.manual_seed(3)
    config = BertConfig(
        vocab_size=30522,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
        initializer_range=0.5,
    )
    BertModel(config).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(resolve() / name, folder / name)
    return folder


def test_another_model_with_cls_pooling(tiny: Path, tmp_path: Path) -> None:
    (tiny / "1_Pooling").mkdir()
    (tiny / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_cls_token": True}))
    meta = export(tiny, tmp_path / "export", "tiny")
    assert (meta["pooling"], meta["dimension"], meta["limit"]) == ("cls", 32, 64)
    encoder = SentenceEncoder(tmp_path / "export", precision="fp32", max_tokens=64)
    rows = encoder.encode(["tea", "a much longer text than that, " * 30])
    transformer = Pooled(AutoModel.from_pretrained(tiny), "cls").eval()
    ids = torch.tensor([Tokenizer.from_file(str(tiny / "tokenizer.json")).encode("tea").ids])
    with torch.no_grad():
        expected = transformer(ids[:, :3], torch.ones_like(ids[:, :3])).numpy()
    np.testing.assert_allclose(rows[:1], expected, atol=1e-5)


def test_nothing_is_published_without_parity(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(LEAST_COSINE, "int8", 1.1)
    assert main([str(tiny), str(tmp_path / "export")]) == 1
    assert "nothing was published" in capsys.readouterr().err
    assert not (tmp_path / "export").exists()
    assert issubclass(ParityLost, Error)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("modules.json", [{"type": "sentence_transformers.models.Dense"}], "Dense"),
        (
            "1_Pooling/config.json",
            {"pooling_mode_max_tokens": True},
            "mean or cls pooling",
        ),
        (
            "1_Pooling/config.json",
            {"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": True},
            "mean or cls pooling",
        ),
    ],
)
def test_a_pooling_that_is_not_known_is_refused(
    tiny: Path, tmp_path: Path, file: str, content: object, message: str
) -> None:
    (tiny / file).parent.mkdir(exist_ok=True)
    (tiny / file).write_text(json.dumps(content))
    with pytest.raises(Error, match=message):
        export(tiny, tmp_path / "export")
