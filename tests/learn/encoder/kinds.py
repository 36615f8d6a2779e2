"""Tiny random models of each kind of transformer, as folders that Hugging Face would save."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers
from transformers import (
    BertConfig,
    BertModel,
    DistilBertConfig,
    DistilBertModel,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    ModernBertConfig,
    ModernBertModel,
    Qwen3Config,
    Qwen3ForCausalLM,
    RobertaConfig,
    RobertaModel,
)

WIDTH = 32
SPECIAL = {
    "pieces": ["[PAD]", "[UNK]", "[CLS]", "[SEP]"],
    "bytes": ["<s>", "<pad>", "</s>", "<unk>"],
    "ending": ["<|endoftext|>"],
    "plain": ["<|endoftext|>"],
}
LINES = ("a quiet western about an old sheriff", "red wine glass", "tea & cake: set of 4") * 3


def tokenizer(kind: str) -> Tokenizer:
    """Return word pieces with marks at both ends, bytes with both, with an end, or none."""
    special = SPECIAL[kind]
    if kind == "pieces":
        made = Tokenizer(models.WordPiece(unk_token="[UNK]"))
        made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        trainer = trainers.WordPieceTrainer(
            vocab_size=300, special_tokens=special, show_progress=False
        )
    else:
        made = Tokenizer(models.BPE())
        made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        trainer = trainers.BpeTrainer(
            vocab_size=300,
            special_tokens=special,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
    made.train_from_iterator(LINES, trainer)
    first, last = {
        "pieces": ("[CLS]", "[SEP]"),
        "bytes": ("<s>", "</s>"),
        "ending": ("", special[-1]),
        "plain": ("", ""),
    }[kind]
    made.post_processor = processors.TemplateProcessing(
        single=f"{first} $A {last}".strip(),
        special_tokens=[(t, made.token_to_id(t)) for t in (first, last) if t],
    )
    return made


def tiny(folder: Path, kind: str, layers: int = 2) -> Path:
    """Return the folder of a random model of this kind: 32 numbers, 64 positions."""
    torch.manual_seed(3)
    encoder = {
        "hidden_size": WIDTH,
        "num_hidden_layers": layers,
        "num_attention_heads": 2,
        "intermediate_size": 64,
        "initializer_range": 0.3,
    }
    match kind:
        case "bert":
            which = "pieces"
            model = BertModel(
                BertConfig(vocab_size=300, max_position_embeddings=64, **encoder),
                add_pooling_layer=False,
            )
        case "distilbert":
            which = "pieces"
            model = DistilBertModel(
                DistilBertConfig(
                    vocab_size=300,
                    dim=WIDTH,
                    n_layers=layers,
                    n_heads=2,
                    hidden_dim=64,
                    max_position_embeddings=64,
                    initializer_range=0.3,
                )
            )
        case "roberta":
            which = "bytes"
            model = RobertaModel(
                RobertaConfig(vocab_size=300, max_position_embeddings=66, pad_token_id=1, **encoder)
            )
        case "modernbert":
            which = "pieces"
            model = ModernBertModel(
                ModernBertConfig(
                    vocab_size=300,
                    max_position_embeddings=64,
                    pad_token_id=0,
                    local_attention=8,
                    global_attn_every_n_layers=layers,
                    cls_token_id=2,
                    sep_token_id=3,
                    bos_token_id=2,
                    eos_token_id=3,
                    **encoder,
                )
            )
        case "gpt2":
            which = "plain"
            model = GPT2LMHeadModel(
                GPT2Config(
                    vocab_size=300,
                    n_embd=WIDTH,
                    n_layer=layers,
                    n_head=2,
                    n_positions=64,
                    initializer_range=0.3,
                    bos_token_id=0,
                    eos_token_id=0,
                )
            )
        case "llama" | "qwen3":
            which = "ending"
            config, of = (
                (LlamaConfig, LlamaForCausalLM)
                if kind == "llama"
                else (Qwen3Config, Qwen3ForCausalLM)
            )
            grouped = {**encoder, "num_key_value_heads": 1, "head_dim": 16}
            model = of(config(vocab_size=300, max_position_embeddings=64, **grouped))
        case _:
            raise ValueError(kind)
    model.save_pretrained(folder)
    tokenizer(which).save(str(folder / "tokenizer.json"))
    return folder


def dense(folder: Path, activation: str, width: int = 12) -> Path:
    """Return the folder with a pooling and a dense layer, as sentence-transformers has them."""
    kinds = ["Transformer", "Pooling", "Dense", "Normalize"]
    paths = ["", "1_Pooling", "2_Dense", "3_Normalize"]
    listed = [
        {"idx": i, "name": str(i), "path": p, "type": f"sentence_transformers.models.{k}"}
        for i, (k, p) in enumerate(zip(kinds, paths, strict=True))
    ]
    (folder / "modules.json").write_text(json.dumps(listed))
    (folder / "2_Dense").mkdir()
    (folder / "2_Dense" / "config.json").write_text(
        json.dumps({"in_features": WIDTH, "out_features": width, "activation_function": activation})
    )
    torch.manual_seed(5)
    weights = {"linear.weight": torch.randn(width, WIDTH) / 6, "linear.bias": torch.randn(width)}
    save_file(weights, folder / "2_Dense" / "model.safetensors")
    return folder
