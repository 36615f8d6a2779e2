"""A sentence encoder's weights to ONNX: `python -m penchant.learn.encoder.export SOURCE TARGET`.

Writes model.onnx (fp32), model.int8.onnx, tokenizer.json and, last, meta.json. Pooling under the
attention mask and the normalisation are inside the graph. The graph is traced on padded text,
because a trace on texts of equal length drops the mask without a word, and is compared with PyTorch
on padded batches before anything is published.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import shutil
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import torch
from tokenizers import Tokenizer

from penchant.language.encoder.weights import FORMAT, address
from penchant.learn.encoder.loaded import load
from penchant.learn.encoder.pooled import Pooled as Pooled
from penchant.learn.encoder.quantise import RECIPE, quantise
from penchant.types import Error

LEAST_COSINE = {"fp32": 0.999, "int8": 0.98}
INPUTS = ("input_ids", "attention_mask")

# Padded on purpose, and unlike in length, script and content; written for this file.
PROBES = (
    "tea",
    "a quiet western about an old sheriff",
    "wireless over-ear headphones, black, 30 hours of battery, folds flat for travel",
    "中文标题：星际旅行者的回忆录",
    "Crème brûlée torch & ramekins (set of 4)",
    "how do i return a parcel that arrived broken, and who pays for the postage?",
    "космическая опера",
    "42",
    "A long novel in three parts: first the harbour town and its feuds, then the crossing with a "
    "crew that nobody trusts, and at last the trial, told by the ship's cook, who saw everything "
    "and understood half of it. With maps, a glossary of sailors' words, and notes on the tides.",
)


class ParityLost(Error):
    """The exported graph does not compute what the PyTorch model computes."""


def export(
    source: Path, target: Path, name: str | None = None, *, only: str | None = None
) -> dict[str, Any]:
    """Write the ONNX form of the model folder `source` to the new folder `target`; return its meta.

    `only` is the one precision to keep, "fp32" or "int8"; else both are there.
    Raises ParityLost when a graph disagrees with PyTorch, Error when the folder is damaged or of a
    kind that is not known here (`load`).
    """
    loaded = load(source)
    module, tokenizer, limit, pad = loaded.module, loaded.tokenizer, loaded.limit, loaded.pad

    target.mkdir(parents=True)
    _trace(module, _batch(tokenizer, PROBES[:3], pad), target / "model.onnx", limit)
    onnx.save(quantise(onnx.load(target / "model.onnx")), target / "model.int8.onnx")
    # Truncation and padding are the encoder's to choose.
    tokenizer.no_truncation()
    tokenizer.no_padding()
    tokenizer.save(str(target / "tokenizer.json"))
    tokenizer.enable_truncation(limit)

    files = {"fp32": "model.onnx", "int8": "model.int8.onnx"}
    parity = {}
    for precision, file in files.items():
        parity[precision] = compare(module, target / file, tokenizer, pad)
        if not parity[precision] >= LEAST_COSINE[precision]:
            raise ParityLost(
                f"{file} of {source} reaches cosine {parity[precision]:.4f} with PyTorch on padded "
                f"batches, at least {LEAST_COSINE[precision]} is required: nothing was published"
            )
    if only is not None:
        for precision in files.keys() - {only}:
            (target / files.pop(precision)).unlink()
    meta = {
        "format": FORMAT,
        "name": name or source.name,
        "weights": address(source),
        "pooling": module.pooling,
        "dimension": loaded.dimension,
        "limit": limit,
        "pad": pad,
        "unknown": loaded.unknown,
        "recipes": {"fp32": "fp32; 1", "int8": RECIPE},
        "models": files,
        "sha256": {f: _sha256(target / f) for f in (*files.values(), "tokenizer.json")},
        "parity": parity,
        "made_with": {"torch": torch.__version__, "onnxruntime": onnxruntime.__version__},
    }
    partial = target / "meta.json.partial"
    partial.write_text(json.dumps(meta, indent=1, sort_keys=True))
    partial.rename(target / "meta.json")
    return meta


def compare(module: Callable[..., Any], path: Path, tokenizer: Tokenizer, pad: int) -> float:
    """Return the lowest cosine between PyTorch and the graph at `path` over padded batches."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    lowest = 1.0
    for texts in (PROBES, PROBES[::-1], PROBES[:1], PROBES[-2:]):
        batch = _batch(tokenizer, texts, pad)
        got = session.run(None, dict(zip(INPUTS, batch, strict=True)))[0]
        with torch.no_grad():
            expected = module(*(torch.from_numpy(b) for b in batch)).numpy()
        lowest = min(lowest, float((got * expected).sum(1).min()))
    return lowest


def _trace(
    module: Pooled, batch: tuple[npt.NDArray[np.int64], ...], path: Path, limit: int
) -> None:
    rows, columns = torch.export.Dim("batch", min=1), torch.export.Dim("sequence", min=2, max=limit)
    shapes = ({0: rows, 1: columns},) * len(INPUTS)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        # The exporter warns about its own internals (axis names, pytree classes).
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            module,
            tuple(torch.from_numpy(b) for b in batch),
            dynamo=True,
            input_names=list(INPUTS),
            output_names=["vectors"],
            dynamic_shapes=shapes,
            opset_version=20,
            verbose=False,
        )
    assert program is not None
    model = program.model_proto
    # The tracer writes the paths of this machine's source files beside each node.
    for part in (model, model.graph, *model.graph.node, *model.graph.initializer):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    del model.graph.value_info[:]
    onnx.save(model, path)


def _batch(
    tokenizer: Tokenizer, texts: Sequence[str], pad: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    tokenizer.no_padding()
    rows = [tokenizer.encode(t).ids for t in texts]
    width = max(map(len, rows))
    ids = np.full((len(rows), width), pad, np.int64)
    mask = np.zeros_like(ids)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = row
        mask[i, : len(row)] = 1
    return ids, mask


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main(arguments: Sequence[str] | None = None) -> int:
    """Return the exit status of the command line; TARGET appears only when the export succeeded."""
    parser = argparse.ArgumentParser(prog="penchant.learn.encoder.export", description=__doc__)
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--name", default=None)
    chosen = parser.parse_args(arguments)
    # One process among others on the machine: the export is bound by the tracer, not by arithmetic.
    torch.set_num_threads(1)
    try:
        meta = export(chosen.source, chosen.target, chosen.name)
    except Error as error:
        shutil.rmtree(chosen.target, ignore_errors=True)
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return 1
    sys.stdout.write(json.dumps(meta["parity"]) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
