"""The folder of an ONNX model that reads pictures or sounds: opened once, checked before use."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from penchant.types import Error, Floats

SETTINGS = "preprocessor_config.json"


class MediaModelDamaged(Error):
    """A folder that holds no model of pictures or sounds, or one that is not what it says."""


class MediaModel:
    """An ONNX graph with one input and a vector for what it reads. `id` names the exact files.

    `names` are the files looked for, in this order; `wanted` is the input that the graph must have.
    """

    def __init__(self, folder: Path, names: tuple[str, ...], wanted: str) -> None:
        self.folder = Path(folder).expanduser()
        path = next((self.folder / name for name in names if (self.folder / name).is_file()), None)
        if path is None:
            raise MediaModelDamaged(
                f"expected one of {', '.join(names)} in {self.folder}, found none; export the part "
                "of the model that reads them to ONNX, or leave the section [media] out"
            )
        self.settings = _settings(self.folder)
        self._session = _session(path)
        inputs = self._session.get_inputs()
        if len(inputs) != 1 or inputs[0].name != wanted:
            raise MediaModelDamaged(
                f"expected {path} to have the one input {wanted!r}, it has "
                f"{[one.name for one in inputs]}: export the part that reads {wanted} alone"
            )
        self.shape: list[Any] = inputs[0].shape
        self._input = wanted
        self._output = _vectors(self._session, path)
        exact = json.dumps(self.settings, sort_keys=True).encode()
        # Weights may lie in a file of their own beside the graph.
        for file in (path, *sorted({*path.parent.glob("*.data"), *path.parent.glob("*_data")})):
            with file.open("rb") as opened:
                exact += hashlib.file_digest(opened, "sha256").digest()
        self.id = hashlib.blake2b(exact, digest_size=12).hexdigest()

    def __call__(self, values: npt.NDArray[np.float32]) -> Floats:
        """Return unit rows float32[n, d] for a batch of inputs; zeros where the graph says nothing.

        Raises `MediaModelDamaged` where the graph refuses what its own settings ask for.
        """
        try:
            (found,) = self._session.run([self._output], {self._input: values})
        except Exception as error:  # onnxruntime has no error of its own for a wrong shape
            raise MediaModelDamaged(
                f"the model in {self.folder} does not read {list(values.shape)}, which is what its "
                f"{SETTINGS} asks for: {str(error).splitlines()[0]}"
            ) from error
        rows: Floats = np.asarray(found, dtype=np.float32)
        rows = rows.mean(axis=1) if rows.ndim == 3 else rows
        rows = np.where(np.isfinite(rows).all(axis=1, keepdims=True), rows, np.float32(0.0))
        norm = np.linalg.norm(rows, axis=1, keepdims=True)
        return np.asarray(rows / np.where(norm > 0, norm, 1), dtype=np.float32)


def _settings(folder: Path) -> Mapping[str, Any]:
    path = folder / SETTINGS
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise MediaModelDamaged(
            f"{folder} has no {SETTINGS}: it says how pictures or sounds are brought to the form "
            "that the model reads; copy it from the model's folder"
        ) from None
    except (OSError, ValueError) as error:
        raise MediaModelDamaged(f"{path} is not JSON: {error}") from error
    if not isinstance(found, Mapping):
        raise MediaModelDamaged(f"{path} holds {type(found).__name__}, expected an object")
    return found


def _session(path: Path) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise MediaModelDamaged(
            f"{path} is not a model that can be run: {str(error).splitlines()[0]}"
        ) from error


def _vectors(session: Any, path: Path) -> str:
    """Return the name of the output that is a vector for each input, or each of its steps."""
    outputs = {one.name: one.shape for one in session.get_outputs()}
    for name in ("image_embeds", "audio_embeds", "pooler_output"):
        if name in outputs:
            return name
    for rank in (2, 3):
        for name, shape in outputs.items():
            if len(shape) == rank:
                return str(name)
    raise MediaModelDamaged(f"{path} gives {outputs}, expected a vector for each input")
