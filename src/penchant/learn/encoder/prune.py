"""Smaller encoders: fewer layers, and shorter vectors.

Whole layers can be left out of a transformer at once (Sajjad et al. 2023, "On the effect of
dropping layers of pre-trained transformer models"). Which ones is chosen by how well the similarity
of texts agrees with that of the whole model. Vectors are best cut after a turn by which their first
numbers carry most: that turn is `Whitening` with a floor of one, as a dense layer behind the model.
Both are best followed by tuning.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file

from penchant.language.whitening import Whitening
from penchant.learn.encoder.loaded import Loaded, load
from penchant.learn.encoder.pooled import Pooled, modules_of
from penchant.types import Floats, InvalidInput

_BATCH = 32
# What a folder holds beside the transformer itself.
_BESIDE = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "sentence_bert_config.json",
    "config_sentence_transformers.json",
    "modules.json",
)


@dataclass(frozen=True)
class Choice:
    """Layers that are kept, and the correlation of their similarities with the whole model's."""

    layers: tuple[int, ...]
    agreement: float


def candidates(whole: int, k: int) -> list[tuple[int, ...]]:
    """Return ways of keeping `k` of `whole` layers: the first, evenly spaced, all but the middle.

    Each begins with layer 0, which reads what the table of words holds.
    """
    if not 0 < k <= whole:
        raise InvalidInput(f"expected between 1 and {whole} layers to be kept, got {k}")
    first = tuple(range(k))
    with_last = np.rint(np.linspace(0, whole - 1, k)).astype(int)
    without = np.floor(np.arange(k) * whole / k).astype(int)
    ends = [*range(-(-k // 2)), *range(whole - k // 2, whole)]
    found = [first, *(tuple(int(i) for i in row) for row in (with_last, without, ends))]
    return list(dict.fromkeys(found))


def choose(source: Path, k: int, texts: Sequence[str]) -> Choice:
    """Return the `candidates` of `k` layers that agree best with the whole model on `texts`.

    Agreement is the correlation of the cosines of all pairs: what a turned or stretched space
    changes does not count.
    """
    if len(texts) < 3:
        raise InvalidInput(f"expected at least 3 texts to compare by, got {len(texts)}")
    loaded = load(source)
    stack = _stack(loaded.module)
    layers = list(stack)
    wanted = _pairs(vectors(loaded, texts))
    best = Choice((), -2.0)
    for kept in candidates(len(layers), k):
        _keep(loaded.module, [layers[i] for i in kept], kept)
        agreement = float(np.corrcoef(wanted, _pairs(vectors(loaded, texts)))[0, 1])
        _keep(loaded.module, layers, tuple(range(len(layers))))
        if agreement > best.agreement:
            best = Choice(kept, agreement)
    return best


def fewer_layers(source: Path, target: Path, layers: Sequence[int]) -> Path:
    """Return `target`, a new model folder with these layers of `source` alone.

    Raises InvalidInput for layers that are not there or out of order, Error where a model without
    them is not whole.
    """
    loaded = load(source)
    stack = list(_stack(loaded.module))
    kept = tuple(layers)
    if not kept or list(kept) != sorted({*kept}) or kept[0] < 0 or kept[-1] >= len(stack):
        raise InvalidInput(
            f"expected rising numbers from 0 to {len(stack) - 1}, the layers of {source}, got "
            f"{list(kept)}"
        )
    _keep(loaded.module, [stack[i] for i in kept], kept)
    _write(source, target, loaded)
    load(target)
    return target


def shorter(source: Path, target: Path, vectors: Floats, dimension: int) -> Path:
    """Return `target`, a new model folder whose vectors are the first principal directions.

    `vectors` float32[n, d] are what `source` makes of texts like those it will read.
    """
    loaded = load(source)
    if vectors.ndim != 2 or vectors.shape[1] != loaded.dimension:
        raise InvalidInput(
            f"expected vectors of {loaded.dimension} numbers, as {source} makes them, got "
            f"{list(vectors.shape)}"
        )
    if not 0 < dimension <= min(loaded.dimension, len(vectors) - 1):
        raise InvalidInput(
            f"expected between 1 and {min(loaded.dimension, len(vectors) - 1)} numbers "
            f"(as many as directions, fewer than vectors), got {dimension}"
        )
    turn = Whitening.fit(vectors, dimension, floor=1.0)
    _write(source, target, loaded)
    listed = modules_of(source) or [{"kind": "Transformer", "path": ""}]
    listed = [m for m in listed if m["kind"] != "Pooling"]
    listed.insert(1, {"kind": "Pooling", "path": "1_Pooling"})
    if listed[-1]["kind"] != "Normalize":
        listed.append({"kind": "Normalize", "path": f"{len(listed)}_Normalize"})
    place = f"{len(listed)}_Dense"
    listed += [{"kind": "Dense", "path": place}]
    listed += [{"kind": "Normalize", "path": f"{len(listed)}_Normalize"}]
    written = [
        {"idx": i, "name": str(i), "path": m["path"], "type": _type(m["kind"])}
        for i, m in enumerate(listed)
    ]
    (target / "modules.json").write_text(json.dumps(written, indent=1))
    (target / place).mkdir()
    described = {
        "in_features": loaded.dimension,
        "out_features": dimension,
        "bias": True,
        "activation_function": "torch.nn.modules.linear.Identity",
    }
    (target / place / "config.json").write_text(json.dumps(described))
    weights = {
        "linear.weight": torch.from_numpy(np.ascontiguousarray(turn.matrix.T)),
        "linear.bias": torch.from_numpy(-(turn.mean @ turn.matrix)),
    }
    save_file(weights, target / place / "model.safetensors")
    load(target)
    return target


def vectors(loaded: Loaded, texts: Sequence[str]) -> Floats:
    """Return unit vectors float32[n, dimension] of texts, by PyTorch, in padded batches."""
    rows: Floats = np.zeros((len(texts), loaded.dimension), dtype=np.float32)
    encoded = [loaded.tokenizer.encode(text).ids or [loaded.pad] for text in texts]
    order = sorted(range(len(texts)), key=lambda i: len(encoded[i]))
    for start in range(0, len(order), _BATCH):
        batch = order[start : start + _BATCH]
        width = max(len(encoded[i]) for i in batch)
        ids = torch.full((len(batch), width), loaded.pad, dtype=torch.int64)
        mask = torch.zeros_like(ids)
        for place, i in enumerate(batch):
            ids[place, : len(encoded[i])] = torch.tensor(encoded[i])
            mask[place, : len(encoded[i])] = 1
        with torch.inference_mode():
            rows[batch] = loaded.module(ids, mask).numpy()
    return rows


def _pairs(rows: Floats) -> Floats:
    cosines: Floats = (rows @ rows.T)[np.triu_indices(len(rows), 1)]
    return cosines


def _stack(module: Pooled) -> torch.nn.ModuleList:
    """Return the list of layers of the transformer."""
    config = module.transformer.config.get_text_config()
    for part in module.transformer.modules():
        if isinstance(part, torch.nn.ModuleList) and len(part) == config.num_hidden_layers:
            return part
    raise InvalidInput(
        f"found no list of {config.num_hidden_layers} layers in a {config.model_type}: its layers "
        "cannot be left out here"
    )


def _keep(module: Pooled, layers: Sequence[torch.nn.Module], kept: tuple[int, ...]) -> None:
    stack = _stack(module)
    config: Any = module.transformer.config.get_text_config()
    if kinds := getattr(config, "layer_types", None):
        # Some models say for each layer how far it sees.
        if not hasattr(config, "_whole_types"):
            config._whole_types = list(kinds)
        config.layer_types = [config._whole_types[i] for i in kept]
    config.num_hidden_layers = len(kept)
    stack._modules = {str(i): layer for i, layer in enumerate(layers)}


def _write(source: Path, target: Path, loaded: Loaded) -> None:
    """Write the transformer, and what `source` has beside it, with the pooling spelt out."""
    config: Any = loaded.module.transformer.config.get_text_config()
    if hasattr(config, "_whole_types"):
        del config._whole_types
    loaded.module.transformer.save_pretrained(target)
    for name in _BESIDE:
        if (source / name).is_file():
            shutil.copy(source / name, target / name)
    for module in modules_of(source):
        if module["kind"] == "Dense":
            shutil.copytree(source / module["path"], target / module["path"])
    mode = {"mean": "mean_tokens", "cls": "cls_token", "last": "lasttoken"}[loaded.module.pooling]
    (target / "1_Pooling").mkdir(exist_ok=True)
    chosen = {"word_embedding_dimension": config.hidden_size, f"pooling_mode_{mode}": True}
    (target / "1_Pooling" / "config.json").write_text(json.dumps(chosen))


def _type(kind: str) -> str:
    return f"sentence_transformers.models.{kind}"
