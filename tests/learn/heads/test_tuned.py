from __future__ import annotations

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
from penchant.language.heads.linear import HeadDamaged
from penchant.learn.encoder.export import Pooled
from penchant.learn.heads.config import HeadConfig, TunedConfig
from penchant.learn.heads.tuned import contrastive, held_out, tune
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
    told: list[float] = []
    made = tune(
        *texts(),
        tmp_path / "tuned",
        model=tiny,
        config=CONFIG,
        tell=lambda _, share: told.append(share),
    )
    assert told == sorted(told)
    assert len(told) == len(made.losses) == 3 * 6
    assert [step for step, _ in made.values] == [0, 6, 12, 18]
    assert np.mean(made.losses[-6:]) < np.mean(made.losses[:6])
    assert made.values[0][1] < -0.5 < -0.3 < made.values[-1][1]
    assert len(made.held) == 12
    assert made.problem == ""
    names = {"config.json", "model.safetensors", "tokenizer.json", "1_Pooling"}
    assert names <= {p.name for p in made.folder.iterdir()}
    assert not (tmp_path / "tuned.work").exists()
    assert apart(made.folder) > max(0.9, apart(tiny))


def apart(folder: Path) -> float:
    """Return how many texts are nearer to the middle of their own label."""
    rows, labels = encoded(folder, texts()[0]), np.array(texts()[1])
    same, other = rows @ rows[labels == "sea"].mean(0), rows @ rows[labels == "food"].mean(0)
    return float(((same > other) == (labels == "sea")).mean())


def test_a_share_of_each_label_is_held_out() -> None:
    labels = np.repeat(["sea", "food"], [300, 100])
    held = held_out(labels, TunedConfig(held=0.1))
    assert np.unique(labels[held], return_counts=True)[1].tolist() == [10, 30]


class Killed(Exception):
    """What ends a tuning in the middle here."""


def test_a_killed_tuning_goes_on_and_ends_the_same(tiny: Path, tmp_path: Path) -> None:
    whole = tune(*texts(), tmp_path / "whole", model=tiny, config=CONFIG)
    steps: list[float] = []

    def killing(_: str, share: float) -> None:
        steps.append(share)
        if len(steps) == 8:
            raise Killed

    again = {"model": tiny, "config": CONFIG, "checkpoint_seconds": 0.0}
    with pytest.raises(Killed):
        tune(*texts(), tmp_path / "parts", tell=killing, **again)
    assert not (tmp_path / "parts").exists()
    parts = tune(*texts(), tmp_path / "parts", tell=killing, **again)
    # The step at which it was killed had not been written yet.
    assert len(steps) == 8 + 18 - 7
    assert (parts.values, parts.losses) == (whole.values, whole.losses)
    a, b = (load_file(made.folder / "model.safetensors") for made in (whole, parts))
    assert all(torch.equal(a[name], b[name]) for name in a)


def test_what_was_left_by_other_texts_is_not_taken(tiny: Path, tmp_path: Path) -> None:
    def killing(_: str, share: float) -> None:
        if share > 0.3:
            raise Killed

    found, labels = texts()
    more = {"model": tiny, "config": CONFIG, "checkpoint_seconds": 0.0}
    with pytest.raises(Killed):
        tune(found, labels, tmp_path / "tuned", tell=killing, **more)
    made = tune([*found[:-1], "a wave"], labels, tmp_path / "tuned", **more)
    assert len(made.losses) == 18


def test_a_loss_that_is_no_number_ends_it_with_the_best_so_far(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penchant.learn.heads.learning.SentenceEncoder", Short)
    whole = contrastive
    calls: list[int] = []

    def broken(*given: object) -> torch.Tensor:
        calls.append(1)
        found = whole(*given)  # type: ignore[arg-type]
        return found if len(calls) <= 12 else found * float("nan")

    monkeypatch.setattr("penchant.learn.heads.tuned.contrastive", broken)
    made = tune(*texts(), tmp_path / "tuned", model=tiny, config=CONFIG)
    assert "not finite" in made.problem
    assert made.values[-1][0] == 12
    rows = encoded(made.folder, texts()[0])
    assert np.isfinite(rows).all()
    learned = penchant.learn_head(*texts(), encoder=tiny, tuned=CONFIG, work=tmp_path / "work")
    assert "not finite" in learned.head.learned["problem"]


def test_texts_that_cannot_be_read_are_left_out(tiny: Path, tmp_path: Path) -> None:
    found, labels = texts()
    found = ["" if i % 7 == 0 else text for i, text in enumerate(found)]
    made = tune(found, labels, tmp_path / "tuned", model=tiny, config=CONFIG)
    assert made.values[0][1] < -0.5 < -0.3 < made.values[-1][1]
    with pytest.raises(InvalidInput, match="of 60 texts 0 can"):
        tune([""] * 60, labels, tmp_path / "none", model=tiny, config=CONFIG)
    with pytest.raises(InvalidInput, match="with 1 labels"):
        tune(found, ["sea"] * 60, tmp_path / "none", model=tiny, config=CONFIG)


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
    (copied,) = (tmp_path / "head").glob("encoder-*")
    names = sorted(path.name for path in copied.iterdir())
    assert names == ["meta.json", "model.int8.onnx", "tokenizer.json"]
    # The only copy of the weights: an opened one is saved elsewhere, a damaged one is not deleted.
    again.save(tmp_path / "moved")
    moved = penchant.open_head(tmp_path / "moved")
    assert moved.predict(["soup and bread"]).labels == said.labels[1:2]
    (copied / "tokenizer.json").write_text("{")
    with pytest.raises(HeadDamaged, match=r"tokenizer.json is not the file"):
        penchant.open_head(tmp_path / "head")


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
