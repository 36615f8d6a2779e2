"""Whatever is refused is a problem document of RFC 9457 that says what to do."""

from __future__ import annotations

import logging
import re
import shutil
from pathlib import Path
from typing import Any

import httpx2
import pytest

import penchant
from penchant.ingest.cells import Refused
from penchant.rank.answer.asking import UnknownItem
from penchant.rank.explain.explaining import NotShown
from penchant.serve.http.problems import NAMES, problem_of
from penchant.store.faults import StoreClosed, StoreDamaged, StoreError, StoreFull, StoreReadOnly
from penchant.store.snapshots import SnapshotDamaged
from penchant.types import Error, InvalidInput

from .live import Live, served


def problem(answer: httpx2.Response, status: int) -> dict[str, Any]:
    """Return the document of a problem after a look at its form."""
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    found: dict[str, Any] = answer.json()
    assert {"type", "title", "status", "detail", "instance"} <= found.keys()
    assert found["type"] == f"urn:penchant:problem:{NAMES[status][0]}"
    assert (found["title"], found["status"]) == (NAMES[status][1], status)
    assert found["instance"] == answer.headers["X-Request-ID"]
    assert len(found["detail"]) > 20
    assert ("Retry-After" in answer.headers) == (status in (429, 503))
    return found


def test_no_such_path(client: httpx2.Client) -> None:
    for path in ("/", "/v1", "/v2/recommend/ann", "/v1/recommend/a/b/c", "/docs/x", "/favicon.ico"):
        assert "openapi.json" in problem(client.get(path), 404)["detail"]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/v1/events", "DELETE, POST"),
        ("PUT", "/v1/items", "DELETE, GET, HEAD, POST"),
        ("PATCH", "/v1/users/ann", "DELETE, GET, HEAD"),
        ("POST", "/v1/users/ann", "DELETE, GET, HEAD"),
        ("POST", "/health/live", "GET, HEAD"),
        ("DELETE", "/v1/recommend/ann", "GET, HEAD, POST"),
        ("OPTIONS", "/v1/recommend", "GET, HEAD, POST"),
        ("GET", "/v1/recommend:batch", "POST"),
        ("TRACE", "/v1/status", "GET, HEAD"),
    ],
)
def test_no_such_method(client: httpx2.Client, method: str, path: str, allowed: str) -> None:
    answer = client.request(method, path)
    assert allowed in problem(answer, 405)["detail"]
    assert answer.headers["Allow"] == allowed


def test_what_the_engine_refuses(client: httpx2.Client) -> None:
    told = problem(client.post("/v1/events", json={"item_id": "w1"}), 422)
    assert told["rule"] == "user_id_missing"
    assert "expected a user_id" in told["detail"]
    future = {"user_id": "u", "item_id": "w1", "timestamp": 4e9}
    assert problem(client.post("/v1/events", json=future), 422)["rule"] == "timestamp_in_future"
    assert "k is a whole number" in problem(client.get("/v1/recommend/ann?k=0"), 422)["detail"]
    problem(client.get("/v1/similar/zzz"), 404)
    problem(client.get("/v1/slates/zzz/reasons"), 404)
    problem(client.post("/v1/snapshots/zzz:activate"), 404)
    problem(client.get("/v1/recommend/ann?now=tomorrow"), 422)
    problem(client.get("/v1/recommend/ann?log=maybe"), 422)
    problem(client.get("/v1/recommend/ann?k=1&k=2"), 422)
    many = "&".join(f"exclude={n}" for n in range(1001))
    problem(client.get(f"/v1/recommend/ann?{many}"), 422)


@pytest.mark.parametrize("query", ["k=ten", "k=1.0", "k=1_0", "k=", "k=+3", "k=٣", f"k={'9' * 99}"])
def test_numbers_of_the_query(client: httpx2.Client, query: str) -> None:
    if query == "k=+3":  # a plus is a space in a query
        query = "k=%203"
    problem(client.get(f"/v1/recommend/ann?{query}"), 422)


def test_every_error_of_the_engine_has_a_status() -> None:
    expected = {
        UnknownItem("x"): 404,
        NotShown("x"): 404,
        Refused("rule", "x"): 422,
        InvalidInput("x"): 422,
        SnapshotDamaged("x"): 409,
        StoreError("x"): 503,
        StoreFull("x"): 503,
        StoreReadOnly("x"): 503,
        StoreDamaged("x"): 503,
        StoreClosed("x"): 503,
        Error("x"): 500,
    }
    for error, status in expected.items():
        assert problem_of(error).status == status, error


def test_what_nobody_expected_is_logged_and_not_told(
    live: Live, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def breaks(*_: object, **__: object) -> None:
        raise RuntimeError("a secret of the inside")

    monkeypatch.setattr(live.engine, "recommend", breaks)
    monkeypatch.setattr(live.engine, "record", breaks)
    with live.client() as client, caplog.at_level(logging.ERROR, "penchant.http"):
        event = {"user_id": "u", "item_id": "w1"}
        for method, path in (("POST", "/v1/recommend/ann"), ("POST", "/v1/events")):
            answer = client.request(method, path, json={} if "ann" in path else event)
            assert "secret" not in answer.text
            told = problem(answer, 500)
            records = [r for r in caplog.records if r.name == "penchant.http"]
            assert records[-1].exc_info is not None
            assert getattr(records[-1], "request_id") == told["instance"]  # noqa: B009
        assert client.get("/health/live").status_code == 200


def test_where_the_store_lies_is_logged_and_not_told(
    live: Live, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> None:
        raise StoreFull("the store at /srv/secret/shelf: no space is left")

    monkeypatch.setattr(live.engine, "record", full)
    with live.client() as client, caplog.at_level(logging.ERROR, "penchant.http"):
        answer = client.post("/v1/events", json={"user_id": "u", "item_id": "w1"})
        told = problem(answer, 503)
        assert "secret" not in answer.text
        assert "no space left" in told["detail"]
        (record,) = [r for r in caplog.records if r.name == "penchant.http"]
        assert "/srv/secret/shelf" in record.getMessage()
        assert getattr(record, "request_id") == told["instance"]  # noqa: B009


def test_a_store_that_is_gone_and_back(world_shelf: Path, tmp_path: Path) -> None:
    shelf = shutil.copytree(world_shelf, tmp_path / "shelf")
    with penchant.open(shelf) as engine, served(engine) as live, live.client() as client:
        assert client.get("/health/ready").status_code == 200
        engine._store.close()
        for answer in (
            client.get("/health/ready"),
            client.get("/v1/recommend/ann"),
            client.post("/v1/events", json={"user_id": "u", "item_id": "w1"}),
        ):
            problem(answer, 503)


def test_every_answer_has_an_id(client: httpx2.Client) -> None:
    for path in ("/v1/recommend/ann", "/health/live", "/nowhere", "/openapi.json", "/docs"):
        made = client.get(path).headers["X-Request-ID"]
        assert re.fullmatch("[0-9a-f]{16}", made)
        mine = client.get(path, headers={"X-Request-ID": "mine-1.2:3/4"})
        assert mine.headers["X-Request-ID"] == "mine-1.2:3/4"
    for odd in (b"x" * 129, b"a b", b"<a>", b"\xff", b""):
        answer = client.get("/health/live", headers={"X-Request-ID": odd})
        assert re.fullmatch("[0-9a-f]{16}", answer.headers["X-Request-ID"])


def test_answers_are_not_kept_nor_guessed_at(client: httpx2.Client) -> None:
    answer = client.get("/v1/users/ann")
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
