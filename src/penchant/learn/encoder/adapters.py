"""What is tuned beside a transformer's weights and cannot be merged: `adapter.safetensors`.

Both kinds hang on the blocks of any transformer as hooks, because a block's output is the one place
that all architectures have in common. A model folder that holds the file is the plain model and the
adapter on top: only who reads both, as the export here does, has the tuned model.
"""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from penchant.types import Error

FILE = "adapter.safetensors"
Kind = Literal["prefix", "bottleneck"]


def blocks(transformer: nn.Module) -> nn.ModuleList:
    """Return the blocks of a transformer, the lowest first; Error where it has no plain list."""
    n = int(getattr(transformer.config, "num_hidden_layers", 0))
    for module in transformer.modules():
        if n and isinstance(module, nn.ModuleList) and len(module) == n:
            return module
    raise Error(
        f"expected a transformer with a list of its {n} blocks, found none in "
        f"{type(transformer).__name__} (ALBERT shares one block): tune it with method full or lora"
    )


class Prefix(nn.Module):
    """Trained vectors before the text, in the input of each block: deep prompts (P-tuning v2).

    What Li and Liang (2021) add as keys and values of each block; peft's form of it passes them as
    a cache, which most encoders do not take. The text keeps the positions that it had.
    """

    kind: Kind = "prefix"

    def __init__(self, transformer: nn.Module, size: int) -> None:
        super().__init__()
        config: Any = transformer.config
        self.size = size
        std = float(getattr(config, "initializer_range", None) or 0.02)
        rows = torch.randn(len(blocks(transformer)), size, config.hidden_size)
        self.rows = nn.Parameter(rows * std)
        self.pad = int(getattr(config, "pad_token_id", None) or 0)
        self._told = "position_ids" in inspect.signature(transformer.forward).parameters
        self._told = self._told and _counts_positions(transformer)
        for number, block in enumerate(blocks(transformer)):
            block.register_forward_pre_hook(self._placing(number))

    def inputs(self, ids: Tensor, mask: Tensor) -> dict[str, Tensor]:
        """Return what the transformer is given for a padded batch: room before each text."""
        rows, width = ids.shape
        room = torch.full((rows, self.size), self.pad, dtype=ids.dtype, device=ids.device)
        seen = torch.ones((rows, self.size), dtype=mask.dtype, device=mask.device)
        given = {
            "input_ids": torch.cat((room, ids), 1),
            "attention_mask": torch.cat((seen, mask), 1),
        }
        if self._told:
            nowhere = torch.zeros(self.size, dtype=torch.long, device=ids.device)
            places = torch.arange(width, device=ids.device)
            given["position_ids"] = torch.cat((nowhere, places)).expand(rows, -1)
        return given

    def _placing(self, number: int) -> Any:
        def place(block: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
            hidden = inputs[0]
            rows = self.rows[number].to(hidden.dtype).expand(hidden.shape[0], -1, -1)
            return (torch.cat((rows, hidden[:, self.size :]), 1), *inputs[1:])

        return place


class Bottleneck(nn.Module):
    """A small network after each block: down, GELU, up, added (Houlsby 2019, Pfeiffer 2021).

    It begins as the identity.
    """

    kind: Kind = "bottleneck"

    def __init__(self, transformer: nn.Module, size: int) -> None:
        super().__init__()
        config: Any = transformer.config
        width = int(config.hidden_size)
        self.size = size
        self.down = nn.ModuleList(nn.Linear(width, size) for _ in blocks(transformer))
        self.up = nn.ModuleList(nn.Linear(size, width) for _ in blocks(transformer))
        for name, parameter in self.named_parameters():
            if name.startswith("down") and name.endswith("weight"):
                nn.init.normal_(parameter, std=0.02)
            else:
                nn.init.zeros_(parameter)
        for number, block in enumerate(blocks(transformer)):
            block.register_forward_hook(self._adding(number))

    def inputs(self, ids: Tensor, mask: Tensor) -> dict[str, Tensor]:
        """Return what the transformer is given for a padded batch: the batch."""
        return {"input_ids": ids, "attention_mask": mask}

    def _adding(self, number: int) -> Any:
        def add(block: nn.Module, inputs: Any, output: Any) -> Any:
            hidden = output[0] if isinstance(output, tuple) else output
            small = nn.functional.gelu(self.down[number](hidden))
            out = hidden + self.up[number](small)
            return (out, *output[1:]) if isinstance(output, tuple) else out

        return add


Adapter = Prefix | Bottleneck
KINDS: dict[str, type[Prefix] | type[Bottleneck]] = {"prefix": Prefix, "bottleneck": Bottleneck}


def write(adapter: Adapter, folder: Path) -> None:
    """Write the adapter into a model folder, beside the plain weights that it hangs on."""
    tensors = {k: v.detach().cpu().contiguous() for k, v in adapter.state_dict().items()}
    # One entry: several are written in no fixed order, and equal adapters should be equal files.
    about = json.dumps({"kind": adapter.kind, "size": adapter.size})
    save_file(tensors, folder / FILE, {"adapter": about})


def read(transformer: nn.Module, folder: Path) -> Adapter | None:
    """Return the adapter of a model folder, hung on its transformer; None where it has none."""
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        with safe_open(path, "pt") as file:
            about = json.loads((file.metadata() or {})["adapter"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        adapter = KINDS[about["kind"]](transformer, int(about["size"]))
        adapter.load_state_dict(tensors)
    except Exception as error:  # safetensors, torch and a dictionary each have their own
        raise Error(
            f"{path} is not an adapter of the model beside it ({error}): tune the model again, or "
            "delete the file to have the model without it"
        ) from error
    return adapter


def _counts_positions(transformer: nn.Module) -> bool:
    """Return whether positions are rows of a table, counted from the first token given.

    RoBERTa counts only what is not padding, and a rotation knows distances alone.
    """
    for name, module in transformer.named_modules():
        leaf = name.rsplit(".", 1)[-1]
        if isinstance(module, nn.Embedding) and leaf in ("position_embeddings", "wpe"):
            return module.padding_idx is None
    return False
