"""Rates: of keys, of addresses, of the events of one person."""

from __future__ import annotations

import hashlib

import httpx2
import pytest

import penchant
from penchant.serve.http.config import HttpConfig, KeyConfig
from penchant.serve.http.limits import FEW, Limit

from .live import served


def test_a_limit_grants_its_burst_and_then_its_rate() -> None:
    limit = Limit(rate=10.0, burst=2.0)
    assert [limit.take("a", 0.0) for _ in range(20)] == [0.0] * 20
    assert limit.take("a", 0.0) == pytest.approx(0.1)
    assert limit.take("b", 0.0) == 0.0
    assert limit.take("a", 0.1) == 0.0
    assert limit.take("a", 0.1) > 0
    assert [limit.take("a", 100.0) for _ in range(20)] == [0.0] * 20
    assert limit.take("a", 100.0) > 0


def test_in_the_long_run_the_rate_is_exact() -> None:
    limit = Limit(rate=50.0, burst=1.0)
    granted = sum(limit.take("a", step / 1000) == 0.0 for step in range(10_000))
    assert granted == pytest.approx(50 * 10 + 50, abs=1)


def test_what_costs_more_than_can_be_saved_up_takes_all() -> None:
    limit = Limit(rate=10.0, burst=2.0)
    assert limit.take("a", 0.0, cost=1000) == 0.0
    assert limit.take("a", 0.0) == pytest.approx(0.1)
    assert limit.take("a", 1.9, cost=1000) > 0
    assert limit.take("a", 2.0, cost=1000) == 0.0


def test_no_rate_is_no_limit() -> None:
    limit = Limit(rate=0.0, burst=2.0)
    assert not any(limit.take("a", 0.0) for _ in range(10_000))
    assert len(limit) == 0


def test_who_comes_once_is_forgotten() -> None:
    limit = Limit(rate=10.0, burst=2.0)
    for number in range(20 * FEW):
        limit.take(str(number), number / 1000)
    assert len(limit) <= 2 * FEW


def test_a_flood_of_one_person_leaves_others_alone(engine: penchant.Engine) -> None:
    settings = HttpConfig(user_rate=0.1, burst=200.0)
    with served(engine, settings) as live, live.client() as client:
        event = {"user_id": "flood", "item_id": "w1"}
        answers = [client.post("/v1/events", json=event) for _ in range(60)]
        granted = sum(one.status_code == 200 for one in answers)
        refused = [one for one in answers if one.status_code == 429]
        assert 20 <= granted < 30
        assert granted + len(refused) == 60
        for one in refused:
            assert one.headers["Content-Type"] == "application/problem+json"
            assert int(one.headers["Retry-After"]) >= 1
            assert "one user_id" in one.json()["detail"]
        for number in range(30):
            other = {"user_id": f"other {number}", "item_id": "w1"}
            assert client.post("/v1/events", json=other).status_code == 200
        assert client.get("/v1/recommend/flood").status_code == 200
        assert len(engine.export("flood")["events"]) == granted


def test_a_flood_in_arrays_is_a_flood_and_an_import_is_none(engine: penchant.Engine) -> None:
    settings = HttpConfig(user_rate=0.1, burst=200.0)
    with served(engine, settings) as live, live.client() as client:
        flood = [{"user_id": 7, "item_id": "w1", "event_id": n} for n in range(100)]
        assert client.post("/v1/events", json=flood).status_code == 200
        assert client.post("/v1/events", json=flood[:10]).status_code == 429
        assert client.post("/v1/events", json=flood[0] | {"user_id": "7"}).status_code == 429
        assert client.post("/v1/events", json={"userId": 7, "item": "w1"}).status_code == 429
        several = [{"user_id": f"u{n % 50}", "item_id": "w1", "event_id": n} for n in range(1000)]
        for _ in range(3):
            assert client.post("/v1/events", json=several).status_code == 200


def test_requests_of_one_address_are_limited(engine: penchant.Engine) -> None:
    settings = HttpConfig(rate_loopback=0.05, burst=200.0)
    with served(engine, settings) as live, live.client() as client:
        statuses = [client.get("/v1/status").status_code for _ in range(30)]
        assert statuses[:10] == [200] * 10
        assert 429 in statuses
        assert client.get("/health/live").status_code == 200


def test_keys_have_limits_of_their_own(engine: penchant.Engine) -> None:
    def key(name: str, rate: float | None) -> KeyConfig:
        return KeyConfig(hashlib.sha256(name.encode()).hexdigest(), ("read",), rate)

    keys = {"slow": key("slow", 0.025), "other": key("other", 1000.0), "usual": key("usual", None)}
    settings = HttpConfig(rate_loopback=1000.0, burst=200.0, keys=keys)

    def asked(client: httpx2.Client, name: str, times: int) -> list[int]:
        headers = {"X-API-Key": name}
        return [client.get("/v1/train", headers=headers).status_code for _ in range(times)]

    with served(engine, settings) as live, live.client() as client:
        assert 429 in asked(client, "slow", 10)
        assert asked(client, "other", 20) == [200] * 20
        assert asked(client, "usual", 20) == [200] * 20


def test_guessing_keys_is_limited(engine: penchant.Engine) -> None:
    settings = HttpConfig(rate_loopback=0.05, burst=200.0)
    with served(engine, settings, {"PENCHANT_API_KEY": "right"}) as live, live.client() as client:
        statuses = [
            client.get("/v1/status", headers={"X-API-Key": f"guess {n}"}).status_code
            for n in range(30)
        ]
        assert statuses[:10] == [401] * 10
        assert 429 in statuses
        assert client.get("/v1/status", headers={"X-API-Key": "right"}).status_code == 200


def test_the_default_allows_a_thousand_a_second_from_here(engine: penchant.Engine) -> None:
    settings = HttpConfig()
    assert settings.rate_loopback >= 1000
    assert 0 < settings.rate < settings.rate_loopback
    with served(engine, settings) as live, live.client() as client:
        assert {client.get("/v1/train").status_code for _ in range(1000)} == {200}
