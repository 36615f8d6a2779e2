"""Who may ask: keys, scopes, and a service without keys."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import httpx2
import pytest

import penchant
from penchant.serve.http.config import HttpConfig, KeyConfig
from penchant.serve.http.contract import routes
from penchant.serve.http.keys import Keys, OpenToAll, fresh_key, is_loopback

from .live import Live, made, served

READ, WRITE, ADMIN, ALONE = (f"{name}-key-of-a-test" for name in ("read", "write", "adm", "alone"))


def hashed(key: str, *scopes: str) -> KeyConfig:
    return KeyConfig(hashlib.sha256(key.encode()).hexdigest(), scopes)


SETTINGS = HttpConfig(
    rate=0,
    rate_loopback=0,
    keys={
        "reader": hashed(READ, "read"),
        "writer": hashed(WRITE, "write"),
        "admin": hashed(ADMIN, "read", "admin"),
    },
)


@pytest.fixture
def live(engine: penchant.Engine) -> Iterator[Live]:
    with served(engine, SETTINGS, {"PENCHANT_API_KEY": ALONE}) as found:
        yield found


def ask(client: httpx2.Client, method: str, path: str, key: str | None) -> httpx2.Response:
    headers = {} if key is None else {"X-API-Key": key}
    body = {"json": {"user_id": "u", "item_id": "w1"}} if method == "POST" else {}
    return client.request(method, path, headers=headers, **body)


def test_each_scope_opens_its_routes(client: httpx2.Client) -> None:
    allowed = {READ: {"read"}, WRITE: {"read", "write"}, ADMIN: {"read", "write", "admin"}}
    allowed[ALONE] = allowed[ADMIN]
    for route in routes():
        path = route.path.replace("{", "").replace("}", "")
        for key, scopes in allowed.items():
            status = ask(client, route.method, path, key).status_code
            if route.scope is None or route.scope in scopes:
                assert status not in (401, 403), (route, key)
            else:
                assert status == 403, (route, key)


@pytest.mark.parametrize(
    "key", [None, "", "wrong", READ[:-1], READ + "x", READ.upper(), "x" * 5000, "ключ"]
)
def test_a_wrong_key_opens_nothing(client: httpx2.Client, key: str | None) -> None:
    for route in routes():
        path = route.path.replace("{", "").replace("}", "")
        headers = {} if key is None else {"X-API-Key": key.encode()}
        answer = client.request(route.method, path, headers=headers)
        if route.scope is None or route.open_here:
            assert answer.status_code == 200
            continue
        assert answer.status_code == 401, route
        problem = answer.json()
        assert "X-API-Key" in problem["detail"]
        assert "penchant key" in problem["detail"]
        assert "WWW-Authenticate" in answer.headers


def test_a_reader_is_told_what_is_missing(client: httpx2.Client) -> None:
    refused = ask(client, "POST", "/v1/events", READ)
    assert refused.status_code == 403
    assert refused.json()["detail"].startswith("expected a key with scope 'write'; this one has")
    assert client.get("/v1/users/u", headers={"X-API-Key": READ}).json()["events"] == []


def test_a_refused_event_is_not_stored(client: httpx2.Client, engine: penchant.Engine) -> None:
    for key in (None, "wrong", READ):
        ask(client, "POST", "/v1/events", key)
    assert engine.export("u")["events"] == []
    assert ask(client, "POST", "/v1/events", WRITE).json()["new"] == 1


def test_metrics_through_a_proxy_need_a_key(client: httpx2.Client) -> None:
    assert client.get("/metrics").status_code == 200
    for name in ("X-Forwarded-For", "Forwarded", "X-Real-IP"):
        assert client.get("/metrics", headers={name: "127.0.0.1"}).status_code == 401
        headers = {name: "127.0.0.1", "X-API-Key": READ}
        assert client.get("/metrics", headers=headers).status_code == 200


def test_the_description_needs_no_key_and_tells_of_it(client: httpx2.Client) -> None:
    described = client.get("/openapi.json").json()
    assert described["paths"]["/v1/events"]["post"]["security"] == [{"key": []}]
    assert "401" in described["paths"]["/v1/events"]["post"]["responses"]
    assert "security" not in described["paths"]["/health/live"]["get"]


def test_without_a_key_only_this_machine_is_answered(engine: penchant.Engine) -> None:
    for host in ("0.0.0.0", "::", "192.168.1.5", "example.org", ""):
        with pytest.raises(OpenToAll, match="penchant key"):
            made(engine, HttpConfig(host=host))
        made(engine, HttpConfig(host=host), {"PENCHANT_API_KEY": "a key"})
    for host in ("127.0.0.1", "127.9.9.9", "::1", "localhost"):
        made(engine, HttpConfig(host=host))


def test_a_page_elsewhere_cannot_use_a_keyless_service(engine: penchant.Engine) -> None:
    with served(engine) as live, live.client() as client:
        for headers in (
            {"Host": "evil.example"},
            {"Host": "127.0.0.1.evil.example"},
            {"Origin": "https://evil.example"},
            {"Origin": "null"},
            {"X-Forwarded-For": "203.0.113.9"},
            {"Forwarded": "for=203.0.113.9"},
        ):
            refused = client.get("/v1/recommend/ann", headers=headers)
            assert refused.status_code == 403, headers
            assert "penchant key" in refused.json()["detail"]
        for headers in (
            {"Host": f"localhost:{live.port}"},
            {"Host": "[::1]:80"},
            {"Origin": "http://localhost:3000"},
        ):
            assert client.get("/v1/recommend/ann", headers=headers).status_code == 200, headers


def test_a_key_is_compared_with_all_and_none_is_kept_in_clear() -> None:
    keys = Keys(SETTINGS, {"PENCHANT_API_KEY": f"  {ALONE}\n"})
    assert keys.caller(ALONE, "10.0.0.1") is not None
    found = keys.caller(WRITE, "10.0.0.1")
    assert found is not None
    assert (found.name, found.scopes, found.local) == ("writer", {"read", "write"}, False)
    assert ALONE not in repr(vars(keys))
    assert not Keys(HttpConfig(), {"PENCHANT_API_KEY": " "})


def test_a_fresh_key_is_long_and_its_hash_is_its_own() -> None:
    made = [fresh_key() for _ in range(100)]
    assert len({key for key, _ in made}) == 100
    for key, digest in made:
        assert len(key) >= 43
        assert hashlib.sha256(key.encode()).hexdigest() == digest


@pytest.mark.parametrize(
    ("host", "here"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("[::1]", True),
        ("LOCALHOST", True),
        ("::ffff:127.0.0.1", True),
        ("::ffff:10.0.0.1", False),
        ("10.0.0.1", False),
        ("localhost.example", False),
        ("", False),
        ("unknown", False),
    ],
)
def test_what_this_machine_is(host: str, here: bool) -> None:
    assert is_loopback(host) == here
