"""What a server is told of a schema, and how an answer is fitted into it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

# What servers that constrain their answers know of JSON schema differs by server and version, and a
# schema with one keyword too many is refused, or no longer constrains:
# - llama.cpp makes a grammar of it and refuses it where repetitions multiply (a `maxLength` within
#   the items of a list), from 2,000 on; a grammar that it cannot read it may drop without a word.
# - vLLM's xgrammar refused `minItems` and `maxItems` for long, and drops `maxLength` beside a
#   `pattern`; OpenAI's strict mode knows few of them.
# - Ollama makes the same grammars as llama.cpp and does not show the schema to the model.
# So a server gets the shape alone; lengths are told in words, and made true by `fit`.
_SHAPE = frozenset(
    {"type", "properties", "required", "items", "enum", "const", "anyOf", "$ref", "$defs"}
)
_DEEPEST = 20


def response_format(schema: type[BaseModel]) -> dict[str, Any]:
    """Return the parameter `response_format` in the form that OpenAI's protocol has for a schema.

    vLLM, Ollama (0.5 and later) and llama.cpp's server take it nested like this;
    `transformers serve` takes it and does nothing with it.
    """
    shape = _shape(schema.model_json_schema())
    return {"type": "json_schema", "json_schema": {"name": schema.__name__, "schema": shape}}


def instruction(schema: type[BaseModel]) -> str:
    """Return the words that ask for JSON by a schema.

    They are part of every question, also where the schema constrains the answer: few servers show
    it to the model, which is the better for knowing what it is made to write.
    """
    told = json.dumps(_told(schema.model_json_schema()), ensure_ascii=False, separators=(",", ":"))
    return f"Answer with one JSON object by this JSON schema, and with nothing else:\n{told}"


def fit(value: Any, schema: type[BaseModel]) -> Any:
    """Return a parsed answer without keys that the schema lacks, cut to the lengths it allows.

    What is wrong otherwise is left for validation to say.
    """
    whole = schema.model_json_schema()
    return _fit(value, whole, whole.get("$defs", {}), _DEEPEST)


def _shape(node: Any) -> Any:
    if not isinstance(node, dict):
        return node
    kept: dict[str, Any] = {}
    for key, value in node.items():
        if key not in _SHAPE:
            continue
        if key in ("properties", "$defs"):
            kept[key] = {name: _shape(one) for name, one in value.items()}
        elif key == "anyOf":
            kept[key] = [_shape(one) for one in value]
        else:
            kept[key] = _shape(value) if key == "items" else value
    if "properties" in kept:
        kept["additionalProperties"] = False
    return kept


def _told(node: Any) -> Any:
    """Return a schema without the titles that pydantic makes of names: they only cost tokens."""
    if isinstance(node, list):
        return [_told(one) for one in node]
    if not isinstance(node, dict):
        return node
    return {
        key: {name: _told(one) for name, one in value.items()}
        if key in ("properties", "$defs")
        else _told(value)
        for key, value in node.items()
        if key != "title"
    }


def _fit(value: Any, node: Mapping[str, Any], defs: Mapping[str, Any], depth: int) -> Any:
    while "$ref" in node:
        node = defs[node["$ref"].rpartition("/")[2]]
    if not depth:
        return value
    if "anyOf" in node:
        kinds: dict[type, str] = {dict: "object", list: "array", str: "string"}
        kind = kinds.get(type(value))
        for one in node["anyOf"]:
            while "$ref" in one:
                one = defs[one["$ref"].rpartition("/")[2]]
            if one.get("type") == kind:
                return _fit(value, one, defs, depth)
        return value
    if isinstance(value, str):
        return value[: node.get("maxLength")]
    if isinstance(value, list) and isinstance(node.get("items"), dict):
        return [_fit(one, node["items"], defs, depth - 1) for one in value[: node.get("maxItems")]]
    if isinstance(value, dict) and isinstance(node.get("properties"), dict):
        known = node["properties"]
        return {
            key: _fit(one, known[key], defs, depth - 1)
            for key, one in value.items()
            if key in known
        }
    return value
