from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from transformers import AutoModel

from penchant.language.encoder.sentence import SentenceEncoder
from penchant.language.encoder.weights import address
from penchant.learn.encoder.export import export
from penchant.learn.encoder.loaded import load
from penchant.learn.encoder.pooled import is_causal, pooling_of
from penchant.learn.encoder.prune import vectors
from penchant.types import Error, Floats

from .kinds import dense, tiny

TEXTS = ["tea", "red wine glass", "a quiet western about an old sheriff " * 9, "a", "old & red: 4"]


def alone(folder: Path, pooling: str) -> Floats:
    """Return unit vectors by PyTorch, one text at a time, without padding or mask."""
    model = AutoModel.from_pretrained(folder).eval()
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(64)
    rows = []
    for text in TEXTS:
        ids = torch.tensor([tokenizer.encode(text).ids])
        with torch.no_grad():
            hidden = model(input_ids=ids)[0][0]
        rows.append({"mean": hidden.mean(0), "cls": hidden[0], "last": hidden[-1]}[pooling])
    found = torch.stack(rows).numpy()
    return found / np.linalg.norm(found, axis=1, keepdims=True)


@pytest.mark.parametrize(
    ("kind", "pooling"),
    [
        pytest.param("distilbert", "mean", marks=pytest.mark.slow),
        ("roberta", "mean"),
        pytest.param("modernbert", "mean", marks=pytest.mark.slow),
        ("gpt2", "last"),
        ("qwen3", "last"),
    ],
)
def test_each_kind_of_model_serves_what_pytorch_computes(
    tmp_path: Path, kind: str, pooling: str
) -> None:
    folder = tiny(tmp_path / kind, kind)
    meta = export(folder, tmp_path / "export")
    assert (meta["pooling"], meta["dimension"], meta["limit"]) == (pooling, 32, 64)
    expected = alone(folder, pooling)
    # Texts that are all alike would prove nothing.
    assert (expected @ expected.T)[0, 1:].max() < 0.999
    encoder = SentenceEncoder(tmp_path / "export", precision="fp32", max_tokens=64)
    np.testing.assert_allclose(encoder.encode(TEXTS), expected, atol=1e-5)
    np.testing.assert_allclose(
        np.concatenate([encoder.encode([text]) for text in TEXTS]), expected, atol=1e-5
    )
    small = SentenceEncoder(tmp_path / "export", precision="int8", max_tokens=64)
    assert (small.encode(TEXTS) * expected).sum(1).min() > 0.98
    odd = small.encode(
        ["", " \n ", "\U0001f375", "tea \u8336 \u0447\u0430\u0439", "tea " * 250_000]
    )
    lengths = np.linalg.norm(odd, axis=1)
    assert not lengths[:2].any()
    np.testing.assert_allclose(lengths[3:], 1, atol=1e-5)
    assert np.isfinite(odd).all()


def test_a_dense_layer_after_the_pooling_is_part_of_the_model(tmp_path: Path) -> None:
    folder = dense(tiny(tmp_path / "bert", "bert"), "torch.nn.modules.activation.Tanh")
    loaded = load(folder)
    assert (loaded.module.pooling, loaded.dimension) == ("mean", 12)
    model = AutoModel.from_pretrained(folder).eval()
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    weights = load_file(folder / "2_Dense" / "model.safetensors")
    tokenizer.enable_truncation(64)
    rows = []
    for text in TEXTS:
        with torch.no_grad():
            pooled = model(input_ids=torch.tensor([tokenizer.encode(text).ids]))[0][0].mean(0)
        rows.append(torch.tanh(weights["linear.weight"] @ pooled + weights["linear.bias"]))
    expected = torch.nn.functional.normalize(torch.stack(rows)).numpy()
    np.testing.assert_allclose(vectors(loaded, TEXTS), expected, atol=1e-5)


def test_other_weights_of_a_dense_layer_are_another_model(tmp_path: Path) -> None:
    folder = tiny(tmp_path / "bert", "bert")
    plain = address(folder)
    dense(folder, "torch.nn.modules.linear.Identity")
    with_layer = address(folder)
    (folder / "2_Dense" / "config.json").write_text("{}")
    assert len({plain, with_layer, address(folder)}) == 3


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"activation_function": "torch.nn.modules.activation.GELU"}, "GELU"),
        ({"weights": None}, "weights of a dense layer"),
        ({"kinds": ["Transformer", "Dense", "Pooling", "Normalize"]}, "cannot be exported"),
    ],
)
def test_a_dense_layer_that_cannot_be_exported_is_refused(
    tmp_path: Path, changed: dict[str, object], message: str
) -> None:
    folder = dense(tiny(tmp_path / "bert", "bert"), "torch.nn.modules.linear.Identity")
    if "weights" in changed:
        (folder / "2_Dense" / "model.safetensors").write_bytes(b"")
    elif kinds := changed.get("kinds"):
        listed = [{"type": f"m.{k}", "path": "2_Dense"} for k in kinds]
        (folder / "modules.json").write_text(json.dumps(listed))
    else:
        (folder / "2_Dense" / "config.json").write_text(json.dumps(changed))
    with pytest.raises(Error, match=message):
        export(folder, tmp_path / "export")
    assert not (tmp_path / "export").exists()


@pytest.mark.parametrize(
    ("description", "causal"),
    [
        ({"architectures": ["Qwen3ForCausalLM"]}, True),
        ({"architectures": ["GPT2LMHeadModel"], "model_type": "gpt2"}, True),
        ({"model_type": "mistral"}, True),
        ({"architectures": ["BertModel"], "model_type": "bert"}, False),
        ({"architectures": ["Gemma3TextModel"], "use_bidirectional_attention": True}, False),
        ({}, False),
    ],
)
def test_a_decoder_is_pooled_at_its_last_token(
    tmp_path: Path, description: dict[str, object], causal: bool
) -> None:
    assert is_causal(description) is causal
    (tmp_path / "config.json").write_text(json.dumps(description))
    assert pooling_of(tmp_path) == ("last" if causal else "mean")
    (tmp_path / "1_Pooling").mkdir()
    (tmp_path / "1_Pooling" / "config.json").write_text('{"pooling_mode_mean_tokens": true}')
    assert pooling_of(tmp_path) == "mean"
    (tmp_path / "1_Pooling" / "config.json").write_text('{"pooling_mode": "lasttoken"}')
    assert pooling_of(tmp_path) == "last"
