"""When things are due: clocks that jump, restarts that follow each other, pauses that grow."""

from __future__ import annotations

import pytest

from penchant.serve.service.config import ServiceConfig, duration
from penchant.serve.service.pauses import Pauses
from penchant.serve.service.schedule import Schedule
from penchant.types import InvalidInput


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_it_is_due_once_an_interval() -> None:
    clock = Clock()
    schedule = Schedule(60.0, clock=clock)
    assert not schedule.due()
    clock.now += 59.9
    assert not schedule.due()
    clock.now += 0.1
    assert schedule.due()
    schedule.begun()
    assert not schedule.due()
    clock.now += 600  # it took ten intervals: that is one training, not ten
    assert schedule.due()
    schedule.begun()
    assert schedule.left() == 60.0


@pytest.mark.parametrize(
    ("ago", "left"),
    [
        (None, 3600.0),  # never trained
        (600.0, 3000.0),
        (3600.0, 60.0),  # due while nobody served: soon, but not at every restart at once
        (1e12, 60.0),  # the wall clock jumped ahead
        (-1e12, 3600.0),  # and back
    ],
)
def test_after_a_restart_it_goes_by_what_is_known(ago: float | None, left: float) -> None:
    assert Schedule(3600.0, ago, least=60.0, clock=Clock()).left() == left


def test_never_is_never() -> None:
    schedule = Schedule(0.0, 1e9, clock=Clock())
    assert schedule.left() is None
    assert not schedule.due()


def test_a_short_interval_is_not_made_longer_by_a_start() -> None:
    assert Schedule(2.0, None, least=60.0, clock=Clock()).left() == 2.0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("", 0.0),
        ("90s", 90.0),
        ("30m", 1800.0),
        (" 6H ", 21_600.0),
        ("1d", 86_400.0),
        ("1.5 w", 907_200.0),
    ],
)
def test_times_in_words(text: str, seconds: float) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize("text", ["6", "h", "-1h", "6 hours", "0s", "nan s"])
def test_times_that_are_none(text: str) -> None:
    with pytest.raises(InvalidInput, match="expected"):
        duration(text)
    with pytest.raises(InvalidInput):
        ServiceConfig(learn_every=text)


def test_pauses_grow_until_something_lives() -> None:
    pauses = Pauses()
    short = [pauses.after(0.5) for _ in range(12)]
    assert short[:4] == [0.1, 0.2, 0.4, 0.8]
    assert short[-1] == 30.0
    assert pauses.after(61.0) == 0.1
