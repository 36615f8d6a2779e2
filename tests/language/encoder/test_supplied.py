from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest

from penchant.language.encoder.supplied import SuppliedEncoder
from penchant.types import InvalidInput


def test_vectors_are_looked_up_and_scaled() -> None:
    encoder = SuppliedEncoder(["i1", "i2", "zero"], [[3, 4], [0, -2], [0, 0]])
    rows = encoder.encode(["i2", "unknown", "i1", "zero", "i1"])
    np.testing.assert_allclose(rows, [[0, -1], [0, 0], [0.6, 0.8], [0, 0], [0.6, 0.8]], atol=1e-6)


def test_huge_and_tiny_components_are_scaled_too() -> None:
    encoder = SuppliedEncoder(["huge", "tiny"], [[1e300, 1e300], [1e-300, 0]])
    np.testing.assert_allclose(
        encoder.encode(["huge", "tiny"]), [[0.70711, 0.70711], [1, 0]], atol=1e-5
    )


def test_other_texts_go_to_the_other_encoder() -> None:
    other = SuppliedEncoder(["a query"], [[1.0, 0.0]])
    encoder = SuppliedEncoder(["i1"], [[0, 1]], otherwise=other)
    np.testing.assert_allclose(encoder.encode(["a query", "i1", ""]), [[1, 0], [0, 1], [0, 0]])
    with pytest.raises(InvalidInput, match="must come from the same model"):
        SuppliedEncoder(["i1"], [[0, 1, 0]], otherwise=other)


def test_from_a_column_or_an_attribute() -> None:
    vectors = [[1.0, 0.0], None, [0.0, 1.0]]
    column = pl.DataFrame({"item_id": ["a", "b", "c"], "vector": vectors})
    attribute = pl.DataFrame(
        {"item_id": ["a", "b", "c"], "attributes": [json.dumps({"vector": v}) for v in vectors]}
    )
    array = column.drop_nulls().with_columns(pl.col("vector").cast(pl.Array(pl.Float64, 2)))
    made = [SuppliedEncoder.from_items(frame) for frame in (column, attribute, array)]
    assert len({encoder.id for encoder in made}) == 1
    np.testing.assert_allclose(made[1].encode(["c", "b"]), [[0, 1], [0, 0]])
    with pytest.raises(InvalidInput, match="no item has a column or an attribute 'embedding'"):
        SuppliedEncoder.from_items(column, column="embedding")
    with pytest.raises(InvalidInput, match="no item"):
        SuppliedEncoder.from_items(attribute.with_columns(attributes=pl.lit("broken")))


def test_the_id_is_of_the_content_in_any_order() -> None:
    first = SuppliedEncoder(["a", "b"], [[1, 0], [0, 1]])
    assert SuppliedEncoder(["b", "a"], [[0, 5], [2, 0]]).id == first.id
    assert SuppliedEncoder(["a", "b"], [[0, 1], [1, 0]]).id != first.id
    assert SuppliedEncoder(["a", "c"], [[1, 0], [0, 1]]).id != first.id


@pytest.mark.parametrize(
    ("keys", "vectors", "message"),
    [
        (["a"], [[1.0], [2.0]], "a vector for each of 1 keys"),
        (["a", "b"], [[1.0], [2.0, 3.0]], "same length"),
        (["a"], [["x"]], "vector of numbers"),
        ([], [], "at least one"),
        (["a"], [[]], "at least one"),
        (["a", "b"], [[1.0, 0.0], [np.nan, 1.0]], "not finite, the first is that of 'b'"),
        (["a"], [[np.inf, 1.0]], "not finite"),
        (["a", "a "], [[1.0, 0.0], [0.0, 1.0]], "two different vectors"),
    ],
)
def test_vectors_nobody_can_believe_are_refused(keys: list, vectors: list, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        SuppliedEncoder(keys, vectors)
