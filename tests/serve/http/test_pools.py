"""Waiting is bounded in number and in time, and what was begun ends."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import penchant
from penchant.serve.http.config import HttpConfig
from penchant.serve.http.pools import PATIENCE, Pool
from penchant.serve.http.problems import Problem

from .live import Live, served


def run(test: Callable[[], Any]) -> None:
    asyncio.run(test())


def test_who_comes_when_all_places_are_taken_is_refused_at_once() -> None:
    async def test() -> None:
        pool = Pool("answers", threads=2, waiting=3, timeout=5.0)
        gate = threading.Event()
        asked = [asyncio.create_task(pool.run(lambda: gate.wait(5))) for _ in range(5)]
        await asyncio.sleep(0.05)
        assert pool.inside == 5
        began = time.monotonic()
        with pytest.raises(Problem) as refused:
            await pool.run(lambda: True)
        assert time.monotonic() - began < 0.5
        assert (refused.value.status, refused.value.retry_after) == (429, 1)
        gate.set()
        assert await asyncio.gather(*asked) == [True] * 5
        assert pool.inside == 0
        assert await pool.run(lambda: 7) == 7
        pool.close()

    run(test)


def test_what_is_late_is_given_up_and_holds_its_place_until_it_ends() -> None:
    async def test() -> None:
        pool = Pool("answers", threads=1, waiting=1, timeout=0.1)
        gate, begun = threading.Event(), []
        first = asyncio.create_task(pool.run(lambda: gate.wait(5)))
        await asyncio.sleep(0.02)
        second = asyncio.create_task(pool.run(lambda: begun.append(1)))
        for one in (first, second):
            with pytest.raises(Problem) as late:
                await one
            assert late.value.status == 503
            assert late.value.retry_after
        assert pool.inside == 1  # the one that runs; the other was never begun
        gate.set()
        await asyncio.to_thread(pool.close)
        assert (pool.inside, begun) == (0, [])

    run(test)


def test_answers_go_one_after_the_other_but_beside_one_that_hangs() -> None:
    async def test() -> None:
        pool = Pool("answers", threads=3, waiting=9, timeout=5.0, together=1)
        at_once, most, gate = [0], [0], threading.Event()

        def computes() -> None:
            at_once[0] += 1
            most[0] = max(most[0], at_once[0])
            time.sleep(0.005)
            at_once[0] -= 1

        await asyncio.gather(*(pool.run(computes) for _ in range(9)))
        assert most[0] == 1
        hangs = [asyncio.create_task(pool.run(lambda: gate.wait(5))) for _ in range(2)]
        await asyncio.sleep(0)
        began = time.monotonic()
        await asyncio.gather(*(pool.run(computes) for _ in range(6)))
        # Each of the two kept the others waiting until it was clear that it hangs.
        assert PATIENCE < time.monotonic() - began < 5 * PATIENCE + 0.5
        assert most[0] == 1
        assert pool.inside == 2
        gate.set()
        assert await asyncio.gather(*hangs) == [True, True]
        await asyncio.to_thread(pool.close)

    run(test)


def test_a_stop_finishes_what_waits_behind_others() -> None:
    async def test() -> None:
        pool = Pool("answers", threads=2, waiting=9, timeout=5.0, together=1)
        asked = [asyncio.create_task(pool.run(lambda: time.sleep(0.02) or 7)) for _ in range(8)]
        await asyncio.sleep(0.01)
        await asyncio.to_thread(pool.close)
        assert await asyncio.gather(*asked) == [7] * 8

    run(test)


def test_an_error_of_the_work_is_its_own() -> None:
    async def test() -> None:
        pool = Pool("answers", threads=1, waiting=1, timeout=5.0)

        def fails(error: Exception) -> None:
            raise error

        with pytest.raises(ZeroDivisionError):
            await pool.run(lambda: fails(ZeroDivisionError()))
        with pytest.raises(TimeoutError):
            await pool.run(lambda: fails(TimeoutError("of the disk")))
        assert pool.inside == 0
        pool.close()
        with pytest.raises(Problem) as closed:
            await pool.run(lambda: 1)
        assert closed.value.status == 503
        assert pool.inside == 0

    run(test)


def test_a_crowd_is_answered_or_refused_and_the_service_lives(
    engine: penchant.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Answers that take long (a slow source) fill the line; events go past it."""
    recommend = engine.recommend

    def slowly(*given: Any, **named: Any) -> Any:
        time.sleep(0.3)
        return recommend(*given, **named)

    monkeypatch.setattr(engine, "recommend", slowly)
    settings = HttpConfig(rate_loopback=0, threads=1, waiting=4, timeout=30.0)
    with served(engine, settings) as live, live.client() as client:
        with ThreadPoolExecutor(24) as crowd:
            answers = list(crowd.map(lambda _: client.get("/v1/recommend/ann"), range(24)))
            statuses = {one.status_code for one in answers}
            assert statuses == {200, 429}
            told = crowd.submit(client.post, "/v1/events", json={"user_id": "u", "item_id": "w1"})
            assert told.result().status_code == 200
        for one in answers:
            if one.status_code != 200:
                assert int(one.headers["Retry-After"]) >= 1
        time.sleep(0.5)
        assert live.reception.answers.inside == 0
        assert client.get("/v1/recommend/ann").status_code == 200


def test_slates_that_nobody_was_shown_keep_nobody_waiting(live: Live) -> None:
    """One that is not on disk yet is waited for; answers are given meanwhile."""
    with ThreadPoolExecutor(8) as crowd, live.client() as client:
        asked = [crowd.submit(client.get, f"/v1/slates/{n}/reasons") for n in range(8)]
        time.sleep(0.1)
        assert client.get("/v1/recommend/ann").status_code == 200
        assert sum(one.done() for one in asked) < 8
        assert {one.result().status_code for one in asked} == {404}


def test_a_stop_finishes_what_was_accepted(
    engine: penchant.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = engine.record

    def slowly(*given: Any) -> Any:
        time.sleep(1.0)
        return record(*given)

    monkeypatch.setattr(engine, "record", slowly)
    with ThreadPoolExecutor(8) as crowd, served(engine) as live:

        def tell(number: int) -> int:
            with live.client() as client:
                event = {"user_id": "u", "item_id": "w1", "event_id": number}
                return client.post("/v1/events", json=event).status_code

        told = [crowd.submit(tell, number) for number in range(8)]
        until = time.monotonic() + 10
        while live.reception.records.inside < 8 and time.monotonic() < until:
            time.sleep(0.01)
    assert [one.result() for one in told] == [200] * 8
    assert len(engine.export("u")["events"]) == 8
