"""Objects are found in what models write, in time that grows with its length alone."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from penchant.language.generator.answer import NoAnswer, objects, read_answer
from penchant.language.generator.schema import fit, instruction, response_format


class Leaf(BaseModel):
    word: str = Field(max_length=3)


class Tree(BaseModel):
    leaves: list[Leaf] = Field(max_length=2)
    root: Leaf | None = None
    note: str | None = Field(default=None, max_length=2)
    any: dict[str, int] = {}


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), VALUES, max_size=4), st.text(alphabet="ab \n}\"'`"))
def test_an_object_is_found_in_prose(value: dict[str, object], prose: str) -> None:
    told = json.dumps(value)
    assert next(objects(f"{prose}{told}{prose}")) == told


@given(st.text(alphabet='{}[]",:\\a1 ', max_size=300))
def test_whatever_is_written_is_read_or_refused(text: str) -> None:
    try:
        made = read_answer(text, Tree)
    except NoAnswer:
        return
    assert isinstance(made, Tree)


@pytest.mark.parametrize("piece", ["{", "{}", '{"', '{"a":', '{"a":[', "{'a'}", '"{', "\\", "}"])
def test_it_takes_time_by_the_length_alone(piece: str) -> None:
    text = piece * (400_000 // len(piece))
    began = time.monotonic()
    with pytest.raises(NoAnswer):
        read_answer(text, Tree)
    assert time.monotonic() - began < 5


def test_an_answer_is_fitted_to_its_schema() -> None:
    said = {
        "leaves": [{"word": "oaken", "more": 1}, {"word": "a"}, {"word": "b"}],
        "root": {"word": "roots"},
        "note": "long",
        "any": {"x": 1},
        "other": [1],
    }
    assert fit(said, Tree) == {
        "leaves": [{"word": "oak"}, {"word": "a"}],
        "root": {"word": "roo"},
        "note": "lo",
        "any": {"x": 1},
    }
    for wrong in ([1], "a", None, {"leaves": {"word": 1}, "root": 3}, {"leaves": ["a"]}):
        fit(wrong, Tree)


def test_a_server_is_told_the_shape_and_the_model_all_of_it() -> None:
    shape = response_format(Tree)["json_schema"]["schema"]
    assert shape["additionalProperties"] is False
    assert shape["$defs"]["Leaf"]["properties"]["word"] == {"type": "string"}
    assert shape["properties"]["leaves"] == {"type": "array", "items": {"$ref": "#/$defs/Leaf"}}
    assert shape["properties"]["any"] == {"type": "object"}
    assert '"maxItems":2' in instruction(Tree)
    assert '"title"' not in instruction(Tree)
