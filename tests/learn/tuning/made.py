"""A world made for these tests: tiny models with their tokenizers, and people who like one topic.

What a topic is made of cannot be told from the words but by who wanted what.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import (
    AutoModel,
    BertConfig,
    DistilBertConfig,
    GPT2Config,
    LlamaConfig,
    ModernBertConfig,
    PreTrainedConfig,
    Qwen2Config,
    RobertaConfig,
)

from penchant.learn.tuning.behaviour import Behaviour
from penchant.learn.tuning.validation import NextByText

TOPICS = (
    "saddle violin glacier ember",
    "pepper anchor lantern quartz",
    "ribbon cactus turbine meadow",
    "walnut comet harbour velvet",
)
FILLERS = "red blue old new small large quiet loud"
ENCODERS = ("bert", "roberta", "distilbert", "modernbert")
DECODERS = ("gpt2", "llama", "qwen2")
SHAPE = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "initializer_range": 0.2,
}


def wordpiece() -> Tokenizer:
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    words = [*special, *" ".join((*TOPICS, FILLERS)).split()]
    letters = "abcdefghijklmnopqrstuvwxyz"
    words += [*letters, *(f"##{letter}" for letter in letters)]
    vocabulary = {word: number for number, word in enumerate(words)}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.add_special_tokens(special)
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return tokenizer


def bytewise() -> Tokenizer:
    # Bytes alone, nothing merged: the same tokenizer on every machine.
    signs = ["<|endoftext|>", *sorted(pre_tokenizers.ByteLevel.alphabet())]
    tokenizer = Tokenizer(models.BPE({sign: i for i, sign in enumerate(signs)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.add_special_tokens(signs[:1])
    return tokenizer


def configuration(kind: str, rows: int) -> PreTrainedConfig:
    ends = {"bos_token_id": 0, "eos_token_id": 0}
    match kind:
        case "bert":
            return BertConfig(vocab_size=rows, max_position_embeddings=64, **SHAPE)
        case "roberta":
            return RobertaConfig(
                vocab_size=rows, max_position_embeddings=66, pad_token_id=1, **SHAPE
            )
        case "distilbert":
            return DistilBertConfig(
                vocab_size=rows,
                dim=32,
                n_layers=2,
                n_heads=2,
                hidden_dim=64,
                max_position_embeddings=64,
                initializer_range=0.2,
            )
        case "modernbert":
            return ModernBertConfig(
                vocab_size=rows,
                max_position_embeddings=64,
                global_attn_every_n_layers=2,
                local_attention=8,
                pad_token_id=0,
                bos_token_id=2,
                eos_token_id=3,
                cls_token_id=2,
                sep_token_id=3,
                **SHAPE,
            )
        case "gpt2":
            return GPT2Config(
                vocab_size=rows,
                n_embd=32,
                n_layer=2,
                n_head=2,
                n_positions=64,
                initializer_range=0.2,
                **ends,
            )
        case "llama":
            return LlamaConfig(vocab_size=rows, max_position_embeddings=64, **SHAPE, **ends)
    return Qwen2Config(
        vocab_size=rows, max_position_embeddings=64, num_key_value_heads=1, **SHAPE, **ends
    )


def model_folder(folder: Path, kind: str = "bert", seed: int = 0) -> Path:
    """Write a model of two layers of width 32 and its tokenizer."""
    tokenizer = bytewise() if kind in DECODERS else wordpiece()
    torch.manual_seed(seed)
    config = configuration(kind, tokenizer.get_vocab_size())
    AutoModel.from_config(config).save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    if kind not in DECODERS:
        marks = {"unk_token": "[UNK]", "mask_token": "[MASK]"}
        (folder / "tokenizer_config.json").write_text(json.dumps(marks))
    return folder


def texts(n: int = 40, seed: int = 1) -> list[str]:
    """Return item texts: the topic of item i is i modulo four."""
    rng = np.random.default_rng(seed)
    out = []
    for i in range(n):
        topic = rng.choice(TOPICS[i % 4].split(), 1)
        out.append(" ".join(rng.permutation([*topic, *rng.choice(FILLERS.split(), 2)])))
    return out


def behaviour(n_users: int = 60, n_items: int = 40, seed: int = 2) -> tuple[Behaviour, NextByText]:
    """Return what people wanted, each within one topic, and what each wanted next."""
    rng = np.random.default_rng(seed)
    rows, users, targets = [], [], []
    for user in range(n_users):
        liked = rng.permutation(np.arange(user % 4, n_items, 4))[:7]
        rows += [(user, item, 1000.0 * at) for at, item in enumerate(liked[:-1])]
        users.append(user)
        targets.append(liked[-1])
    columns = np.array(rows)
    made = Behaviour(
        texts(n_items),
        columns[:, 0].astype(np.int32),
        columns[:, 1].astype(np.int32),
        columns[:, 2],
        categories=np.arange(n_items, dtype=np.int32) % 4,
        values=(np.arange(n_items) % 4).astype(np.float32),
    )
    return made, NextByText(made, np.array(users, np.int32), np.array(targets, np.int32))
