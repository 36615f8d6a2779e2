"""Ids with any character come through every form of every route unchanged."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx2
import pytest

import penchant

from .live import Live, served

HARD = [
    "a/b",
    "/",
    "//a//",
    "a/",
    "..",
    ".",
    "../../etc/passwd",
    "..%2F..%2Fetc%2Fpasswd",
    "a b",
    " a ",
    "a+b",
    "a%b",
    "a%2Fb",
    "100%",
    "a:b",
    "x:activate",
    "recommend:batch",
    "a?b=c&d",
    "a#b",
    "a;b,c",
    "[a]{b}|c\\d^e`f",
    "\"quoted\" 'id'",
    "<script>",
    "ключ",
    "日本語",
    "\u00e9",
    "e\u0301",
    "🙂",
    "a\u200bb",
    "\t",
    "a\nb",
    "a\r\nX-Injected: yes",
    "\x7f",
    "a\0b",
    "~",
    "interests",
    "merge",
    "0",
    "007",
    "null",
    "NaN",
    "x" * 512,
]


@pytest.fixture(scope="module")
def live(world_shelf: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """One service for all: each id is somebody else."""
    shelf = shutil.copytree(world_shelf, tmp_path_factory.mktemp("ids") / "shelf")
    with penchant.open(shelf) as engine, served(engine) as found:
        yield found


@pytest.fixture(scope="module")
def client(live: Live) -> Iterator[httpx2.Client]:
    with live.client() as found:
        yield found


def held(client: httpx2.Client, user: str) -> list[str]:
    answer = client.get("/v1/users", params={"user_id": user})
    assert answer.status_code == 200, answer.text
    return [event["item_id"] for event in answer.json()["events"]]


@pytest.mark.parametrize("name", HARD, ids=lambda name: repr(name)[:20])
def test_a_hard_id_is_an_id(live: Live, client: httpx2.Client, name: str) -> None:
    inside = quote(name, safe="")
    item = {"item_id": name, "title": "An item"}
    assert client.post("/v1/items", json=item).json()["new"] == 1
    event = {"user_id": name, "item_id": name, "event_id": name}
    assert client.post("/v1/events", json=event).json()["new"] == 1
    assert [e["item_id"] for e in live.engine.export(name)["events"]] == [name]
    assert held(client, name) == [name]
    # A URL that ends in a dot segment is rewritten by clients before it is sent.
    if name not in (".", ".."):
        exported = client.get(f"/v1/users/{inside}")
        assert exported.json()["user_id"] == name
        assert client.get(f"/v1/recommend/{inside}").json()["user_id"] == name
        assert client.post(f"/v1/recommend/{inside}", json={}).json()["user_id"] == name
        ranked = client.post(f"/v1/rank/{inside}", json={"items": [name, "w1"]}).json()
        assert name in [line["item_id"] for line in ranked["recommendations"]]
        assert client.get(f"/v1/similar/{inside}").status_code == 200
        assert client.get(f"/v1/users/{inside}/interests").json()["user_id"] == name
    assert client.get("/v1/recommend", params={"user_id": name}).json()["user_id"] == name
    assert client.get("/v1/similar", params={"item_id": name}).status_code == 200
    named = client.get("/v1/users/interests", params={"user_id": name})
    assert named.json()["user_id"] == name
    if name not in (".", ".."):
        assert client.delete(f"/v1/events/{inside}").json() == {"removed": True}
        assert client.delete(f"/v1/items/{inside}").json() == {"removed": True}
        client.post("/v1/events", json=event | {"event_id": f"{name[:500]}2"})
        assert client.delete(f"/v1/users/{inside}").json() == {"removed": 1}
    assert client.delete("/v1/users", params={"user_id": name}).status_code == 200
    assert held(client, name) == []


def test_dot_segments_sent_as_they_are(live: Live, client: httpx2.Client) -> None:
    client.post("/v1/events", json={"user_id": "..", "item_id": "w1"})
    for path in (b"/v1/users/..", b"/v1/users/%2E%2E"):
        sent = b"GET " + path + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        answer = live.raw(sent)
        assert answer.startswith(b"HTTP/1.1 200")
        assert b'"user_id":".."' in answer


def test_a_slash_is_not_an_encoded_slash(client: httpx2.Client) -> None:
    plain = client.get("/v1/recommend/a/b")
    assert plain.status_code == 404
    assert "%2F" in plain.json()["detail"]
    assert client.get("/v1/recommend/").status_code == 404
    assert client.get("/v1//recommend/ann").status_code == 404
    assert client.get("/v1/recommend/ann/").status_code == 404
    assert client.get("/v1%2Frecommend%2Fann").status_code == 404


def test_ids_that_are_none(live: Live, client: httpx2.Client) -> None:
    for query in ("user_id=", "user_id=a&user_id=b", "user_id=%FF", f"user_id={'x' * 513}", ""):
        assert client.get(f"/v1/recommend?{query}").status_code == 422, query
    assert client.get("/v1/recommend/%FF").status_code == 422
    assert client.get(f"/v1/recommend/{'x' * 513}").status_code == 422
    both = client.get("/v1/recommend/ann?user_id=eve")
    assert both.status_code == 422
    assert "choose one" in both.json()["detail"]
    raw = live.raw(b"GET /v1/recommend/\xff HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert raw.startswith((b"HTTP/1.1 400", b"HTTP/1.1 422"))


def test_numbers_are_ids_unless_they_cannot_be_exact(client: httpx2.Client) -> None:
    assert client.post("/v1/events", json={"user_id": 7, "item_id": "w1"}).json()["new"] == 1
    assert held(client, "7") == ["w1"]
    huge = b'{"user_id": 18446744073709551617, "item_id": "w1"}'
    refused = client.post("/v1/events", content=huge)
    assert refused.status_code == 422
    assert "as text" in refused.json()["detail"]
    assert client.post("/v1/events", json={"user_id": 1.5, "item_id": "w1"}).status_code == 422
