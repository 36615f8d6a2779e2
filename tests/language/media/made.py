"""Small ONNX models for these tests: what they say of a picture or a sound can be told by hand."""

from __future__ import annotations

import json
import wave
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.numpy_helper
from onnx import TensorProto, helper

CLIP = {
    "do_resize": True,
    "size": {"shortest_edge": 16},
    "do_center_crop": True,
    "crop_size": {"height": 16, "width": 16},
    "image_mean": [0.0, 0.0, 0.0],
    "image_std": [1.0, 1.0, 1.0],
}


def saved(path: Path, nodes: list[Any], given: tuple[str, list[Any]], out: tuple[str, list[Any]]):
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info(given[0], TensorProto.FLOAT, given[1])],
        [helper.make_tensor_value_info(out[0], TensorProto.FLOAT, out[1])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, path)


def colours(folder: Path, settings: Any = CLIP, side: Any = 16, name: str = "pixel_values") -> Path:
    """Write a model that says the mean red, green and blue of a picture."""
    saved(
        folder / "vision_model.onnx",
        [
            helper.make_node("GlobalAveragePool", [name], ["pooled"]),
            helper.make_node("Flatten", ["pooled"], ["image_embeds"]),
        ],
        (name, ["batch", 3, side, side]),
        ("image_embeds", ["batch", 3]),
    )
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))
    return folder


def outside(folder: Path, factor: float) -> Path:
    """Write a model like `colours` whose one weight lies in a file beside it."""
    colours(folder)
    path = folder / "vision_model.onnx"
    model = onnx.load(path)
    weight = onnx.numpy_helper.from_array(np.full((1, 3, 1, 1), factor, np.float32), "factor")
    model.graph.initializer.append(weight)
    model.graph.node[0].input[0] = "scaled"
    model.graph.node.insert(0, helper.make_node("Mul", ["pixel_values", "factor"], ["scaled"]))
    path.unlink()
    onnx.save(
        model, path, save_as_external_data=True, location="vision_model.onnx.data", size_threshold=0
    )
    return folder


def loudness(folder: Path, rate: int = 16_000) -> Path:
    """Write a model that says the mean and the mean size of the samples."""
    saved(
        folder / "audio_model.onnx",
        [
            helper.make_node("Abs", ["input_values"], ["size"]),
            helper.make_node("ReduceMean", ["size"], ["loud"], axes=[1], keepdims=1),
            helper.make_node("ReduceMean", ["input_values"], ["mean"], axes=[1], keepdims=1),
            helper.make_node("Concat", ["loud", "mean"], ["audio_embeds"], axis=1),
        ],
        ("input_values", ["batch", "samples"]),
        ("audio_embeds", ["batch", 2]),
    )
    settings = {"sampling_rate": rate, "do_normalize": False}
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))
    return folder


def recorded(path: Path, samples: np.ndarray, rate: int = 16_000, width: int = 2) -> Path:
    """Write samples float[n, channels] from -1 to 1 as a WAV file."""
    scaled = np.clip(samples, -1, 1) * (2 ** (8 * width - 1) - 1)
    if width == 1:
        content = (scaled + 128).astype(np.uint8).tobytes()
    else:
        whole = scaled.astype("<i4").reshape(-1, 1).view(np.uint8)
        content = whole[:, :width].tobytes()
    with wave.open(str(path), "wb") as file:
        file.setnchannels(samples.shape[1])
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(content)
    return path
