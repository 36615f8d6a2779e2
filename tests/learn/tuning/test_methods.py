from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from learn.tuning import made
from penchant.learn.encoder.pooled import Pooled, opened
from penchant.learn.tuning.config import TuningConfig
from penchant.learn.tuning.methods import Attached
from penchant.types import Error

CONFIG = TuningConfig(method="full", learning_rate=1.0, layer_decay=0.5)


def module(tmp_path: Path, kind: str = "bert") -> Pooled:
    return opened(made.model_folder(tmp_path / kind, kind)).module


def rates(attached: Attached) -> dict[str, float]:
    names = {id(p): n for n, p in attached.parameters().items()}
    return {names[id(p)]: g["rate"] for g in attached.groups() for p in g["params"]}


@pytest.mark.parametrize(
    ("kind", "lowest", "first", "second", "above"),
    [
        (
            "bert",
            "embeddings.word_embeddings.weight",
            "encoder.layer.0.output.dense.weight",
            "encoder.layer.1.output.dense.weight",
            None,
        ),
        ("gpt2", "wte.weight", "h.0.mlp.c_fc.weight", "h.1.mlp.c_fc.weight", "ln_f.weight"),
        (
            "llama",
            "embed_tokens.weight",
            "layers.0.mlp.up_proj.weight",
            "layers.1.mlp.up_proj.weight",
            "norm.weight",
        ),
    ],
)
def test_each_block_moves_slower_than_the_one_above(
    tmp_path: Path, kind: str, lowest: str, first: str, second: str, above: str | None
) -> None:
    found = rates(Attached(module(tmp_path, kind), CONFIG, 10))
    names = [lowest, first, second] + ([above] if above else [])
    expected = [0.125, 0.25, 0.5, 1.0][: len(names)]
    assert [found[f"transformer.{name}"] for name in names] == expected
    assert not any("pooler" in name for name in found)


def test_only_the_top_moves(tmp_path: Path) -> None:
    found = Attached(module(tmp_path), replace(CONFIG, method="last", layers=1), 10)
    assert {name.split(".")[3] for name in found.parameters()} == {"1"}
    gpt = Attached(module(tmp_path, "gpt2"), replace(CONFIG, method="last", layers=1), 10)
    assert "transformer.ln_f.weight" in gpt.parameters()
    assert "transformer.wte.weight" not in gpt.parameters()
    with pytest.raises(Error, match="has 2 blocks"):
        Attached(module(tmp_path / "b"), replace(CONFIG, method="last", layers=3), 10)


@pytest.mark.parametrize("method", ["lora", "adalora", "prefix", "bottleneck"])
def test_few_weights_move(tmp_path: Path, method: str) -> None:
    whole = module(tmp_path)
    every = sum(p.numel() for p in whole.parameters())
    found = Attached(whole, replace(CONFIG, method=method, rank=2), 10)  # type: ignore[arg-type]
    assert 0 < sum(p.numel() for p in found.parameters().values()) < every / 4


def test_lora_knows_the_layers_of_gpt2_and_adalora_says_that_it_does_not(tmp_path: Path) -> None:
    found = Attached(module(tmp_path, "gpt2"), replace(CONFIG, method="lora"), 10)
    assert any("c_attn.lora_A" in name for name in found.parameters())
    with pytest.raises(Error, match="Conv1D"):
        Attached(module(tmp_path / "b", "gpt2"), replace(CONFIG, method="adalora"), 10)


def test_one_adapter_does_not_hang_on_another(tmp_path: Path) -> None:
    whole = module(tmp_path)
    Attached(whole, replace(CONFIG, method="prefix"), 10)
    with pytest.raises(Error, match="prefix adapter already"):
        Attached(whole, replace(CONFIG, method="bottleneck"), 10)
    with pytest.raises(Error, match="method full or lora"):
        Attached(whole, replace(CONFIG, method="last", layers=1), 10)
