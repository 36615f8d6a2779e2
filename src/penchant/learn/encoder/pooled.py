"""A sentence encoder in PyTorch: transformer, pooling and adapter, from a model folder."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from logging import ERROR
from pathlib import Path
from typing import Any, Literal

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn

from penchant.language.encoder.weights import WeightsMissing, weight_files
from penchant.learn.encoder import adapters
from penchant.types import Error

Pooling = Literal["mean", "cls", "last"]
LONGEST = 512
"""Tokens of the longest text; longer ones are cut, whatever the model could take."""


class ModelMismatched(Error):
    """The files of a model folder do not belong together."""


class Pooled(nn.Module):
    """Unit sentence vectors, float32[batch, dimension], of a transformer under its mask."""

    def __init__(
        self, transformer: Any, pooling: str, adapter: adapters.Adapter | None = None
    ) -> None:
        super().__init__()
        self.transformer = transformer
        self.pooling = pooling
        self.adapter = adapter

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Return the pooled, normalised vectors of a padded batch."""
        if self.adapter is None:
            hidden = self.transformer(input_ids=input_ids, attention_mask=attention_mask)[0]
        else:
            hidden = self.transformer(**self.adapter.inputs(input_ids, attention_mask))[0]
            hidden = hidden[:, hidden.shape[1] - input_ids.shape[1] :]
        return pooled(hidden, attention_mask, self.pooling)


def pooled(hidden: Tensor, mask: Tensor, pooling: str) -> Tensor:
    """Return the unit vectors float[b, d] of hidden states float[b, l, d] under their mask."""
    if pooling == "cls":
        chosen = hidden[:, 0]
    elif pooling == "last":
        # The last that is attended to, whichever side the padding is on.
        places = torch.arange(mask.shape[1], device=mask.device)
        last = (mask * places).argmax(1)
        index = last[:, None, None].expand(-1, 1, hidden.shape[2])
        chosen = hidden.gather(1, index).squeeze(1)
    else:
        weights = mask.unsqueeze(-1).to(hidden.dtype)
        chosen = (hidden * weights).sum(1) / weights.sum(1).clamp(min=1e-9)
    return nn.functional.normalize(chosen, dim=1, eps=1e-12)


@dataclass(frozen=True)
class Opened:
    """A model folder that was read and checked: everything a text needs to become a vector.

    `limit` is the longest text in tokens, `pad` the number of the padding, `unknown` that of what
    the tokenizer does not know, None where it knows everything.
    """

    folder: Path
    module: Pooled
    tokenizer: Tokenizer
    limit: int
    pad: int
    unknown: int | None

    @property
    def dimension(self) -> int:
        """The length of a vector."""
        return int(self.module.transformer.config.hidden_size)


def opened(folder: Path, *, attention: str = "sdpa") -> Opened:
    """Return the encoder in a model folder, float32, in evaluation, its files checked together.

    Raises WeightsMissing where files are missing, ModelMismatched where they do not fit each other,
    Error for a model that cannot be an encoder here.
    """
    weight_files(folder)
    _description(folder)
    pooling = pooling_of(folder)
    try:
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    except Exception as error:  # the library raises bare exceptions
        raise ModelMismatched(f"{folder / 'tokenizer.json'} cannot be read: {error}") from error
    transformer = _transformer(folder, attention)
    config = transformer.config
    if getattr(config, "is_encoder_decoder", False):
        raise Error(
            f"{folder} holds an encoder with a decoder ({config.model_type}): expected an encoder "
            "such as BERT, or a decoder alone such as Qwen"
        )
    config.use_cache = False
    rows = int(transformer.get_input_embeddings().num_embeddings)
    needed = 1 + max(tokenizer.get_vocab(with_added_tokens=True).values(), default=-1)
    if needed > rows:
        raise ModelMismatched(
            f"the tokenizer of {folder} numbers tokens up to {needed - 1}, and the model has rows "
            f"for {rows}: expected the tokenizer.json that was published with these weights"
        )
    pad = config.pad_token_id
    if pad is not None and not 0 <= int(pad) < rows:
        raise ModelMismatched(
            f"the padding token of {folder / 'config.json'} is {pad}, and the model has rows 0 to "
            f"{rows - 1}: set pad_token_id to the number of the tokenizer's padding token"
        )
    positions = _positions(transformer)
    said = int(_json(folder / "sentence_bert_config.json").get("max_seq_length") or 0)
    if said > positions:
        raise ModelMismatched(
            f"sentence_bert_config.json of {folder} asks for {said} tokens, and the model has "
            f"{positions} positions: lower max_seq_length"
        )
    tokenizer.no_padding()
    tokenizer.no_truncation()
    name = _unknown(folder, tokenizer)
    adapter = adapters.read(transformer, folder)
    return Opened(
        folder,
        Pooled(transformer, pooling, adapter).float().eval(),
        tokenizer,
        min(said or LONGEST, positions, LONGEST),
        int(pad or 0),
        tokenizer.token_to_id(name) if name else None,
    )


def pooling_of(folder: Path) -> Pooling:
    """Return how a model folder pools; Error where that is not known here.

    What says nothing pools by the mean, and by the last token where it is a decoder: only that one
    has seen the whole text.
    """
    modules = [m["type"].rsplit(".", 1)[-1] for m in _json(folder / "modules.json") or []]
    if extra := set(modules) - {"Transformer", "Pooling", "Normalize"}:
        raise Error(
            f"{folder} has layers after its pooling that cannot be exported: {sorted(extra)}; "
            "expected a transformer, mean, cls or last-token pooling, and a normalisation"
        )
    chosen = _json(folder / "1_Pooling" / "config.json")
    modes = [
        k for k, v in chosen.items() if k.startswith("pooling_mode") and v not in (False, None)
    ]
    if "pooling_mode" in modes:
        modes = [f"pooling_mode_{chosen['pooling_mode']}"]
    match modes:
        case []:
            return "last" if decoder_only(folder) else "mean"
        case ["pooling_mode_mean_tokens"] | ["pooling_mode_mean"]:
            return "mean"
        case ["pooling_mode_cls_token"] | ["pooling_mode_cls"]:
            return "cls"
        case ["pooling_mode_lasttoken"] | ["pooling_mode_last_token"]:
            return "last"
    raise Error(
        f"expected mean or cls pooling, or the last token, in {folder / '1_Pooling/config.json'}, "
        f"got {modes}"
    )


def decoder_only(folder: Path) -> bool:
    """Return whether the model of a folder predicts the next token and nothing else."""
    from transformers.models.auto import modeling_auto as known

    kind = _description(folder).get("model_type")
    return (
        kind in known.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
        and kind not in known.MODEL_FOR_MASKED_LM_MAPPING_NAMES
        and kind not in known.MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES
    )


@contextmanager
def quietly() -> Iterator[None]:
    """Keep transformers from telling of heads that nobody needs, and from its progress bars."""
    import transformers

    logging: Any = transformers.utils.logging
    told, shown = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity(ERROR)
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(told)
        if shown:
            logging.enable_progress_bar()


def _transformer(folder: Path, attention: str) -> Any:
    from transformers import AutoModel

    try:
        with quietly():
            transformer, about = AutoModel.from_pretrained(
                folder,
                attn_implementation=attention,
                local_files_only=True,
                output_loading_info=True,
                dtype=torch.float32,
            )
    except Exception as error:  # as many kinds as architectures
        raise ModelMismatched(
            f"the weights of {folder} do not open as its config.json describes them "
            f"({type(error).__name__}: {str(error).splitlines()[0]}): expected both files as they "
            "were published together"
        ) from error
    # A pooler is never read here; anything else that is missing would be random.
    missing = sorted(k for k in about["missing_keys"] if "pooler" not in k)
    wrong = sorted(str(k) for k in about.get("mismatched_keys", ()))
    if missing or wrong:
        raise ModelMismatched(
            f"the weights of {folder} lack {len(missing)} tensors that its config.json describes, "
            f"and {len(wrong)} have another shape ({', '.join((missing + wrong)[:3])}): expected "
            "both files as they were published together"
        )
    return transformer


def _positions(transformer: Any) -> int:
    most = int(getattr(transformer.config, "max_position_embeddings", None) or LONGEST)
    for name, module in transformer.named_modules():
        if isinstance(module, nn.Embedding) and name.rsplit(".", 1)[-1] == "position_embeddings":
            # RoBERTa's first position stands behind that of the padding.
            return module.num_embeddings - (
                0 if module.padding_idx is None else module.padding_idx + 1
            )
    return most


def _description(folder: Path) -> dict[str, Any]:
    if not (folder / "config.json").is_file():
        raise WeightsMissing(
            f"expected config.json in {folder}, beside its weights: it says which model they are"
        )
    found: dict[str, Any] = _json(folder / "config.json")
    return found


def _unknown(folder: Path, tokenizer: Tokenizer) -> str:
    declared = _json(folder / "tokenizer_config.json").get("unk_token")
    if isinstance(declared, dict):
        declared = declared.get("content")
    candidates = [t for t in (declared, "[UNK]", "<unk>") if t]
    return next((t for t in candidates if tokenizer.token_to_id(t) is not None), "")


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except ValueError as error:
        raise ModelMismatched(f"{path} is not JSON: {error}") from error
