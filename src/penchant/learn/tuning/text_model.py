"""The model that is tuned: texts in, unit vectors with a gradient out, to and from a folder."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from penchant.language.encoder.weights import DEFAULT, resolve
from penchant.language.normal import normal_all
from penchant.learn.encoder import adapters
from penchant.learn.encoder.loaded import Loaded, load, quietly
from penchant.learn.encoder.pooled import Pooled
from penchant.learn.tuning.config import Precision
from penchant.types import Floats

# The same words as the serving encoder reads: penchant.language.encoder.sentence.
_CHARACTERS_PER_TOKEN = 32
# Rows that go through the transformer together are of like length, few enough to stay in the cache.
ROWS = 64


class TextModel:
    """A sentence encoder that can be trained, on one device; `module` is what the export traces.

    Texts are read by `tokenizer.json` itself, as the serving encoder reads them, and padded on the
    right, where a decoder does not see it.
    """

    def __init__(
        self, found: Loaded, *, device: str = "cpu", precision: Precision = "auto"
    ) -> None:
        self.found = found
        self.device = device
        half = precision == "bf16" or (precision == "auto" and device.startswith("cuda"))
        self._half = half and not (device.startswith("cuda") and not torch.cuda.is_bf16_supported())
        self.module: Pooled = found.module.to(device)

    @classmethod
    def open(
        cls, model: str | Path = DEFAULT, *, device: str = "cpu", precision: Precision = "auto"
    ) -> TextModel:
        """Return the model of a folder, package or hub id; raises as `resolve` and `load`."""
        return cls(load(resolve(model), "sdpa"), device=device, precision=precision)

    @property
    def dimension(self) -> int:
        """The length of a vector."""
        return self.found.dimension

    def tokens(self, texts: Sequence[str], most: int) -> list[list[int]]:
        """Return the token numbers of each text, at most `most`; none where nothing can be read."""
        most = min(most, self.found.limit)
        tokenizer = self.found.tokenizer
        tokenizer.enable_truncation(most)
        rows = []
        for text in normal_all(texts, most * _CHARACTERS_PER_TOKEN):
            encoding = tokenizer.encode(text)
            known = any(
                not special and number != self.found.unknown
                for number, special in zip(encoding.ids, encoding.special_tokens_mask, strict=True)
            )
            rows.append(encoding.ids if known else [])
        tokenizer.no_truncation()
        return rows

    def padded(self, rows: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
        """Return ids and mask int64[n, longest] of token rows, padded on the right."""
        width = max(map(len, rows))
        ids = np.full((len(rows), width), self.found.pad, np.int64)
        mask = np.zeros_like(ids)
        for i, row in enumerate(rows):
            ids[i, : len(row)] = row
            mask[i, : len(row)] = 1
        return torch.from_numpy(ids).to(self.device), torch.from_numpy(mask).to(self.device)

    def precisely(self) -> AbstractContextManager[object]:
        """Return the context in which the transformer runs: bfloat16 where that is configured."""
        return torch.autocast(self.device.split(":")[0], torch.bfloat16, enabled=self._half)

    def vectors(self, texts: Sequence[str], most: int) -> Floats:
        """Return float32[n, dimension], without a gradient: NaN rows for texts without words."""
        rows = self.tokens(texts, most)
        out: Floats = np.full((len(rows), self.dimension), np.nan, np.float32)
        readable = np.flatnonzero([bool(row) for row in rows])
        with torch.no_grad(), self.precisely():
            for piece in pieces(readable, np.array([len(row) for row in rows])):
                batch = self.padded([rows[i] for i in piece])
                out[piece] = self.module(*batch).float().cpu().numpy()
        return out

    def save(self, folder: Path) -> None:
        """Write the model folder: weights, configuration, tokenizer, pooling; ready to export."""
        save_beside(self.module, self.found, folder)


def multiplies_halves(device: str) -> bool:
    """Return whether the device multiplies bfloat16 itself; emulated, it is slower."""
    if device.startswith("cuda"):
        return bool(torch.cuda.is_bf16_supported())
    return bool(getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)())


def pieces(
    items: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64], tokens: int = 1 << 30
) -> Iterator[npt.NDArray[np.int64]]:
    """Yield `items` in pieces of like length, shortest first; `lengths` is by item.

    A piece has at most 64 rows, and at most `tokens` with its padding where it has more than one.
    """
    order = items[np.argsort(lengths[items], kind="stable")]
    begin = 0
    while begin < len(order):
        end = min(begin + ROWS, len(order))
        while end - begin > 1 and (end - begin) * int(lengths[order[end - 1]]) > tokens:
            end -= 1
        yield order[begin:end]
        begin = end


def save_beside(module: Pooled, found: Loaded, folder: Path) -> None:
    """Write `module` to the new `folder`, with the tokenizer of the folder that it is from."""
    folder.mkdir(parents=True)
    transformer = module.transformer
    with quietly():
        transformer.save_pretrained(folder)
    for path in sorted(found.folder.iterdir()):
        described = path.suffix in (".json", ".txt", ".model") and path.is_file()
        if described and not (folder / path.name).exists() and ".index." not in path.name:
            shutil.copyfile(path, folder / path.name)
    (folder / "1_Pooling").mkdir()
    mode = {"mean": "mean_tokens", "cls": "cls_token", "last": "lasttoken"}[module.pooling]
    pooling = {"word_embedding_dimension": found.dimension, f"pooling_mode_{mode}": True}
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling, indent=1))
    parts = [("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")]
    modules = [
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for i, (path, kind) in enumerate(parts)
    ]
    if len(module.dense):
        for path in found.folder.glob("*_Dense"):
            shutil.copytree(path, folder / path.name)
    else:
        (folder / "modules.json").write_text(json.dumps(modules, indent=1))
    if module.adapter is not None:
        adapters.write(module.adapter, folder)
