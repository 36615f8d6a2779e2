from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from penchant.learn.encoder.quantise import quantise

RNG = np.random.default_rng(5)
TABLE = RNG.normal(size=(5000, 32)).astype(np.float32)
SMALL = RNG.normal(size=(8, 32)).astype(np.float32)
LEFT = RNG.normal(size=(32, 48)).astype(np.float32)
RIGHT = RNG.normal(size=(32, 48)).astype(np.float32)


@pytest.fixture(scope="module")
def model() -> onnx.ModelProto:
    """Look up two tables, add them, multiply by two matrices, and add the products."""
    constants = {"table": TABLE, "small": SMALL, "left": LEFT, "right": RIGHT}
    nodes = [
        helper.make_node("Gather", ["table", "ids"], ["words"]),
        helper.make_node("Gather", ["small", "places"], ["positions"]),
        helper.make_node("Add", ["words", "positions"], ["x"]),
        helper.make_node("MatMul", ["x", "left"], ["a"]),
        helper.make_node("MatMul", ["x", "right"], ["b"]),
        helper.make_node("Add", ["a", "b"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "sum",
        [helper.make_tensor_value_info(n, TensorProto.INT64, ["n"]) for n in ("ids", "places")],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 48])],
        [numpy_helper.from_array(v, k) for k, v in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def run(model: onnx.ModelProto, ids: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(None, {"ids": ids, "places": ids % 8})[0]


def test_it_computes_nearly_the_same(model: onnx.ModelProto) -> None:
    ids = np.arange(0, 5000, 7)
    exact = (TABLE[ids] + SMALL[ids % 8]) @ (LEFT + RIGHT)
    np.testing.assert_allclose(run(model, ids), exact, atol=1e-3)
    got = run(quantise(model), ids)
    cosines = (got * exact).sum(1) / np.linalg.norm(got, axis=1) / np.linalg.norm(exact, axis=1)
    assert cosines.min() > 0.999


def test_a_row_does_not_depend_on_its_neighbours(model: onnx.ModelProto) -> None:
    small = quantise(model)
    ids = np.arange(64)
    together = run(small, ids)
    for i in (0, 7, 63):
        np.testing.assert_allclose(run(small, ids[i : i + 1]), together[i : i + 1], atol=1e-5)


def test_a_row_of_zeros_stays_one() -> None:
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 32])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 48])
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "left"], ["y"])],
        "product",
        [x],
        [y],
        [numpy_helper.from_array(LEFT, "left")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    session = onnxruntime.InferenceSession(
        quantise(model).SerializeToString(), providers=["CPUExecutionProvider"]
    )
    rows = np.zeros((2, 32), np.float32)
    rows[1, 3] = 1e-20
    (out,) = session.run(None, {"x": rows})
    assert np.isfinite(out).all()
    assert not out[0].any()


def test_it_is_a_quarter_of_the_size_and_reads_activations_once(model: onnx.ModelProto) -> None:
    before = model.SerializeToString()
    small = quantise(model)
    assert model.SerializeToString() == before
    assert small.ByteSize() < 0.35 * model.ByteSize()
    kinds = [node.op_type for node in small.graph.node]
    assert kinds.count("QuantizeLinear") == 1
    assert kinds.count("MatMulIntegerToFloat") == 2
    # The small table is not worth the loss.
    assert {"small"} == {i.name for i in small.graph.initializer} & {"table", "small", "left"}


def test_a_product_that_is_written_as_gemm_is_quantised_and_another_is_not() -> None:
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(16, 8)).astype(np.float32)
    bias = rng.normal(size=8).astype(np.float32)
    constants = [numpy_helper.from_array(weights, "w"), numpy_helper.from_array(bias, "b")]
    rows = rng.normal(size=(5, 16)).astype(np.float32)

    def answers(*nodes: onnx.NodeProto) -> tuple[np.ndarray, np.ndarray, set[str]]:
        value = helper.make_tensor_value_info
        graph = helper.make_graph(
            list(nodes),
            "g",
            [value("x", onnx.TensorProto.FLOAT, [None, 16])],
            [value("y", onnx.TensorProto.FLOAT, [None, 8])],
            constants,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)])
        model.ir_version = 10
        small = quantise(model)
        exact, coarse = (
            onnxruntime.InferenceSession(
                m.SerializeToString(), providers=["CPUExecutionProvider"]
            ).run(None, {"x": rows})[0]
            for m in (model, small)
        )
        return exact, coarse, {node.op_type for node in small.graph.node}

    exact, coarse, kinds = answers(helper.make_node("Gemm", ["x", "w"], ["y"]))
    assert "MatMulIntegerToFloat" in kinds
    np.testing.assert_allclose(coarse, exact, atol=0.1)
    for other in (
        helper.make_node("Gemm", ["x", "w", "b"], ["y"]),
        helper.make_node("Gemm", ["x", "w"], ["y"], alpha=0.5),
    ):
        exact, coarse, kinds = answers(other)
        assert kinds == {"Gemm"}
        np.testing.assert_array_equal(coarse, exact)
