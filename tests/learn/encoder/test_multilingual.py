"""One encoder of two languages, end to end: made, exported, configured, and asked in Chinese.

The model is tiny and trained here, on the demo shelf: it shows that the way is open for any folder
of a multilingual model, not how well one finds.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
import pytest
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

import penchant
from penchant.evaluate.simulate.shelf import films, items
from penchant.language.encoder.exported import ensure_onnx
from penchant.language.encoder.sentence import SentenceEncoder
from penchant.language.template import Template
from penchant.learn.encoder.export import Pooled
from penchant.types import Floats

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
LENGTH, EPOCHS, BATCH = 96, 7, 64
UNSEEN = 101  # films whose Chinese sentence is in no training
NOW = 1_760_000_000.0


class Made(NamedTuple):
    """What an untrained model finds; the trained one as a folder of Hugging Face, and as ONNX."""

    before: tuple[float, float]
    folder: Path
    export: Path


class Shelf:
    """The films as an English catalogue, and what is asked about them in Chinese."""

    def __init__(self) -> None:
        rows = films()
        self.catalogue = items(pl.Series([0] * len(rows)).cast(pl.Datetime("us"))).drop(
            "attributes"
        )
        self.english = Template()(self.catalogue)
        self.chinese = rows["sentence_zh"].to_list()
        self.titles = rows["title_zh"].to_list()
        drawn = np.random.default_rng(0).permutation(len(rows))
        self.unseen, self.seen = drawn[:UNSEEN], drawn[UNSEEN:]
        self.questions = {
            re.split("[，：；]", self.chinese[i])[-1].strip("。"): int(i) for i in self.seen[:80]
        }


def tokenizer(lines: Sequence[str]) -> Tokenizer:
    """Word pieces of both languages, every Chinese character a word of its own."""
    made = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer(handle_chinese_chars=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.train_from_iterator(
        lines,
        trainers.WordPieceTrainer(
            vocab_size=6000, special_tokens=list(SPECIAL), show_progress=False
        ),
    )
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    made.enable_truncation(LENGTH)
    made.enable_padding(pad_id=0)
    return made


def tensors(words: Tokenizer, texts: Sequence[str]) -> tuple[torch.Tensor, torch.Tensor]:
    rows = words.encode_batch(list(texts))
    return torch.tensor([r.ids for r in rows]), torch.tensor([r.attention_mask for r in rows])


@torch.no_grad()
def vectors(model: Pooled, words: Tokenizer, texts: Sequence[str]) -> torch.Tensor:
    return model(*tensors(words, texts))


def train(model: Pooled, words: Tokenizer, shelf: Shelf) -> None:
    """Draw an English text and the Chinese of its film together, and apart from all others."""
    rng = np.random.default_rng(1)
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3)

    def drawn(texts: Sequence[str], left_out: float) -> torch.Tensor:
        """Some words are left out, so that no single one is learned by heart."""
        ids, kept = tensors(words, texts)
        drop = torch.from_numpy(rng.random(ids.shape) < left_out) & (ids >= len(SPECIAL))
        return model(ids, kept * ~drop)

    for _ in range(EPOCHS):
        order = rng.permutation(shelf.seen)
        for start in range(0, len(order), BATCH):
            some = order[start : start + BATCH]
            chinese = [(shelf.chinese if rng.random() < 0.7 else shelf.titles)[i] for i in some]
            near = 20 * drawn([shelf.english[i] for i in some], 0.3) @ drawn(chinese, 0.2).T
            same = torch.arange(len(some))
            loss = torch.nn.functional.cross_entropy(near, same)
            loss = loss + torch.nn.functional.cross_entropy(near.T, same)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()


def save(model: Pooled, words: Tokenizer, folder: Path) -> Path:
    model.transformer.save_pretrained(folder)
    PreTrainedTokenizerFast(
        tokenizer_object=words, unk_token="[UNK]", pad_token="[PAD]"
    ).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture(scope="module")
def made(shelf: Shelf, tmp_path_factory: pytest.TempPathFactory) -> Made:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    words = tokenizer([*shelf.english, *shelf.chinese, *shelf.titles])
    config = BertConfig(
        vocab_size=words.get_vocab_size(),
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=128,
        max_position_embeddings=128,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    model = Pooled(BertModel(config, add_pooling_layer=False), "mean")
    before = found(lambda texts: vectors(model, words, texts).numpy(), shelf)
    train(model, words, shelf)
    root = tmp_path_factory.mktemp("bilingual")
    folder = save(model, words, root / "model")
    return Made(before, folder, ensure_onnx(folder, root / "cache"))


def found(encode: Callable[[list[str]], Floats], shelf: Shelf) -> tuple[float, float]:
    """Return the MRR of parts of sentences, and how many of the unseen are in the best 35.

    All films compete: 35 are a twentieth of them.
    """
    texts = encode(shelf.english)
    of_parts = places(encode(list(shelf.questions)), texts, [*shelf.questions.values()])
    of_unseen = places(
        encode([shelf.chinese[i] for i in shelf.unseen]), texts, shelf.unseen.tolist()
    )
    return float((1 / of_parts).mean()), float((of_unseen <= 35).mean())


def places(vectors: Floats, among: Floats, wanted: Sequence[int]) -> np.ndarray:
    """Return the place of each wanted text in the order of nearness, from 1."""
    near = vectors @ among.T
    return (near > near[np.arange(len(wanted)), wanted][:, None]).sum(axis=1) + 1


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_chinese_finds_english_texts_across_the_languages(shelf, made, precision) -> None:
    parts, unseen = found(SentenceEncoder(made.export, precision=precision).encode, shelf)
    chance = float((1 / np.arange(1, len(shelf.english) + 1)).mean())
    assert parts > 0.4 > 20 * chance
    assert unseen > 0.25
    assert made.before[0] < 3 * chance
    assert made.before[1] < 0.15


def test_it_is_configured_by_its_folder_and_asked_in_chinese(shelf, made, tmp_path):
    cache = made.export.parents[1]
    (tmp_path / "penchant.toml").write_text(
        f'[encoder]\nmodel = "{made.folder}"\ncache_directory = "{cache}"\n',
        encoding="utf-8",
    )
    with penchant.open(tmp_path) as engine:
        engine.add(shelf.catalogue)
        ids = shelf.catalogue["item_id"].to_list()
        first, ten = [], []
        for question, wanted in shelf.questions.items():
            slate = engine.recommend("ada", 10, text=question, now=NOW, log=False)
            found = [line.item_id for line in slate]
            first.append(found[0] == ids[wanted])
            ten.append(ids[wanted] in found)
        told = engine.explain(slate, slate[0].item_id)
    assert np.mean(first) > 0.3
    assert np.mean(ten) > 0.5
    assert "close in meaning to your words" in str(told)


def test_the_default_encoder_reads_no_chinese_and_this_one_does(made, encoder_folder) -> None:
    two, one = (SentenceEncoder(folder) for folder in (made.export, encoder_folder))
    for text, english in (
        ("武士保护村庄", False),
        ("三人", False),  # characters that its vocabulary happens to have
        ("七武士 samurai film", True),
        ("a film about samurai", True),
    ):
        assert (one.reads(text), two.reads(text)) == (english, True)
    assert not two.reads("🚀 ✨")
