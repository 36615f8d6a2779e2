"""A generator within its budget, and left alone while it fails; by a clock that the test holds."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from penchant.language.generator.breaker import Breaker
from penchant.language.generator.budget import Budget
from penchant.language.generator.generator import AnswerRefused, Generated, GeneratorFailed
from penchant.language.generator.guarded import Guarded, NotAsked
from penchant.language.generator.prompt import Prompt, read_prompt
from penchant.types import InvalidInput

PROMPT = read_prompt("name: a\nversion: 1\n---\nb\n---\nc")


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


class Answer(BaseModel):
    text: str = "hello"


class Scripted:
    """Fails, refuses and answers as it is told to; a real one is asked in `test_endpoint`."""

    id = "small at nowhere"
    closed = False

    def __init__(self, clock: Clock, *becomes: str) -> None:
        self.clock, self.becomes, self.asked = clock, list(becomes), 0

    def generate(self, prompt: Prompt, schema: type[Any], deadline: float) -> Generated[Any]:
        self.asked += 1
        self.clock.now += 2
        became = self.becomes.pop(0) if self.becomes else ""
        if became == "broken":
            raise RuntimeError("a bug")
        if became == "failed":
            raise GeneratorFailed("down", 10)
        if became == "refused":
            raise AnswerRefused("wrong", 30)
        return Generated(schema(), 60, 40, 2.0)

    def close(self) -> None:
        self.closed = True


def ask(generator: Guarded) -> str:
    return generator.generate(PROMPT, Answer, 10).value.text


def test_calls_tokens_and_seconds_have_limits() -> None:
    for limits, most in (({"calls": 3}, 3), ({"tokens": 250}, 3), ({"seconds": 5}, 3), ({}, 9)):
        clock = Clock()
        inner = Scripted(clock)
        guarded = Guarded(inner, Budget(**limits, clock=clock), clock=clock)
        for _ in range(min(most, 9)):
            assert guarded.wait() == 0
            assert ask(guarded) == "hello"
        if not limits:
            continue
        wait = guarded.wait()
        assert 3_500 < wait < 3_700
        with pytest.raises(NotAsked, match="its budget is spent") as told:
            ask(guarded)
        assert told.value.wait == wait
        assert inner.asked == most
        clock.now += wait - 1
        assert guarded.wait() > 0
        clock.now += 1
        assert guarded.wait() == 0
        ask(guarded)
        assert guarded.state()["withheld"] == 1


def test_room_comes_back_as_the_window_moves() -> None:
    clock = Clock()
    budget = Budget(calls=2, window=60.0, clock=clock)
    assert budget.take() == 0
    clock.now += 30
    assert budget.take() == 0
    wait = budget.take()
    assert 29 <= wait <= 31  # the first leaves the window, not both
    clock.now += wait
    assert budget.take() == 0
    assert budget.take() > 25
    assert budget.state()["calls"] == 2


@given(st.lists(st.tuples(st.floats(0, 40), st.booleans()), max_size=60))
def test_never_more_than_the_budget_in_any_window(steps: list[tuple[float, bool]]) -> None:
    clock, times = Clock(), []
    budget = Budget(calls=3, window=60.0, clock=clock)
    for gap, patient in steps:
        clock.now += gap
        wait = budget.take()
        if wait and patient:
            clock.now += wait
            assert budget.take() == 0  # there is room when it said that there would be
            times.append(clock.now)
        elif not wait:
            times.append(clock.now)
    for start in times:
        assert sum(start <= one < start + 60 for one in times) <= 3


@pytest.mark.parametrize("limit", [0, -1, float("nan")])
def test_a_budget_of_nothing_is_a_mistake(limit: float) -> None:
    with pytest.raises(InvalidInput, match="above 0"):
        Budget(seconds=limit)
    with pytest.raises(InvalidInput):
        Breaker(failures=0)


def test_failures_in_a_row_lead_to_growing_pauses() -> None:
    clock = Clock()
    inner = Scripted(clock, *["failed", "refused"] * 4)
    breaker = Breaker(3, 10.0, 35.0, clock=clock)
    guarded = Guarded(inner, Budget(clock=clock), breaker, clock=clock)
    for _ in range(3):
        with pytest.raises((GeneratorFailed, AnswerRefused)):
            ask(guarded)
    for pause in (10, 20, 35, 35):
        assert guarded.wait() == pause
        with pytest.raises(NotAsked, match="failed too often"):
            ask(guarded)
        clock.now += pause
        with pytest.raises((GeneratorFailed, AnswerRefused)):
            ask(guarded)
    clock.now += 35
    inner.becomes = []
    assert ask(guarded) == "hello"
    assert guarded.wait() == 0
    assert guarded.state() == {
        **{"asked": 8, "failed": 4, "refused": 3, "withheld": 4},
        **{"tokens": 4 * 10 + 3 * 30 + 100, "seconds": 16.0, "in_a_row": 0, "wait": 0.0},
    }


def test_what_nobody_expected_is_a_failure_too() -> None:
    clock = Clock()
    guarded = Guarded(Scripted(clock, "broken"), Budget(), Breaker(1, clock=clock), clock=clock)
    with pytest.raises(RuntimeError):
        ask(guarded)
    with pytest.raises(NotAsked):
        ask(guarded)


def test_one_failure_among_answers_is_none_in_a_row() -> None:
    clock = Clock()
    inner = Scripted(clock, *["failed", "failed", ""] * 5)
    guarded = Guarded(inner, Budget(clock=clock), Breaker(3, clock=clock), clock=clock)
    for number in range(15):
        if number % 3 == 2:
            ask(guarded)
        else:
            with pytest.raises(GeneratorFailed):
                ask(guarded)


def test_after_a_pause_one_tries_and_the_others_wait() -> None:
    clock, release = Clock(), threading.Event()
    entered = threading.Event()

    class Slow(Scripted):
        def generate(self, *asked: Any) -> Generated[Any]:
            entered.set()
            release.wait(30)
            return super().generate(*asked)

    inner = Scripted(clock, "failed")
    guarded = Guarded(inner, Budget(clock=clock), Breaker(1, 10.0, clock=clock), clock=clock)
    with pytest.raises(GeneratorFailed):
        ask(guarded)
    clock.now += 10
    guarded._generator = Slow(clock)
    first = threading.Thread(target=ask, args=(guarded,))
    first.start()
    assert entered.wait(30)
    with pytest.raises(NotAsked):
        ask(guarded)
    release.set()
    first.join()
    assert ask(guarded) == "hello"
    guarded.close()
    assert (guarded.id, guarded._generator.closed) == ("small at nowhere", True)


def test_many_threads_take_no_more_than_there_is() -> None:
    budget, taken = Budget(calls=100), []

    def run() -> None:
        for _ in range(50):
            if not budget.take():
                taken.append(1)
            budget.spend(1, 0.1)

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == 100
    assert budget.state()["tokens"] == 400
