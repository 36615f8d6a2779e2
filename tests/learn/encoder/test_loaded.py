from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file
from transformers import BertConfig, BertModel, T5Config

from penchant.language.encoder.weights import WeightsMissing
from penchant.learn.encoder import loaded
from penchant.learn.encoder.export import main
from penchant.learn.encoder.loaded import ModelDamaged, load
from penchant.types import Error

from .kinds import tiny, tokenizer


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny(tmp_path_factory.mktemp("models") / "bert", "bert")


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    return shutil.copytree(whole, tmp_path / "bert")


def described(folder: Path, **changes: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_a_whole_folder_says_what_it_is(folder: Path) -> None:
    found = load(folder)
    assert (found.module.pooling, found.dimension, found.limit, found.pad) == ("mean", 32, 64, 0)
    (folder / "sentence_bert_config.json").write_text('{"max_seq_length": 20}')
    assert load(folder).limit == 20
    (folder / "sentence_bert_config.json").write_text('{"max_seq_length": 9000}')
    assert load(folder).limit == 64
    (folder / "sentence_bert_config.json").write_text('{"max_seq_length": "long"}')
    with pytest.raises(ModelDamaged, match="max_seq_length"):
        load(folder)


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(WeightsMissing, match=name):
        load(folder)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("config.json", b"{"),
        ("config.json", b"[]"),
        ("config.json", b"{}"),
        ("tokenizer.json", b"{}"),
        ("model.safetensors", b""),
        ("model.safetensors", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n"),
        ("tokenizer_config.json", b"["),
    ],
)
def test_a_damaged_file_is_named(folder: Path, name: str, content: bytes) -> None:
    (folder / name).write_bytes(content)
    with pytest.raises(ModelDamaged, match=name):
        load(folder)


def test_weights_that_were_cut_short_are_noticed(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ModelDamaged, match=r"model.safetensors .* cut short"):
        load(folder)


def test_a_missing_part_of_weights_in_parts_is_noticed(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    BertModel(BertConfig.from_pretrained(folder)).save_pretrained(folder, max_shard_size="20KB")
    parts = sorted(folder.glob("model-*.safetensors"))
    assert len(parts) > 2
    assert load(folder).dimension == 32
    parts[1].unlink()
    with pytest.raises(ModelDamaged, match="not of one model"):
        load(folder)


def test_missing_weights_are_never_drawn_at_random(folder: Path) -> None:
    path = folder / "model.safetensors"
    weights = load_file(path)
    del weights["encoder.layer.1.output.dense.weight"]
    save_file(weights, path, {"format": "pt"})
    with pytest.raises(ModelDamaged, match=r"1 missing, encoder.layer.1.output.dense.weight"):
        load(folder)


def test_more_layers_than_there_are_weights_for(folder: Path) -> None:
    described(folder, num_hidden_layers=3)
    with pytest.raises(ModelDamaged, match=r"16 missing, encoder.layer.2"):
        load(folder)


def test_fewer_layers_than_there_are_weights_for(folder: Path) -> None:
    described(folder, num_hidden_layers=1)
    with pytest.raises(ModelDamaged, match=r"16 weights would be left out, encoder.layer.1"):
        load(folder)


def test_a_config_of_another_architecture(folder: Path, tmp_path: Path) -> None:
    other = tiny(tmp_path / "distilbert", "distilbert")
    shutil.copy(other / "config.json", folder / "config.json")
    with pytest.raises(ModelDamaged, match=r"describes a distilbert .* missing"):
        load(folder)


def test_a_config_of_another_width(folder: Path) -> None:
    described(folder, hidden_size=48)
    with pytest.raises(ModelDamaged, match="not of one model"):
        load(folder)


def test_a_kind_that_is_not_known(folder: Path) -> None:
    described(folder, model_type="brandnew")
    with pytest.raises(Error, match="does not know"):
        load(folder)
    described(folder, model_type="bert", num_hidden_layers="two")
    with pytest.raises(Error, match="does not know"):
        load(folder)


def test_both_an_encoder_and_a_decoder(folder: Path) -> None:
    (folder / "config.json").write_text(json.dumps(T5Config().to_dict()))
    with pytest.raises(Error, match="both in one"):
        load(folder)


def test_a_tokenizer_with_more_tokens_than_the_model(folder: Path) -> None:
    larger = tokenizer("pieces")
    larger.add_tokens([f"extra{i}" for i in range(300)])
    larger.save(str(folder / "tokenizer.json"))
    with pytest.raises(ModelDamaged, match=r"the model has 300 tokens: they are of two models"):
        load(folder)


def test_a_pad_token_that_is_not_there(folder: Path) -> None:
    (folder / "tokenizer_config.json").write_text('{"pad_token": {"content": "<pad>"}}')
    with pytest.raises(ModelDamaged, match="'<pad>'"):
        load(folder)
    (folder / "tokenizer_config.json").unlink()
    described(folder, pad_token_id=4000)
    with pytest.raises(ModelDamaged, match="pad_token_id"):
        load(folder)


def test_positions_that_count_from_another_pad(tmp_path: Path) -> None:
    folder = tiny(tmp_path / "roberta", "roberta")
    (folder / "tokenizer_config.json").write_text('{"pad_token": "<pad>"}')
    assert (load(folder).pad, load(folder).limit) == (1, 64)
    (folder / "tokenizer_config.json").write_text('{"pad_token": "</s>"}')
    with pytest.raises(ModelDamaged, match=r"pad_token_id 1, its tokenizer pads with 2"):
        load(folder)


def test_a_decoder_without_a_pad_token(tmp_path: Path) -> None:
    folder = tiny(tmp_path / "llama", "llama")
    assert load(folder).module.pooling == "last"
    assert load(folder).pad == 0


def test_a_model_that_one_file_cannot_hold(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loaded, "_LARGEST", 1000)
    with pytest.raises(Error, match="one ONNX file holds 2"):
        load(folder)


def test_the_command_line_says_it_in_one_line_and_leaves_nothing(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    described(folder, num_hidden_layers=3)
    assert main([str(folder), str(tmp_path / "export")]) == 1
    assert capsys.readouterr().err.splitlines()[-1].startswith("ModelDamaged: config.json")
    assert not (tmp_path / "export").exists()
