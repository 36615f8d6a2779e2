"""Which weights move: all, the top, or few beside them; how fast each; and back into plain ones."""

from __future__ import annotations

import re
import warnings
from typing import Any

import torch
from torch import Tensor, nn

from penchant.learn.encoder import adapters
from penchant.learn.encoder.pooled import Pooled
from penchant.learn.tuning.config import TuningConfig
from penchant.types import Error

_SEEN = ("ipt", "exp_avg_ipt", "exp_avg_unc")


class Attached:
    """A method on a model: the parameters that move, and the way back to a plain model."""

    def __init__(self, module: Pooled, config: TuningConfig, steps: int) -> None:
        self.module = module
        self.config = config
        for parameter in module.parameters():
            parameter.requires_grad_(False)
        match config.method:
            case "full":
                for parameter in module.transformer.parameters():
                    parameter.requires_grad_(True)
            case "last":
                self._open_top()
            case "lora" | "adalora":
                module.transformer = _low_rank(module.transformer, config, steps)
            case "prefix" | "bottleneck":
                if module.adapter is not None:
                    raise Error(
                        f"the model has a {module.adapter.kind} adapter already: tune it with "
                        "another method, or tune the model without it"
                    )
                adapter = adapters.KINDS[config.method](module.transformer, config.rank)
                module.adapter = adapter.to(next(module.parameters()).device)
        for name, parameter in module.named_parameters():
            # A pooler's output is never read.
            if ".pooler." in name:
                parameter.requires_grad_(False)

    def parameters(self) -> dict[str, nn.Parameter]:
        """Return the parameters that move, by name."""
        return {n: p for n, p in self.module.named_parameters() if p.requires_grad}

    def groups(self) -> list[dict[str, Any]]:
        """Return the groups of an optimiser: each block `layer_decay` slower than the one above."""
        found: dict[int, list[nn.Parameter]] = {}
        for name, parameter in self.parameters().items():
            found.setdefault(self._depth(name), []).append(parameter)
        top = self._top()
        return [
            {
                "params": found[depth],
                "rate": self.config.rate * self.config.layer_decay ** (top - depth),
                "weight_decay": self.config.weight_decay,
            }
            for depth in sorted(found)
        ]

    def stepped(self, step: int) -> None:
        """Tell the method that a step was taken, before the gradients are cleared."""
        if self.config.method == "adalora":
            self.module.transformer.base_model.update_and_allocate(step)

    def penalty(self, vectors: Tensor) -> Tensor:
        """Return what the method adds to the loss: AdaLoRA's factors should stay orthogonal."""
        if self.config.method != "adalora":
            return vectors.new_zeros(())
        return _orthogonal(self.module.transformer, vectors)

    def beside(self) -> dict[str, Tensor]:
        """Return what the method knows besides its parameters: what AdaLoRA has seen of ranks."""
        if self.config.method != "adalora":
            return {}
        model = self.module.transformer.base_model
        allocator = model.rankallocator
        out = {
            f"{part}/{name}": tensor
            for part in _SEEN
            for name, tensor in getattr(allocator, part).items()
        }
        pattern = model.peft_config[model.trainable_adapter_name].rank_pattern or {}
        return out | {f"rank/{name}": torch.tensor(kept) for name, kept in pattern.items()}

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Take back what `beside` returned."""
        if not tensors:
            return
        model = self.module.transformer.base_model
        device = next(self.module.parameters()).device
        pattern = {}
        for key, tensor in tensors.items():
            part, _, name = key.partition("/")
            if part == "rank":
                pattern[name] = tensor.tolist()
            else:
                getattr(model.rankallocator, part)[name] = tensor.to(device)
        if pattern:
            model.peft_config[model.trainable_adapter_name].rank_pattern = pattern

    def merge(self) -> None:
        """Put what was learned into plain weights, where the method can."""
        if self.config.method in ("lora", "adalora"):
            self.module.transformer = self.module.transformer.merge_and_unload()
        for parameter in self.module.parameters():
            parameter.requires_grad_(False)

    def _open_top(self) -> None:
        for block in top(self.module, self.config):
            for parameter in block.parameters():
                parameter.requires_grad_(True)
        for name, parameter in self.module.named_parameters():
            if self._depth(name) == self._top():
                parameter.requires_grad_(True)

    def _top(self) -> int:
        config: Any = self.module.transformer.config
        return int(config.num_hidden_layers) + 1

    def _depth(self, name: str) -> int:
        """Return 0 for what lies below the blocks, 1 for the lowest block, and so on."""
        found = re.search(r"\.(?:layer|layers|h|block|blocks|down|up)\.(\d+)\.", name)
        if found:
            return int(found[1]) + 1
        below = re.search(r"embed|\bwte\b|\bwpe\b", name) is not None
        return 0 if below else self._top()


def top(module: Pooled, config: TuningConfig) -> list[nn.Module]:
    """Return the blocks that method last tunes; Error where the model has no such."""
    if module.adapter is not None and module.adapter.kind == "prefix":
        raise Error(
            "the model has a prefix, which moves what enters each block: tune it with method full "
            "or lora"
        )
    stack = adapters.blocks(module.transformer)
    if config.layers > len(stack):
        raise Error(
            f"the model has {len(stack)} blocks, and layers asks to tune the last "
            f"{config.layers}: lower it, or set method to full"
        )
    return list(stack)[len(stack) - config.layers :]


def _low_rank(transformer: Any, config: TuningConfig, steps: int) -> Any:
    from transformers.pytorch_utils import Conv1D

    try:
        import peft
    except ImportError as error:
        raise Error(
            f"tuning method {config.method} needs peft: `pip install 'penchant[train]'`, or set "
            "method to full, last, prefix or bottleneck"
        ) from error
    columns = any(isinstance(module, Conv1D) for module in transformer.modules())
    shape: dict[str, Any] = {"target_modules": "all-linear", "bias": "none"}
    # A pooler is never read, so what hangs on it has no gradient.
    shape |= {"fan_in_fan_out": columns, "exclude_modules": r".*pooler.*"}
    if config.method == "lora":
        chosen: Any = peft.LoraConfig(r=config.rank, lora_alpha=2 * config.rank, **shape)
    elif columns:
        raise Error(
            f"AdaLoRA knows no layers as {type(transformer).__name__} has them (Conv1D): "
            "set method to lora"
        )
    else:
        # Twice the rank at first; after a tenth of the training it is given where it pays.
        chosen = peft.AdaLoraConfig(
            init_r=2 * config.rank,
            target_r=config.rank,
            lora_alpha=2 * config.rank,
            tinit=max(1, steps // 10),
            tfinal=max(1, steps // 3),
            deltaT=max(1, steps // 100),
            total_step=max(steps, 4),
            **shape,
        )
    with warnings.catch_warnings():
        # What one library warns the other of is not the caller's to mend.
        warnings.simplefilter("ignore")
        return peft.get_peft_model(transformer, chosen)


def _orthogonal(transformer: nn.Module, vectors: Tensor) -> Tensor:
    total, count = vectors.new_zeros(()), 0
    for name, parameter in transformer.named_parameters():
        if "lora_A" in name or "lora_B" in name:
            product = parameter @ parameter.T if "lora_A" in name else parameter.T @ parameter
            unit = torch.eye(len(product), device=product.device)
            total, count = total + (product - unit).norm(), count + 1
    return 0.1 * total / max(count, 1)
