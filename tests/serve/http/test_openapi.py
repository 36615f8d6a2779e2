"""The OpenAPI document is whole, and true: schemathesis asks everything that it allows."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

import penchant
from penchant.serve.http.contract import routes
from penchant.serve.http.openapi import document as described

from .live import Live, served

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


@pytest.fixture(scope="module")
def live(world_shelf: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """One service that everything is sent to."""
    shelf = shutil.copytree(world_shelf, tmp_path_factory.mktemp("openapi") / "shelf")
    with (shelf / "penchant.toml").open("a", encoding="utf-8") as toml:
        toml.write("\n[experiments.doors.variants.closed]\nshare = 0.5\n")
    with penchant.open(shelf) as engine, served(engine) as found:
        yield found


@pytest.fixture(scope="module")
def document(live: Live) -> dict[str, Any]:
    with live.client() as client:
        found: dict[str, Any] = client.get("/openapi.json").json()
    return found


def refs(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        for key, value in part.items():
            if key == "$ref":
                yield value
            else:
                yield from refs(value)
    elif isinstance(part, list):
        for one in part:
            yield from refs(one)


def resolved(document: dict[str, Any], schema: dict[str, Any]) -> Draft202012Validator:
    return Draft202012Validator({**schema, "components": document["components"]})


def test_whatever_is_referred_to_is_there_and_used(document: dict[str, Any]) -> None:
    there = {
        f"#/components/{kind}/{name}"
        for kind, named in document["components"].items()
        for name in named
    }
    referred = set(refs(document))
    assert referred <= there
    assert there - referred == {"#/components/securitySchemes/key"}


def test_every_route_is_told_in_full(document: dict[str, Any]) -> None:
    names = []
    for path, methods in document["paths"].items():
        for method, told in methods.items():
            where = f"{method} {path}"
            names.append(told["operationId"])
            assert told["summary"], where
            assert told["description"], where
            assert told["tags"], where
            inside = {one["name"] for one in told.get("parameters", ()) if one["in"] == "path"}
            assert inside == {part.split("}")[0] for part in path.split("{")[1:]}, where
            for one in told.get("parameters", ()):
                assert one["description"], where
            (good,) = (s for s in told["responses"] if s.startswith("2"))
            for content in told["responses"][good]["content"].values():
                assert "example" in content, where
            for content in told.get("requestBody", {"content": {}})["content"].values():
                assert content["examples"], where
    assert len(set(names)) == len(names)


def test_examples_are_what_the_schemas_say(document: dict[str, Any]) -> None:
    for path, methods in document["paths"].items():
        for method, told in methods.items():
            for status, answer in told["responses"].items():
                for content in answer["content"].values():
                    if "example" in content:
                        found = resolved(document, content["schema"]).iter_errors(
                            content["example"]
                        )
                        assert not list(found), (method, path, status)
            for content in told.get("requestBody", {"content": {}})["content"].values():
                for name, example in content["examples"].items():
                    found = resolved(document, content["schema"]).iter_errors(example["value"])
                    assert not list(found), (method, path, name)


def test_examples_of_bodies_are_believed(document: dict[str, Any], live: Live) -> None:
    with live.client() as client:
        for path, methods in document["paths"].items():
            for method, told in methods.items():
                for media, content in told.get("requestBody", {"content": {}})["content"].items():
                    for example in content["examples"].values():
                        answer = sent(client, method, path, media, example["value"])
                        assert answer.is_success, (method, path, answer.text)
                        assert answer.json().get("quarantined", 0) == 0


def sent(client: httpx2.Client, method: str, path: str, media: str, body: Any) -> httpx2.Response:
    where = path.replace("{user}", "visitor" if "merge" in path else "u1")
    where = where.replace("{experiment}", "doors").replace("{variant}", "closed")
    if path in ("/v1/users/merge", "/v1/users/interests"):
        where += "?user_id=visitor"
    if media == "application/json":
        return client.request(method, where, json=body)
    return client.request(method, where, content=body, headers={"Content-Type": media})


def lines() -> st.SearchStrategy[bytes]:
    """Return NDJSON: rows with names that mean something and values that may be anything."""
    names = ("user_id", "item_id", "event", "timestamp", "value", "event_id", "slate_id", "text")
    names += ("context", "title", "tags", "price", "released", "attributes", "head", "tail", "x")
    plain = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
    deep = st.recursive(plain, lambda one: st.lists(one) | st.dictionaries(st.text(), one))
    rows = st.dictionaries(st.sampled_from(names), deep)
    good = rows.map(lambda row: json.dumps(row).encode())
    return st.lists(good | st.binary(max_size=20)).map(b"\n".join)


@schemathesis.serializer("application/x-ndjson")
def as_it_is(ctx: Any, value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")


schemathesis.openapi.media_type("application/x-ndjson", lines())
SCHEMA = schemathesis.openapi.from_dict(described(routes(), keyed=False))


def asked(case: schemathesis.Case, live: Live) -> None:
    """Ask, and hold the answer against the document."""
    # A path that ends in a dot segment, or holds an empty one, is another path to every client.
    if any(value in (".", "..", "") for value in (case.path_parameters or {}).values()):
        return
    response = case.call(base_url=live.url, timeout=30)
    case.validate_response(response, checks=CHECKS)


@SCHEMA.parametrize()
@settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_nothing_that_is_allowed_breaks_it(case: schemathesis.Case, live: Live) -> None:
    asked(case, live)


@pytest.mark.slow
@SCHEMA.parametrize()
@settings(max_examples=400, deadline=None, database=None, suppress_health_check=list(HealthCheck))
def test_nothing_at_all_breaks_it(case: schemathesis.Case, live: Live) -> None:
    asked(case, live)
