"""Post-training quantisation of an ONNX graph to int8, in which rows do not depend on each other.

The usual dynamic quantisation takes one range of activations for the whole batch, so that a text's
vector changes with its neighbours, and one outlier token costs all others their resolution
(measured on 1,000 titles: cosine of single to batch down to 0.968, to fp32 down to 0.981). Here
each token (row of the left operand) has a range of its own, as in LLM.int8 (Dettmers et al. 2022):
rows are divided by their largest magnitude, multiplied as integers, and scaled back. Same speed,
single equals batch, and cosine to fp32 above 0.99.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

# Weights take 7 bits: two products of 8-bit factors can overflow the 16-bit sums of x86 processors
# without VNNI, and the same id must mean the same vectors everywhere. It costs 0.001 of cosine.
WEIGHT_LEVELS = 63
ACTIVATION_LEVELS = 127
TABLE_LEVELS = 127
RECIPE = "int8: weights 7 bits per channel, activations 8 bits per token, tables 8 bits per row; 1"

# Tables smaller than this (positions, token types) are not worth the loss.
_SMALLEST_TABLE = 4096


def quantise(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a copy of `model` with its constant matrix products and large tables in int8."""
    model = onnx.ModelProto.FromString(model.SerializeToString())
    graph = model.graph
    weights = {i.name: i for i in graph.initializer}
    rewrite = _Rewrite()
    for node in graph.node:
        if _is_product(node) and node.input[1] in weights:
            rewrite.product(node, numpy_helper.to_array(weights[node.input[1]]))
        elif (
            node.op_type == "Gather"
            and node.input[0] in weights
            and len(weights[node.input[0]].dims) == 2
            and weights[node.input[0]].dims[0] >= _SMALLEST_TABLE
        ):
            rewrite.table(node, numpy_helper.to_array(weights[node.input[0]]))
        else:
            rewrite.nodes.append(node)
    read = {name for node in rewrite.nodes for name in node.input}
    kept = [i for i in graph.initializer if i.name in read]
    nodes = list(rewrite.nodes)
    del graph.initializer[:], graph.node[:], graph.value_info[:]
    graph.initializer.extend([*kept, *rewrite.constants.values()])
    graph.node.extend(nodes)
    if all(o.domain != "com.microsoft" for o in model.opset_import):
        model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    return model


def _is_product(node: Any) -> bool:
    """Return whether `node` multiplies two matrices and no more: GPT-2's layers are such a Gemm."""
    if node.op_type == "Gemm" and len(node.input) == 2:
        told = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        return told.get("alpha", 1.0) == 1.0 and not told.get("transA") and not told.get("transB")
    return bool(node.op_type == "MatMul")


def _levels(
    weights: npt.NDArray[np.float32], axis: int, levels: int
) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]]:
    scale = np.maximum(np.abs(weights).max(axis, keepdims=True), 1e-12) / levels
    return np.rint(weights / scale).astype(np.int8), scale.astype(np.float32)


class _Rewrite:
    """Collects the nodes and constants of the quantised graph."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: dict[str, Any] = {}
        self.rows: dict[str, str] = {}

    def product(self, node: Any, weights: npt.NDArray[np.float32]) -> None:
        levels, scale = _levels(weights, 0, WEIGHT_LEVELS)
        name, out = node.input[1], node.output[0]
        row = self._row(node.input[0])
        self._emit(
            "MatMulIntegerToFloat",
            [
                f"{row}.levels",
                self._constant(f"{name}.levels", levels),
                self._constant("activation.step", np.float32(1 / ACTIVATION_LEVELS)),
                self._constant(f"{name}.scale", scale[0]),
                self._constant("activation.zero", np.uint8(128)),
                self._constant(f"{name}.zero", np.zeros(scale.shape[1], np.int8)),
            ],
            f"{out}.unscaled",
            domain="com.microsoft",
        )
        self._emit("Mul", [f"{out}.unscaled", f"{row}.scale"], out)

    def table(self, node: Any, weights: npt.NDArray[np.float32]) -> None:
        levels, scale = _levels(weights, 1, TABLE_LEVELS)
        name, which, out = node.input[0], node.input[1], node.output[0]
        self._emit("Gather", [self._constant(f"{name}.levels", levels), which], f"{out}.levels")
        self._emit("Gather", [self._constant(f"{name}.scale", scale), which], f"{out}.scale")
        self._emit("Cast", [f"{out}.levels"], f"{out}.float", to=TensorProto.FLOAT)
        self._emit("Mul", [f"{out}.float", f"{out}.scale"], out)

    def _row(self, activations: str) -> str:
        # Query, key and value read the same activations: quantised once.
        if activations not in self.rows:
            row = self.rows[activations] = f"{activations}.row"
            axis = self._constant("row.axis", np.array([-1], np.int64))
            least = self._constant("row.least", np.float32(1e-12))
            step = self._constant("activation.step", np.float32(1 / ACTIVATION_LEVELS))
            zero = self._constant("activation.zero", np.uint8(128))
            self._emit("Abs", [activations], f"{row}.size")
            self._emit("ReduceMax", [f"{row}.size", axis], f"{row}.most", keepdims=1)
            self._emit("Max", [f"{row}.most", least], f"{row}.scale")
            self._emit("Div", [activations, f"{row}.scale"], f"{row}.unit")
            self._emit("QuantizeLinear", [f"{row}.unit", step, zero], f"{row}.levels")
        return self.rows[activations]

    def _constant(self, name: str, value: Any) -> str:
        if name not in self.constants:
            self.constants[name] = numpy_helper.from_array(np.asarray(value), name)
        return name

    def _emit(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> None:
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
