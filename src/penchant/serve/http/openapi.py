"""The OpenAPI document, made of the contract and the schemas."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from pydantic.json_schema import models_json_schema

import penchant
from penchant.serve.http import problems
from penchant.serve.http.bodies import JSON, LINES
from penchant.serve.http.keys import HEADER
from penchant.serve.http.reception import Parameter, Route
from penchant.serve.http.schemas.models import MODELS

_REF = "#/components/schemas/"
_ABOUT = """
A recommender behind one address: every acknowledged event is part of the very next answer.

Ids are your own strings. In a path they are percent-encoded, a slash as `%2F`; where a proxy
spoils that, the same route takes the id in the query. Errors are problem documents (RFC 9457)
whose `detail` says what was expected, what came, and what to do. Every answer has `X-Request-ID`.
"""
_TAGS = {
    "answers": "What somebody wants now, and why.",
    "events": "What people did.",
    "catalogue": "Items, and what is known of them.",
    "people": "Who they are, what is held about them, and forgetting it.",
    "operation": "Training, snapshots, health and metrics.",
}


def document(routes: Iterable[Route], *, keyed: bool) -> dict[str, Any]:
    """Return the document; `keyed` says whether a key is needed."""
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, keyed)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Penchant",
            "version": penchant.__version__,
            "description": _ABOUT.strip(),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "tags": [{"name": name, "description": about} for name, about in _TAGS.items()],
        "paths": paths,
        "components": {
            "schemas": _schemas(),
            "headers": {
                "X-Request-ID": {
                    "description": "The id of the request: the caller's own if it is sane.",
                    "schema": {"type": "string"},
                },
                "Retry-After": {
                    "description": "Seconds to wait before asking again.",
                    "schema": {"type": "integer", "minimum": 1},
                },
            },
            "securitySchemes": {
                "key": {
                    "type": "apiKey",
                    "in": "header",
                    "name": HEADER,
                    "description": "A key with scope read, write or admin; each holds those "
                    "before it. A service without keys answers this machine alone.",
                }
            },
        },
    }


def _schemas() -> dict[str, Any]:
    _, found = models_json_schema(
        [(model, "validation") for model in MODELS], ref_template=_REF + "{model}"
    )
    made: dict[str, Any] = found["$defs"]
    return {name: _plain(schema) for name, schema in sorted(made.items())}


def _plain(schema: Any) -> Any:
    """Return a schema without the titles that only repeat names."""
    if isinstance(schema, dict):
        return {
            key: _plain(value)
            for key, value in schema.items()
            if not (key == "title" and isinstance(value, str))
        }
    return [_plain(one) for one in schema] if isinstance(schema, list) else schema


def _operation(route: Route, keyed: bool) -> dict[str, Any]:
    made: dict[str, Any] = {
        "operationId": _name(route),
        "summary": route.summary,
        "description": route.about + (f" Scope: {route.scope}." if route.scope else ""),
        "tags": [route.tag],
        "responses": _responses(route, keyed),
    }
    if route.parameters:
        made["parameters"] = [_parameter(one, route) for one in route.parameters]
    if route.body is not None:
        made["requestBody"] = _body(route)
    if keyed and route.scope is not None:
        made["security"] = [{"key": []}, *([{}] if route.open_here else [])]
    return made


def _name(route: Route) -> str:
    words = route.path.removeprefix("/v1").replace("{", "by_").replace("}", "")
    plain = words.replace(":", "_").replace("/", "_").strip("_")
    return f"{route.method.lower()}_{plain}"


def _parameter(one: Parameter, route: Route) -> dict[str, Any]:
    in_path = f"{{{one.name}}}" in route.path
    made: dict[str, Any] = {
        "name": one.name,
        "in": "path" if in_path else "query",
        "required": one.required,
        "description": one.about,
        "schema": dict(one.schema),
    }
    if one.schema.get("type") == "object":
        made["style"] = "deepObject"
        made["explode"] = True
    elif one.schema.get("type") == "array":
        made["style"] = "form"
        made["explode"] = True
    if one.example is not None:
        made["example"] = one.example
    return made


def _body(route: Route) -> dict[str, Any]:
    one = {"$ref": _REF + str(route.body)}
    named = {
        name.replace(" ", "_"): {"summary": name, "value": value}
        for name, value in route.examples.items()
    }
    if not route.rows:
        return {
            "required": route.body_needed,
            "content": {JSON: {"schema": one, "examples": named}},
        }
    first = next(iter(route.examples.values()))
    # Among many a row that breaks a rule is kept aside and counted: any object is taken.
    many = {"type": "array", "items": {"type": "object"}}
    lines = {
        "summary": "one object a line",
        "value": "\n".join([_line(first)] * 2),
    }
    return {
        "required": True,
        "content": {
            JSON: {"schema": {"oneOf": [one, many]}, "examples": named},
            LINES: {"schema": {"type": "string"}, "examples": {"lines": lines}},
        },
    }


def _line(value: Any) -> str:
    import json

    return json.dumps(value, ensure_ascii=False)


def _responses(route: Route, keyed: bool) -> dict[str, Any]:
    if route.answer is None:
        schema: dict[str, Any] = {"type": "string"}
    else:
        schema = {"$ref": _REF + route.answer}
    request_id = {"X-Request-ID": {"$ref": "#/components/headers/X-Request-ID"}}
    made: dict[str, Any] = {
        str(route.status): {
            "description": HTTPStatus(route.status).phrase,
            "headers": request_id,
            "content": {route.media: {"schema": schema, "example": route.example}},
        }
    }
    for status in sorted(_statuses(route, keyed)):
        headers = dict(request_id)
        if status in (429, 503):
            headers["Retry-After"] = {"$ref": "#/components/headers/Retry-After"}
        made[str(status)] = {
            "description": problems.NAMES[status][1],
            "headers": headers,
            "content": {problems.MEDIA: {"schema": {"$ref": _REF + "Problem"}}},
        }
    return made


def _statuses(route: Route, keyed: bool) -> set[int]:
    found = {*route.statuses, 400, 431, 500, 503}  # a head is refused before any route is known
    if route.scope is not None:
        found |= {422, 429, 403}
        if keyed:
            found.add(401)
    if route.body is not None:
        found |= {408, 413, 415}
    return found
