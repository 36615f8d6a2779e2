"""What comes after the transformer of a sentence encoder: pooling, dense layers, normalisation."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from penchant.learn.encoder.adapters import Adapter
from penchant.types import Error

POOLINGS = ("mean", "cls", "last")

_NAMES = {
    "mean": "mean",
    "mean_tokens": "mean",
    "cls": "cls",
    "cls_token": "cls",
    "last": "last",
    "lasttoken": "last",
}
# Model types whose tokens see only what is before them, where no architecture is named.
_CAUSAL = ("gpt2", "gpt_neo", "gpt_neox", "llama", "mistral", "qwen2", "qwen3", "gemma", "gemma2")
_ACTIVATIONS: dict[str, type[torch.nn.Module]] = {
    "Identity": torch.nn.Identity,
    "Tanh": torch.nn.Tanh,
}


class Pooled(torch.nn.Module):
    """Unit sentence vectors, float32[batch, dimension], of a transformer under its mask.

    `pooling` is mean, cls (the first token) or last (the last token that is not padding, wherever
    the padding is). `dense` are layers that follow the pooling, `adapter` what was tuned beside the
    transformer's weights.
    """

    def __init__(
        self,
        transformer: Any,
        pooling: str,
        dense: Sequence[torch.nn.Module] = (),
        adapter: Adapter | None = None,
    ) -> None:
        super().__init__()
        self.transformer = transformer
        self.pooling = pooling
        self.dense = torch.nn.Sequential(*dense)
        self.adapter = adapter

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Return the pooled, normalised vectors of a padded batch."""
        if self.adapter is None:
            hidden = self.transformer(input_ids=input_ids, attention_mask=attention_mask)[0]
        else:
            hidden = self.transformer(**self.adapter.inputs(input_ids, attention_mask))[0]
            hidden = hidden[:, hidden.shape[1] - input_ids.shape[1] :]
        return self.read(hidden, attention_mask)

    def read(self, hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Return the unit vectors float[b, d] of hidden states float[b, l, w] under their mask."""
        if self.pooling == "cls":
            pooled = hidden[:, 0]
        elif self.pooling == "last":
            places = torch.arange(mask.shape[1], device=mask.device)
            last = (places * mask).argmax(1)
            where = last.view(-1, 1, 1).expand(-1, 1, hidden.shape[2])
            pooled = hidden.gather(1, where).squeeze(1)
        else:
            seen = mask.unsqueeze(-1).to(hidden.dtype)
            pooled = (hidden * seen).sum(1) / seen.sum(1).clamp(min=1e-9)
        return torch.nn.functional.normalize(self.dense(pooled), dim=1, eps=1e-12)


class Unit(torch.nn.Module):
    """Rows of length one."""

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Return the rows, each divided by its length."""
        return torch.nn.functional.normalize(rows, dim=1, eps=1e-12)


def pooling_of(source: Path) -> str:
    """Return mean, cls or last: what the folder says, last for a decoder that says nothing.

    Raises Error for any other pooling.
    """
    places = [m["path"] for m in modules_of(source) if m["kind"] == "Pooling"] or ["1_Pooling"]
    path = source / places[0] / "config.json"
    chosen = _json(path)
    modes = [
        k for k, v in chosen.items() if k.startswith("pooling_mode") and v not in (False, None)
    ]
    if "pooling_mode" in modes:
        modes = [f"pooling_mode_{chosen['pooling_mode']}"]
    if not modes:
        return "last" if is_causal(_json(source / "config.json")) else "mean"
    found = _NAMES.get(modes[0].removeprefix("pooling_mode_"))
    if len(modes) > 1 or found is None:
        raise Error(
            f"expected mean or cls pooling, or last, in {path}, got {modes}: set one of "
            "pooling_mode_mean_tokens, pooling_mode_cls_token, pooling_mode_lasttoken to true"
        )
    return found


def is_causal(description: dict[str, Any]) -> bool:
    """Return whether a config.json describes a decoder: each token sees those before it."""
    if description.get("use_bidirectional_attention") or description.get("is_causal") is False:
        return False
    named = [str(a) for a in description.get("architectures") or []]
    if any(a.endswith(("ForCausalLM", "LMHeadModel")) for a in named):
        return True
    return str(description.get("model_type")) in _CAUSAL


def dense_of(source: Path, width: int) -> list[torch.nn.Module]:
    """Return the dense layers after the pooling, for pooled vectors of `width` numbers,
    and normalisations between them.

    Raises Error where the folder has other layers, another order, or damaged weights.
    """
    layers: list[torch.nn.Module] = []
    seen = [m["kind"] for m in modules_of(source)]
    if seen and (seen[:2] != ["Transformer", "Pooling"] or {*seen[2:]} - {"Dense", "Normalize"}):
        raise Error(
            f"{source / 'modules.json'} has layers that cannot be exported: {seen}; expected a "
            "transformer, mean, cls or last pooling, and then dense layers or normalisations"
        )
    for module in modules_of(source)[2:]:
        if module["kind"] == "Dense":
            linear, activation = _dense(source / module["path"], width)
            layers += [linear, activation]
            width = linear.out_features
        else:
            layers.append(Unit())
    return layers


def modules_of(source: Path) -> list[dict[str, str]]:
    """Return `kind` and `path` of each module that modules.json lists, none without the file."""
    listed = _json(source / "modules.json") or []
    try:
        return [
            {"kind": str(m["type"]).rsplit(".", 1)[-1], "path": str(m.get("path", ""))}
            for m in listed
        ]
    except (TypeError, KeyError, AttributeError) as error:
        raise Error(
            f"expected a list of objects with type and path in {source / 'modules.json'}: save "
            "the model again, or remove the file for a transformer with its default pooling"
        ) from error


def _dense(folder: Path, width: int) -> tuple[torch.nn.Linear, torch.nn.Module]:
    chosen = _json(folder / "config.json")
    named = str(chosen.get("activation_function", "Tanh")).rsplit(".", 1)[-1]
    if named not in _ACTIVATIONS:
        raise Error(
            f"expected activation {' or '.join(_ACTIVATIONS)} in {folder / 'config.json'}, got "
            f"{named!r}: other dense layers cannot be exported"
        )
    try:
        weights = load_file(folder / "model.safetensors")
    except (OSError, SafetensorError) as error:
        raise Error(
            f"expected the weights of a dense layer in {folder / 'model.safetensors'}, got "
            f"{error}: save the model with safe_serialization=True"
        ) from error
    matrix, bias = weights.get("linear.weight"), weights.get("linear.bias")
    if matrix is None or matrix.ndim != 2 or matrix.shape[1] != width:
        came = "none" if matrix is None else list(matrix.shape)
        raise Error(
            f"expected linear.weight[any, {width}] in {folder / 'model.safetensors'}, got {came}: "
            "the dense layer belongs to another transformer"
        )
    linear = torch.nn.Linear(width, matrix.shape[0], bias=bias is not None)
    linear.load_state_dict({k.removeprefix("linear."): v.float() for k, v in weights.items()})
    return linear, _ACTIVATIONS[named]()


def _json(path: Path) -> Any:
    if not path.is_file():
        return {}
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise Error(f"{path} is not JSON ({error}): fetch or save the model again") from error
