"""Decayed counts are exact at any moment, whatever was read before and in whatever order."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from numbered import DAY, NOW
from penchant.recall.popularity import HALF_LIVES, Popularity

N = 5
MOMENTS = st.integers(-40_000, 40_000).map(lambda hours: NOW + 3600.0 * hours)  # nine years
EVENTS = st.lists(st.tuples(st.integers(0, N - 1), MOMENTS), max_size=25)
READS = st.lists(MOMENTS, min_size=1, max_size=6)


def plainly(events: list[tuple[int, float]], now: float) -> np.ndarray:
    out = np.zeros((len(HALF_LIVES), N))
    for item, time in events:
        if time <= now:
            out[:, item] += [0.5 ** ((now - time) / life) for life in HALF_LIVES]
    return out


def columns(events: list[tuple[int, float]]) -> tuple[np.ndarray, np.ndarray]:
    return (
        np.array([item for item, _ in events], dtype=np.int32),
        np.array([time for _, time in events], dtype=np.float64),
    )


def check(popularity: Popularity, events: list[tuple[int, float]], now: float) -> None:
    np.testing.assert_allclose(popularity.at(now, N), plainly(events, now), rtol=1e-5, atol=1e-30)
    past = [(item, time) for item, time in events if time <= now]
    first, last = popularity.first_seen(now, N), popularity.last_seen(now, N)
    for item in range(N):
        times = [time for other, time in past if other == item]
        assert first[item] == min(times, default=np.inf)
        assert last[item] == max(times, default=-np.inf)


@settings(max_examples=200, deadline=None)
@given(EVENTS, READS)
def test_any_moment_may_be_asked_for_in_any_order(events, reads) -> None:
    popularity = Popularity(*columns(events))
    for now in reads:
        check(popularity, events, now)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(EVENTS, READS), min_size=1, max_size=4))
def test_events_may_come_late_between_reads(batches) -> None:
    popularity, known = Popularity(), []
    for events, reads in batches:
        popularity.fold(*columns(events))
        known += events
        for now in reads:
            check(popularity, known, now)


def test_decades_of_events_one_at_a_time() -> None:
    """Sums are scaled back now and then, and nothing overflows or is lost on the way."""
    events = [(n % N, NOW + n * 97 * DAY) for n in range(200)]  # 53 years
    popularity, known = Popularity(), []
    for item, time in events:
        popularity.fold(*columns([(item, time)]))
        known.append((item, time))
        check(popularity, known, time + DAY)
    check(popularity, known, events[20][1])
    check(popularity, known, events[-1][1] + 400 * 365 * DAY)


def test_a_century_between_two_events() -> None:
    events = [(0, NOW), (1, NOW + 36_500 * DAY), (0, NOW + 36_501 * DAY)]
    popularity = Popularity(*columns(events[:1]))
    check(popularity, events[:1], NOW)
    popularity.fold(*columns(events[1:]))
    check(popularity, events, NOW + 36_502 * DAY)
    check(popularity, events, NOW + DAY)


def test_before_the_first_event_nothing_was_popular() -> None:
    popularity = Popularity(*columns([(0, NOW)]))
    for now in (NOW + DAY, 0.0, -1e12, NOW - 1):
        check(popularity, [(0, NOW)], now)


def test_nothing_recorded_yet() -> None:
    popularity = Popularity()
    popularity.fold(*columns([]))
    assert popularity.at(NOW, 3).tolist() == np.zeros((len(HALF_LIVES), 3)).tolist()
    assert popularity.at(NOW, 0).shape == (len(HALF_LIVES), 0)
    assert popularity.first_seen(NOW, 2).tolist() == [np.inf, np.inf]


def test_the_catalogue_grows_while_it_is_read() -> None:
    """A reader with a smaller catalogue in hand does not lose the events of new items."""
    popularity = Popularity(*columns([(0, NOW)]))
    popularity.at(NOW, 1)
    popularity.fold(*columns([(4, NOW + 1), (0, NOW + 2)]))
    assert popularity.at(NOW + 2, 1).shape == (len(HALF_LIVES), 1)
    check(popularity, [(0, NOW), (4, NOW + 1), (0, NOW + 2)], NOW + 2)


def test_answers_belong_to_the_caller() -> None:
    popularity = Popularity(*columns([(0, NOW)]))
    for answer in (
        popularity.at(NOW, N),
        popularity.first_seen(NOW, N),
        popularity.last_seen(NOW, N),
    ):
        answer[:] = -7.0
    check(popularity, [(0, NOW)], NOW)


def test_one_day_halves_it_each_day() -> None:
    popularity = Popularity(*columns([(2, NOW)]))
    row = HALF_LIVES.index(DAY)
    for days in range(4):
        assert popularity.at(NOW + days * DAY, N)[row, 2] == pytest.approx(0.5**days)


def test_threads_read_while_one_records() -> None:
    popularity, wrong = Popularity(), []
    rng = np.random.default_rng(0)
    items = rng.integers(0, N, 400).astype(np.int32)
    times = NOW + 60.0 * np.arange(400)
    later = times[-1]
    done = threading.Event()

    def reader(seed: int) -> None:
        ask = np.random.default_rng(seed)
        while not done.is_set():
            now = float(ask.choice([NOW - 1, NOW + 60 * ask.integers(0, 400), later]))
            counts = popularity.at(now, N)
            ever = counts[-1]
            # Each event is worth at most 1, and every one up to now at least a half.
            if not np.isfinite(counts).all() or ever.sum() > 400 or (now < NOW and ever.any()):
                wrong.append((now, counts))

    readers = [threading.Thread(target=reader, args=(seed,)) for seed in range(3)]
    for thread in readers:
        thread.start()
    for n in range(400):
        popularity.fold(items[n : n + 1], times[n : n + 1])
    done.set()
    for thread in readers:
        thread.join()
    assert not wrong
    check(popularity, list(zip(items.tolist(), times.tolist(), strict=True)), later)
