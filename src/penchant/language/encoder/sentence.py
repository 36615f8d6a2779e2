"""The sentence encoder: an exported transformer run by onnxruntime, without torch."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import onnxruntime
from tokenizers import Tokenizer

from penchant.language.encoder.exported import ensure_onnx
from penchant.language.encoder.weights import DEFAULT, FORMAT
from penchant.language.normal import normal_all
from penchant.types import Error, InvalidInput

Precision = Literal["int8", "fp32"]

# Measured on four cores: more rows a batch gain nothing, more tokens a batch only cost memory.
_ROWS = 32
_TOKENS = 4096
# No language of the tokenizer has tokens this long on average; bounds the cost of a 10 MB text.
_CHARACTERS_PER_TOKEN = 32
_UNREAD = 1 / 3
_HAN = re.compile("[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
# The most frequent of Chinese texts: who reads it knows most of them.
_COMMON = "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之"


class EncoderDamaged(Error):
    """An exported encoder is not what its meta.json says."""


class SentenceEncoder:
    """Encodes texts into unit vectors float32[n, dimension]; safe to call from several threads.

    `folder` is an export (`ensure_onnx`). `max_tokens` is where a text is cut. A single text, or
    a batch of up to 32, takes one thread; a longer list runs as many batches at once as `threads`.
    Rows do not depend on the batch they are in: activations are quantised token by token.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        precision: Precision = "int8",
        max_tokens: int = 128,
        threads: int = 1,
    ) -> None:
        self.folder = Path(folder)
        self.precision = precision
        self.max_tokens = max_tokens
        self.threads = max(1, threads)
        meta = _read_meta(self.folder)
        if precision not in meta["models"]:
            raise InvalidInput(f"precision must be one of {[*meta['models']]}, got {precision!r}")
        if not 2 < max_tokens <= meta["limit"]:
            raise InvalidInput(
                f"max_tokens must lie between 3 and {meta['limit']} for {meta['name']}, "
                f"got {max_tokens}"
            )
        self.name: str = meta["name"]
        self._dimension: int = meta["dimension"]
        self._pad: int = meta["pad"]
        self._unknown: int | None = meta["unknown"]
        self._id = _address(meta, precision, max_tokens)
        self._tokenizer = Tokenizer.from_buffer(_checked(self.folder, "tokenizer.json", meta))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(max_tokens)
        common = self._tokenizer.encode(_COMMON).ids
        self._chinese = common.count(self._unknown) < _UNREAD * len(common)
        self._session = _session(_checked(self.folder, meta["models"][precision], meta))

    @classmethod
    def open(
        cls,
        model: str | Path = DEFAULT,
        *,
        cache_directory: str | Path | None = None,
        precision: Precision = "int8",
        max_tokens: int = 128,
        threads: int = 1,
    ) -> SentenceEncoder:
        """Return the encoder of a folder, package or hub id, exported first where that is due."""
        folder = ensure_onnx(model, cache_directory)
        return cls(folder, precision=precision, max_tokens=max_tokens, threads=threads)

    @property
    def id(self) -> str:
        """The content address of weights, tokenizer, pooling, precision and max_tokens."""
        return self._id

    @property
    def dimension(self) -> int:
        """The length of a vector."""
        return self._dimension

    def reads(self, text: str) -> bool:
        """Return whether less than a third of the letters that are read are unknown.

        A vocabulary of English has some hundred Chinese characters, of names: where it lacks the
        common ones, none counts as known. What is left in between says nothing of a sentence.
        """
        (cleaned,) = normal_all([text], self.max_tokens * _CHARACTERS_PER_TOKEN)
        found = self._tokenizer.encode(cleaned)
        letters = [0, 0]
        for token, special, (start, end) in zip(
            found.ids, found.special_tokens_mask, found.offsets, strict=True
        ):
            if not special or end > start:
                said = cleaned[start:end]
                strange = token == self._unknown or (not self._chinese and bool(_HAN.search(said)))
                letters[strange] += sum(map(str.isalnum, said))
        known, unknown = letters
        return known > 0 and unknown < _UNREAD * (known + unknown)

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return float32[n, dimension]: unit rows, or zeros where there is nothing to read."""
        limit = self.max_tokens * _CHARACTERS_PER_TOKEN
        rows = [self._tokens(text) for text in normal_all(texts, limit)]
        out: npt.NDArray[np.float32] = np.zeros((len(rows), self._dimension), np.float32)
        batches = list(_batches(rows))

        def run(batch: list[int]) -> None:
            out[batch] = self._vectors([rows[i] for i in batch])

        if self.threads == 1 or len(batches) < 2:
            for batch in batches:
                run(batch)
        else:
            # Whole batches side by side beat threads inside one: nothing to wait for at each layer.
            with ThreadPoolExecutor(min(self.threads, len(batches))) as pool:
                list(pool.map(run, reversed(batches)))
        return out

    def _tokens(self, text: str) -> list[int]:
        # One by one: the batched call starts a thread pool of its own, and is no faster here.
        encoding = self._tokenizer.encode(text)
        ids: list[int] = encoding.ids
        special: list[int] = encoding.special_tokens_mask
        known = any(not s and i != self._unknown for i, s in zip(ids, special, strict=True))
        return ids if known else []

    def _vectors(self, rows: list[list[int]]) -> npt.NDArray[np.float32]:
        # Graphs are traced for two tokens and more; a byte-level tokenizer may find only one.
        width = max(2, *map(len, rows))
        ids = np.full((len(rows), width), self._pad, np.int64)
        mask = np.zeros((len(rows), width), np.int64)
        for i, row in enumerate(rows):
            ids[i, : len(row)] = row
            mask[i, : len(row)] = 1
        (vectors,) = self._session.run(None, {"input_ids": ids, "attention_mask": mask})
        result: npt.NDArray[np.float32] = vectors
        return result


def _batches(rows: list[list[int]]) -> Iterator[list[int]]:
    """Yield the positions of non-empty rows in batches of like length, shortest first."""
    batch: list[int] = []
    for i in sorted((i for i, row in enumerate(rows) if row), key=lambda i: len(rows[i])):
        if batch and (len(batch) == _ROWS or (len(batch) + 1) * len(rows[i]) > _TOKENS):
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch


def _session(model: bytes) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _read_meta(folder: Path) -> dict[str, Any]:
    path = folder / "meta.json"
    try:
        meta: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InvalidInput(
            f"expected the folder of an exported encoder (with meta.json), got {folder}: "
            "use SentenceEncoder.open(model), which exports first"
        ) from None
    except ValueError as error:
        raise EncoderDamaged(f"{path} is not readable ({error}): delete {folder}") from error
    if meta.get("format") != FORMAT:
        raise EncoderDamaged(
            f"{path} has format {meta.get('format')}, this version reads {FORMAT}: delete {folder}"
        )
    return meta


def _checked(folder: Path, name: str, meta: dict[str, Any]) -> bytes:
    try:
        content = (folder / name).read_bytes()
    except OSError as error:
        raise EncoderDamaged(
            f"cannot read {folder / name} ({error.strerror}): delete {folder}, it is made anew"
        ) from error
    if hashlib.sha256(content).hexdigest() != meta["sha256"].get(name):
        raise EncoderDamaged(
            f"{folder / name} is not the file that was exported: delete {folder}, it is made anew"
        )
    return content


def _address(meta: dict[str, Any], precision: str, max_tokens: int) -> str:
    parts = [meta["weights"], meta["pooling"], meta["recipes"][precision], max_tokens]
    digest = hashlib.blake2b(json.dumps(parts).encode(), digest_size=12).hexdigest()
    return f"{precision}-{max_tokens}-{digest}"
