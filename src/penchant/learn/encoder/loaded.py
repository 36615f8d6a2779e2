"""A model folder of Hugging Face, read and checked: every file there, and of one model."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from logging import ERROR
from pathlib import Path
from typing import Any

import torch
import transformers
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError, safe_open
from tokenizers import Tokenizer
from transformers import AutoConfig, AutoModel

from penchant.language.encoder.weights import WeightsMissing, weight_files
from penchant.learn.encoder import adapters
from penchant.learn.encoder.pooled import Pooled, dense_of, pooling_of
from penchant.types import Error

# Graphs are traced for texts of up to so many tokens.
LONGEST = 512
# A protobuf, which an ONNX file is, ends at 2 GiB; some room for the graph itself.
_LARGEST = 2**31 - 2**25
# Weights beside the way from tokens to hidden states: they may be missing.
_UNUSED = ("pooler.", "lm_head.", "cls.", "classifier.")
_BLOCK = re.compile(r"\b(layers?|blocks?|h)\.\d+\.")  # a weight of a numbered layer


class ModelDamaged(Error):
    """The files of a model folder are damaged, or not of one model."""


@dataclass(frozen=True)
class Loaded:
    """A sentence encoder in PyTorch, its tokenizer (cut at `limit` tokens), and its settings.

    `pad` is the number of the padding, `unknown` that of what the tokenizer does not know, None
    where it knows everything.
    """

    folder: Path
    module: Pooled
    tokenizer: Tokenizer
    limit: int
    pad: int
    unknown: int | None
    dimension: int


def load(source: Path, attention: str = "eager") -> Loaded:
    """Return the encoder of a folder, in float32, ready to be traced; "sdpa" to be trained.

    Raises WeightsMissing where files are missing, ModelDamaged where they do not belong together
    or cannot be read, Error where the model is of a kind that cannot be exported.
    """
    files = weight_files(source)
    if not (source / "config.json").is_file():
        raise WeightsMissing(
            f"expected config.json beside the weights in {source}, found none: copy it from where "
            "the model was published"
        )
    description = _described(source)
    _readable(files)
    tokenizer = _tokenizer(source)
    pooling = pooling_of(source)
    transformer = _transformer(source, attention)
    width = int(transformer.config.get_text_config().hidden_size)
    dense = dense_of(source, width)
    _agree(source, tokenizer, transformer)
    pad = _pad(source, tokenizer, transformer)
    limit = _limit(source, description, transformer)
    size = 4 * sum(p.numel() for p in transformer.parameters())
    if size > _LARGEST:
        raise Error(
            f"{source} has {size / 2**30:.1f} GiB of weights in fp32, one ONNX file holds 2: take "
            "fewer layers (penchant.learn.encoder.prune) or a smaller model"
        )
    tokenizer.no_padding()
    tokenizer.enable_truncation(limit)
    module = Pooled(transformer, pooling, dense, adapters.read(transformer, source)).float().eval()
    widths = [width, *(m.out_features for m in dense if isinstance(m, torch.nn.Linear))]
    unknown = tokenizer.token_to_id(_unknown(source, tokenizer))
    return Loaded(source, module, tokenizer, limit, pad, unknown, widths[-1])


def _described(source: Path) -> dict[str, Any]:
    path = source / "config.json"
    try:
        description = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ModelDamaged(f"{path} is not JSON ({error}): fetch the model again") from error
    if not isinstance(description, dict) or "model_type" not in description:
        raise ModelDamaged(
            f"expected an object with model_type in {path}: it is not the description of a "
            "transformer; name the folder in which config.json and model.safetensors lie"
        )
    rows, pad = description.get("vocab_size"), description.get("pad_token_id")
    if isinstance(rows, int) and isinstance(pad, int) and pad >= rows:
        raise ModelDamaged(
            f"expected pad_token_id in {path} to be one of {rows} tokens, got {pad}: set it to "
            "the number of the tokenizer's pad token"
        )
    return description


def _readable(files: list[Path]) -> None:
    for path in files:
        try:
            # The header says where each tensor ends, so a file that was cut short is noticed.
            with safe_open(path, framework="np") as held:
                held.keys()
        except (SafetensorError, OSError) as error:
            raise ModelDamaged(
                f"{path} is no whole safetensors file of {path.stat().st_size:,} bytes ({error}): "
                "it was cut short or is a pointer of git-lfs; fetch it again"
            ) from error


def _tokenizer(source: Path) -> Tokenizer:
    path = source / "tokenizer.json"
    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises Exception itself
        raise ModelDamaged(
            f"{path} cannot be read as a tokenizer ({error}): fetch the model again"
        ) from error


@contextmanager
def quietly() -> Iterator[None]:
    """Keep transformers from telling of heads that nobody needs, and from its progress bars."""
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


def _transformer(source: Path, attention: str) -> Any:
    try:
        config = AutoConfig.from_pretrained(source, local_files_only=True)
    except (ValueError, KeyError, OSError, StrictDataclassError) as error:
        raise Error(
            f"config.json of {source} is damaged, or of a kind that this transformers does not "
            f"know ({' '.join(str(error).split())[:300]}); remote code is never run: fetch it "
            "again, or take another model"
        ) from error
    if getattr(config, "is_encoder_decoder", False):
        raise Error(
            f"expected an encoder or a decoder in {source}, got both in one ({config.model_type}): "
            "save its encoder as a folder of its own"
        )
    # Nothing is generated: a cache of keys and values would only be in the way.
    config.use_cache = False
    try:
        # Explicit attention keeps the graph small; the fused one adds shape arithmetic and guards.
        transformer, report = AutoModel.from_pretrained(
            source,
            config=config,
            attn_implementation=attention,
            dtype=torch.float32,
            local_files_only=True,
            output_loading_info=True,
        )
    except (RuntimeError, ValueError, KeyError, OSError, AssertionError) as error:
        raise ModelDamaged(
            f"config.json and the weights of {source} are not of one model "
            f"({' '.join(str(error).split())[:300]}): fetch both from the same place"
        ) from error
    missing = sorted(k for k in report["missing_keys"] if not k.startswith(_UNUSED))
    if missing:
        came = sorted(report["unexpected_keys"])
        raise ModelDamaged(
            f"config.json of {source} describes a {config.model_type} whose weights are not all "
            f"there: {len(missing)} missing, {', '.join(missing[:4])}; {len(came)} that it does "
            f"not know, {', '.join(came[:4]) or 'none'}. Fetch both files from the same place"
        )
    left = sorted(k for k in report["unexpected_keys"] if _BLOCK.search(k))
    if left:
        # Half a model gives vectors too, and nobody would see what they are worth.
        raise ModelDamaged(
            f"config.json of {source} describes a {config.model_type} without layers whose weights "
            f"are there: {len(left)} weights would be left out, {', '.join(left[:4])}. Fetch both "
            "files from the same place"
        )
    return transformer


def _agree(source: Path, tokenizer: Tokenizer, transformer: Any) -> None:
    rows = int(transformer.get_input_embeddings().weight.shape[0])
    token, highest = max(tokenizer.get_vocab(True).items(), key=lambda kv: kv[1], default=("", -1))
    if highest < 0:
        raise ModelDamaged(f"{source / 'tokenizer.json'} knows no token: fetch the model again")
    if highest >= rows:
        raise ModelDamaged(
            f"tokenizer.json of {source} gives {token!r} the number {highest}, the model has "
            f"{rows} tokens: they are of two models; fetch both from the same place, or resize the "
            "model's embeddings to its tokenizer"
        )


def _pad(source: Path, tokenizer: Tokenizer, transformer: Any) -> int:
    """Return what batches are filled up with; it matters only where positions count from it."""
    declared = transformer.config.get_text_config().pad_token_id
    pad = 0 if declared is None else int(declared)
    # Some configurations say -1 for none.
    if pad < 0 and not _offset(transformer):
        pad = 0
    name = _declared(source, "pad_token")
    held = tokenizer.token_to_id(name) if name else None
    if name and held is None:
        raise ModelDamaged(
            f"tokenizer_config.json of {source} names the pad token {name!r}, which tokenizer.json "
            "does not have: they are of two models; fetch both from the same place"
        )
    if _offset(transformer) and held is not None and held != pad:
        raise ModelDamaged(
            f"config.json of {source} has pad_token_id {pad}, its tokenizer pads with {held}, and "
            "this model counts positions by that: the two are of different models; fetch both "
            "from the same place"
        )
    return pad


def _offset(transformer: Any) -> int:
    """Return the place of the first token in the table of positions: 0, or after the padding."""
    table = getattr(getattr(transformer, "embeddings", None), "position_embeddings", None)
    behind = getattr(table, "padding_idx", None)
    return 0 if behind is None else int(behind) + 1


def _limit(source: Path, description: dict[str, Any], transformer: Any) -> int:
    """Return the most tokens that the model takes, and that are asked of it."""
    config = transformer.config.get_text_config()
    table = getattr(getattr(transformer, "embeddings", None), "position_embeddings", None)
    rows = getattr(getattr(table, "weight", None), "shape", (None,))[0]
    positions = rows or getattr(config, "max_position_embeddings", None) or LONGEST
    positions = int(positions) - _offset(transformer)
    chosen = source / "sentence_bert_config.json"
    most = 0
    if chosen.is_file():
        try:
            most = int(json.loads(chosen.read_text(encoding="utf-8")).get("max_seq_length") or 0)
        except (ValueError, TypeError, AttributeError) as error:
            raise ModelDamaged(
                f"expected a whole number as max_seq_length in {chosen}: {error}"
            ) from error
    if positions < 3:
        raise ModelDamaged(
            f"{source} has {positions} positions (max_position_embeddings "
            f"{description.get('max_position_embeddings')}), at least 3 are needed: its "
            "config.json is damaged"
        )
    return min(most if most > 2 else positions, positions, LONGEST)


def _declared(source: Path, which: str) -> str:
    path = source / "tokenizer_config.json"
    if not path.is_file():
        return ""
    try:
        named = json.loads(path.read_text(encoding="utf-8")).get(which)
    except (ValueError, AttributeError) as error:
        raise ModelDamaged(f"{path} is not a JSON object ({error})") from error
    return str((named.get("content") if isinstance(named, dict) else named) or "")


def _unknown(source: Path, tokenizer: Tokenizer) -> str:
    candidates = [t for t in (_declared(source, "unk_token"), "[UNK]", "<unk>") if t]
    return next((t for t in candidates if tokenizer.token_to_id(t) is not None), "")
