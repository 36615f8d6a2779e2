from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from transformers import AutoModel, BertConfig, BertModel

import penchant
from penchant.language.encoder.sentence import SentenceEncoder
from penchant.language.encoder.weights import resolve
from penchant.learn.encoder.export import Pooled
from penchant.learn.heads.config import HeadConfig, TunedConfig
from penchant.learn.heads.tuned import _Run, contrastive, tune
from penchant.types import InvalidInput

CONFIG = TunedConfig(
    epochs=3, batch=8, rate=2e-3, head_rate=1e-2, held=0.2, max_tokens=12, threads=1, patience=3
)
WORDS = {"sea": "harbour boat sailor wave", "food": "bread soup cheese apple"}


def texts(n: int = 60) -> tuple[list[str], list[str]]:
    rng = np.random.default_rng(0)
    labels = [("sea", "food")[i % 2] for i in range(n)]
    return [
        " ".join(rng.choice(WORDS[of].split(), 3)) + f" {i}" for i, of in enumerate(labels)
    ], labels


def encoded(folder: Path, found: list[str]) -> np.ndarray:
    """Return the vectors of a model folder, text by text."""
    model = Pooled(AutoModel.from_pretrained(folder, local_files_only=True), "mean").eval()
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    with torch.no_grad():
        ids = [torch.tensor([tokenizer.encode(text).ids]) for text in found]
        return np.concatenate([model(x, torch.ones_like(x)).numpy() for x in ids])


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
        initializer_range=0.2,
    )
    BertModel(config).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json", "1_Pooling/config.json"):
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy(resolve() / name, folder / name)
    return folder


def test_a_tuned_encoder_tells_labels_apart(tiny: Path, tmp_path: Path) -> None:
    told: list[dict] = []
    made = tune(*texts(), tmp_path / "tuned", model=tiny, config=CONFIG, tell=told.append)
    assert tuple(told) == made.history
    assert len(told) == 3
    assert told[-1]["loss"] < told[0]["loss"]
    assert told[-1]["held_out"] > 0.9
    assert len(made.held) == 12
    names = {"config.json", "model.safetensors", "tokenizer.json", "1_Pooling"}
    assert names <= {p.name for p in made.folder.iterdir()}
    assert not (tmp_path / "tuned.work").exists()
    rows = encoded(made.folder, texts()[0])
    labels = np.array(texts()[1])
    same, other = rows @ rows[labels == "sea"].mean(0), rows @ rows[labels == "food"].mean(0)
    assert ((same > other) == (labels == "sea")).mean() > 0.95


def test_a_killed_tuning_goes_on_and_ends_the_same(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = tune(*texts(), tmp_path / "whole", model=tiny, config=CONFIG)
    epoch = _Run.epoch

    def killed(self: _Run, number: int) -> dict:
        if number == 2:
            raise KeyboardInterrupt
        return epoch(self, number)

    monkeypatch.setattr(_Run, "epoch", killed)
    with pytest.raises(KeyboardInterrupt):
        tune(*texts(), tmp_path / "parts", model=tiny, config=CONFIG)
    assert not (tmp_path / "parts").exists()
    monkeypatch.setattr(_Run, "epoch", epoch)
    again: list[dict] = []
    parts = tune(*texts(), tmp_path / "parts", model=tiny, config=CONFIG, tell=again.append)
    assert [one["epoch"] for one in again] == [2]
    assert parts.history == whole.history
    a, b = (load_file(made.folder / "model.safetensors") for made in (whole, parts))
    assert all(torch.equal(a[name], b[name]) for name in a)


def test_what_was_left_by_other_texts_is_not_taken(tiny: Path, tmp_path: Path) -> None:
    work = tmp_path / "tuned.work"
    work.mkdir()
    (work / "state.json").write_text(json.dumps({"of": {}, "history": [{}] * 9, "step": 1}))
    made = tune(*texts(), tmp_path / "tuned", model=tiny, config=CONFIG)
    assert len(made.history) == 3


def test_the_contrastive_loss_pulls_labels_together() -> None:
    classes = torch.tensor([0, 0, 1, 1])
    near = torch.tensor([[1.0, 0], [1, 0], [0, 1], [0, 1]])
    assert contrastive(near, classes, 0.1) < 0.01
    assert contrastive(near, torch.tensor([0, 1, 0, 1]), 0.1) > 5
    assert contrastive(near, torch.tensor([0, 1, 2, 3]), 0.1) == 0


def test_learned_saved_and_opened_without_the_folder_it_was_tuned_in(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = HeadConfig(strengths=(1.0, 10.0))
    monkeypatch.setattr("penchant.learn.heads.learning.SentenceEncoder", Short)
    learned = penchant.learn_head(
        *texts(), encoder=tiny, tuned=CONFIG, work=tmp_path / "work", config=config
    )
    said = learned.predict(["a boat in the harbour", "soup and bread", ""])
    learned.save(tmp_path / "head")
    shutil.rmtree(tmp_path / "work")
    again = penchant.open_head(tmp_path / "head")
    assert again.predict(["a boat in the harbour", "soup and bread", ""]).labels == said.labels
    assert said.labels[2] == "unknown"
    assert np.array(said.names)[said.values.argmax(1)][:2].tolist() == ["sea", "food"]
    assert sorted(p.name for p in (tmp_path / "head" / "encoder").iterdir()) == [
        "meta.json",
        "model.int8.onnx",
        "tokenizer.json",
    ]


class Short(SentenceEncoder):
    """The tiny model has 64 places."""

    @classmethod
    def open(cls, *args, **more) -> SentenceEncoder:  # type: ignore[override]
        return SentenceEncoder.open(*args, max_tokens=64, **more)


def test_wrong_questions_are_refused(tiny: Path) -> None:
    with pytest.raises(InvalidInput, match="for kind 'class'"):
        penchant.learn_head(["a"], [1.0], "value", tuned=True)
    with pytest.raises(InvalidInput, match="held lies between"):
        TunedConfig(held=0.7)
    with pytest.raises(InvalidInput, match="kind is one of"):
        penchant.learn_head(["a"], ["b"], "topic")  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="one each"):
        penchant.learn_head(["a"], ["b", "c"])
    with pytest.raises(InvalidInput, match="got none"):
        penchant.learn_head([], [])
    encoder = SentenceEncoder.open()
    with pytest.raises(InvalidInput, match="starts from weights"):
        penchant.learn_head(["a", "b"], ["a", "b"], encoder=encoder, tuned=True)
