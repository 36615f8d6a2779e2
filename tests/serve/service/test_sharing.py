"""Workers share their work: whoever has less to do answers; nobody waits for one that cannot."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest

import penchant
from penchant.serve.http.config import HttpConfig
from penchant.serve.http.questions import LARGEST, Question, unpacked
from penchant.serve.service import sharing
from penchant.serve.service.board import Board
from penchant.serve.service.sharing import Answer, Sharing
from serve.http.live import Live, served
from serve.service.running import Service, eventually
from shelves import filled


async def echo(question: bytes) -> bytes:
    return b"answered " + question


async def nobody(question: bytes) -> bytes | None:
    raise AssertionError("asked")


@asynccontextmanager
async def workers(runtime: Path, *answers: Answer) -> AsyncIterator[list[Sharing]]:
    """Several workers in one process, each with a board of its own."""
    Board(runtime, len(answers), create=True)
    boards = [Board(runtime, len(answers)) for _ in answers]
    found = [Sharing(runtime, board, slot) for slot, board in enumerate(boards)]
    turning = asyncio.create_task(turn(boards))
    for one, answer in zip(found, answers, strict=True):
        await one.open(answer)
    await asyncio.sleep(0.01)
    try:
        yield found
    finally:
        turning.cancel()
        for one in found:
            await one.close()
        for board in boards:
            board.close()


async def turn(boards: list[Board]) -> None:
    """Say over and over that the loops of all turn."""
    while True:
        for slot, board in enumerate(boards):
            board.write(slot, connections=1)
        await asyncio.sleep(0.02)


async def acquainted(one: Sharing) -> None:
    """Have the ways to the others opened: on the first question nobody waits for that."""
    for _ in range(2):
        await one.ask(b"hello", mine=9)
        await asyncio.sleep(0.02)


def run(test: Callable[[], Any]) -> None:
    asyncio.run(test())


def test_who_has_the_fewest_answers(tmp_path: Path) -> None:
    async def other(question: bytes) -> bytes:
        return b"the third says " + question

    async def test() -> None:
        async with workers(tmp_path, nobody, echo, other) as (one, two, three):
            two.inside(0)
            three.inside(0)
            await acquainted(one)
            two.inside(3)
            three.inside(1)
            assert await one.ask(b"q", mine=0) is None
            assert await one.ask(b"q", mine=1) is None
            assert await one.ask(b"q", mine=2) is None  # the way to the third opens
            await asyncio.sleep(0.02)
            assert await one.ask(b"q", mine=2) == b"the third says q"
            three.inside(4)
            assert await one.ask(b"q", mine=4) == b"answered q"
            assert await one.ask(b"q", mine=3) is None

    run(test)


def test_what_is_on_its_way_counts_before_it_stands_on_the_board(tmp_path: Path) -> None:
    gate = asyncio.Event()

    async def slowly(question: bytes) -> bytes:
        await gate.wait()
        return question

    async def test() -> None:
        async with workers(tmp_path, nobody, slowly) as (one, _):
            await one.ask(b"hello", mine=1)
            await asyncio.sleep(0.02)
            first = asyncio.create_task(one.ask(b"1", mine=1))
            await asyncio.sleep(0)
            assert await one.ask(b"2", mine=1) is None
            gate.set()
            assert await first == b"1"

    run(test)


def test_frames_of_any_size_come_whole_and_in_any_order(tmp_path: Path) -> None:
    async def later(question: bytes) -> bytes:
        await asyncio.sleep(0.001 * (question[0] % 7))
        return question

    async def test() -> None:
        async with workers(tmp_path, nobody, later) as (one, _):
            await acquainted(one)
            asked = [bytes([n]) * (1 + n * 3_000) for n in range(100)]
            assert await asyncio.gather(*(one.ask(q, mine=200) for q in asked)) == asked

    run(test)


def test_what_another_cannot_answer_is_answered_here(tmp_path: Path) -> None:
    async def refuses(question: bytes) -> None:
        return None

    async def test() -> None:
        async with workers(tmp_path, nobody, refuses) as (one, _):
            await acquainted(one)
            assert await one.ask(b"q", mine=1) is None

    run(test)


def test_a_worker_that_goes_away_keeps_nobody_waiting_and_is_found_again(tmp_path: Path) -> None:
    async def never(question: bytes) -> bytes:
        await asyncio.sleep(60)
        return b""

    async def test() -> None:
        async with workers(tmp_path, nobody, never) as (one, two):
            await one.ask(b"hello", mine=1)
            await asyncio.sleep(0.02)
            asked = asyncio.create_task(one.ask(b"q", mine=1))
            await asyncio.sleep(0.02)
            assert not asked.done()
            await two.close()
            assert await asyncio.wait_for(asked, 1) is None
            # Its place is taken by another.
            await two.open(echo)
            await acquainted(one)
            assert await one.ask(b"q", mine=1) == b"answered q"

    run(test)


def test_a_worker_that_stands_still_is_given_up_and_not_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sharing, "STALE", 0.2)

    async def never(question: bytes) -> bytes:
        await asyncio.sleep(60)
        return b""

    async def test() -> None:
        async with workers(tmp_path, nobody, never) as (one, _):
            await one.ask(b"hello", mine=1)
            await asyncio.sleep(0.02)
            asked = asyncio.create_task(one.ask(b"q", mine=1))
            await asyncio.sleep(0.3)
            assert not asked.done()  # it works on something; its loop turns
            one._board.clear(1)  # as if the last turn of its loop were long ago
            for task in asyncio.all_tasks():
                if "turn" in str(task.get_coro()):
                    task.cancel()
            began = time.monotonic()
            assert await asyncio.wait_for(asked, 1) is None
            assert time.monotonic() - began < 0.2
            assert await one.ask(b"q", mine=5) is None

    run(test)


def test_questions_are_plain_data() -> None:
    question = Question("recommend", ("ann",), {"k": 3, "context": {"hour": 7}, "now": 1.5})
    trace = {"traceparent": "00-1-2-01"}
    packed = question.packed(trace)
    assert packed is not None
    again, told = unpacked(packed)
    assert (again.verb, list(again.about), again.asked) == ("recommend", ["ann"], question.asked)
    assert told == trace
    assert Question("recommend", ("ann",), {"k": 1 << 70}).packed({}) is None
    assert Question("rank", ("ann", ["i"] * LARGEST), {}).packed({}) is None


@contextmanager
def two_workers(shelf: Path, runtime: Path, settings: HttpConfig) -> Iterator[list[Live]]:
    """Two services on one directory that share their work."""
    Board(runtime, 2, create=True)
    boards = [Board(runtime, 2) for _ in range(2)]
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(0.05):
            for slot, board in enumerate(boards):
                board.write(slot, connections=1)

    beating = threading.Thread(target=beat)
    beating.start()
    with penchant.open(shelf) as first, penchant.open(shelf) as second:
        shared = [Sharing(runtime, board, slot) for slot, board in enumerate(boards)]
        with (
            served(first, settings, sharing=shared[0]) as one,
            served(second, settings, sharing=shared[1]) as two,
        ):
            yield [one, two]
            ended.set()
            beating.join()


def test_a_busy_worker_lets_another_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of a crowd that asks one of two workers is answered by the other, as it would be by the
    first; and a trouble of the other is its own."""
    shelf = filled(tmp_path / "shelf")
    asked: list[list[str]] = [[], []]
    with two_workers(shelf, tmp_path, HttpConfig(rate_loopback=0)) as lives:
        for live, mine in zip(lives, asked, strict=True):
            recommend = live.engine.recommend

            def slowly(
                user: str, *, _recommend: Any = recommend, _mine: Any = mine, **named: Any
            ) -> Any:
                _mine.append(user)
                time.sleep(0.05)
                return _recommend(user, **named)

            monkeypatch.setattr(live.engine, "recommend", slowly)

        def ask(user: str) -> dict[str, Any]:
            with lives[0].client() as client:
                answer = client.get(f"/v1/recommend/{user}?k=3&log=false")
                assert answer.status_code == 200, answer.text
                return dict(answer.json())

        with ThreadPoolExecutor(8) as crowd:
            alone = [ask("ann"), ask("cat")]
            assert asked[1] == []
            together = list(crowd.map(ask, ["ann", "cat"] * 12))
            assert 6 < len(asked[1]) < 18
            for slate in together:
                same = alone[slate["user_id"] == "cat"]["recommendations"]
                found = slate["recommendations"]
                assert [one["item_id"] for one in found] == [one["item_id"] for one in same]
            with lives[0].client() as client:
                text = client.get("/metrics").text
            assert f"penchant_answers_shared_total {len(asked[1])}.0" in text

            def fails(*_: Any, **__: Any) -> None:
                raise ZeroDivisionError("of the other")

            monkeypatch.setattr(lives[1].engine, "recommend", fails)
            assert len(list(crowd.map(ask, ["ann"] * 12))) == 12
            with lives[1].client() as client:
                text = client.get("/metrics").text
            assert 'penchant_troubles_total{where="share"}' in text


def test_an_event_shows_in_the_answer_of_whoever_gives_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What one worker acknowledged is in the very next answer, though another gives it."""
    shelf = filled(tmp_path / "shelf")
    gate = threading.Event()
    with two_workers(shelf, tmp_path, HttpConfig(rate_loopback=0)) as lives:
        recommend = lives[0].engine.recommend

        def stuck(user: str, **named: Any) -> Any:
            if user == "slow":
                gate.wait(10)
            return recommend(user, **named)

        monkeypatch.setattr(lives[0].engine, "recommend", stuck)
        with ThreadPoolExecutor(2) as crowd, lives[0].client() as client:
            for round_ in range(6):
                gate.clear()
                behind = crowd.submit(client.get, "/v1/recommend/slow?k=1")
                eventually(lambda: lives[0].reception.answers.inside == 1)
                event = {"user_id": "new", "item_id": f"w{1 + round_ % 3}", "event": "click"}
                assert client.post("/v1/events", json=event).status_code == 200
                slate = client.get("/v1/recommend/new?k=5").json()
                shown = {one["item_id"] for one in slate["recommendations"]}
                assert event["item_id"] not in shown, (round_, shown)
                gate.set()
                assert behind.result().status_code == 200
            text = client.get("/metrics").text
        shared = float(text.split("penchant_answers_shared_total ")[-1].split()[0])
        assert shared >= 4


@pytest.mark.service
def test_a_worker_that_is_stopped_keeps_no_other_waiting(tmp_path: Path) -> None:
    shelf = filled(tmp_path / "shelf")
    with Service(shelf, workers=2) as service:
        held = [service.connect() for _ in range(8)]
        for one in held:
            assert service.ask("/v1/recommend/ann?k=3", connection=one)[0] == 200
        with ThreadPoolExecutor(8) as crowd:

            def ask(one: Any) -> int:
                return service.ask("/v1/recommend/ann?k=3", connection=one)[0]

            for _ in range(5):
                assert set(crowd.map(ask, held)) == {200}
            stopped = service.workers[0]
            os.kill(stopped, signal.SIGSTOP)
            try:
                began = time.monotonic()
                # New connections: those of the one that stands still stand still.
                fresh = [service.connect() for _ in range(8)]
                assert set(crowd.map(ask, fresh)) == {200}
                for one in fresh:
                    one.close()
                assert time.monotonic() - began < 10
            finally:
                os.kill(stopped, signal.SIGCONT)
            assert set(crowd.map(ask, held)) == {200}
            for one in held:
                one.close()
        eventually(lambda: service.ask("/health/ready")[0] == 200)
