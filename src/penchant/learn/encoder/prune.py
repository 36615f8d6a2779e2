"""Fewer blocks: which can go is asked of a validation, one block after the other.

Embeddings and the blocks that stay keep their weights; nothing is trained here. The lower blocks of
a sentence encoder usually have to stay (Sajjad et al. 2023), but that is measured, not assumed.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from penchant.learn.encoder.adapters import blocks
from penchant.learn.encoder.pooled import Pooled, opened
from penchant.types import Error, Floats, InvalidInput

Read = Callable[[Pooled], Floats]


@dataclass(frozen=True)
class Dropped:
    """A smaller model: which blocks it has left, from 0, and its value on the validation."""

    kept: tuple[int, ...]
    value: float


def prune(
    pooled: Pooled, left: int, value: Callable[[Pooled], float]
) -> tuple[Pooled, list[Dropped]]:
    """Return the model with `left` blocks, and the best of each size on the way, largest first.

    Greedy: of all models with one block less, the one with the largest `value` is gone on from.
    The model given is left as it is.
    """
    n = len(blocks(pooled.transformer))
    if not 0 < left <= n:
        raise InvalidInput(f"the model has {n} blocks: expected 1 to {n} to be left, got {left}")
    kept = tuple(range(n))
    found = [Dropped(kept, value(pooled))]
    while len(kept) > left:
        tried = []
        for gone in kept:
            rest = tuple(block for block in kept if block != gone)
            tried.append(Dropped(rest, value(only(pooled, rest))))
        best = max(tried, key=lambda one: one.value)
        kept = best.kept
        found.append(best)
    return only(pooled, kept), found


def only(pooled: Pooled, kept: Sequence[int]) -> Pooled:
    """Return the model with only the blocks `kept`, in their order; weights are shared with it."""
    if pooled.adapter is not None:
        raise Error(
            f"a {pooled.adapter.kind} adapter hangs on every block: prune the model before it is "
            "tuned, or tune it with method full, last or lora"
        )
    whole = pooled.transformer
    path = next(n for n, module in whole.named_modules() if module is blocks(whole))
    # The blocks are shared, everything that counts them is not.
    shared = {id(p): p for p in (*whole.parameters(), *whole.buffers())}
    small: Any = copy.deepcopy(whole, dict(shared))
    stack = blocks(small)
    parent, _, name = path.rpartition(".")
    chosen = nn.ModuleList(stack[i] for i in kept)
    setattr(small.get_submodule(parent) if parent else small, name, chosen)
    for number, block in enumerate(chosen):
        for module in block.modules():
            part: Any = module
            if hasattr(part, "layer_idx"):
                part.layer_idx = number
    config = small.config
    config.num_hidden_layers = len(kept)
    if getattr(config, "layer_types", None):
        config.layer_types = [whole.config.layer_types[i] for i in kept]
    return Pooled(small, pooled.pooling).eval()


def prune_folder(
    source: Path, target: Path, left: int, value: Callable[[Pooled], float]
) -> list[Dropped]:
    """Write the model folder `source` with `left` blocks to the new `target`; see `prune`."""
    from penchant.learn.tuning.text_model import save_beside

    found = opened(source)
    with torch.no_grad():
        small, steps = prune(found.module, left, value)
    save_beside(small, found, target)
    return steps
