"""Moments against plain counting, whatever part of the past is summed up already."""

from __future__ import annotations

from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from numbered import DAY, NOW
from penchant.recall import popularity as module
from penchant.recall.moment import Counted, Moment
from penchant.recall.popularity import HALF_LIVES, Popularity

N = 7
HOURS = st.integers(-30_000, 30_000)
EVENTS = st.lists(st.tuples(st.integers(0, N - 1), HOURS), max_size=40)
CUTS = st.sampled_from([(0, 0), (3, 1), (10, 4), (10**6, 10**6)])
"""How many events may wait to be summed up, and how many stay behind when they are."""

LONG = len(HALF_LIVES) - 1


def fold(popularity: Popularity, events: list[tuple[int, int]]) -> None:
    items = np.array([item for item, _ in events], dtype=np.int32)
    popularity.fold(items, NOW + 3600.0 * np.array([hour for _, hour in events], dtype=np.float64))


def plainly(events: list[tuple[int, int]], hour: int) -> np.ndarray:
    out = np.zeros((len(HALF_LIVES), N))
    for item, when in events:
        if when <= hour:
            out[:, item] += [0.5 ** (3600.0 * (hour - when) / life) for life in HALF_LIVES]
    return out.astype(np.float32)


def moments(events, reads, cuts) -> list[tuple[Moment, np.ndarray, int]]:
    """Return moments read while events come in between, and the counts they should show."""
    late, lag = cuts
    popularity, known, out = Popularity(), [], []
    with patch.multiple(module, _LATE=late, _LAG=lag):
        for n, hour in enumerate(reads):
            part = events[n * len(events) // len(reads) : (n + 1) * len(events) // len(reads)]
            fold(popularity, part)
            known += part
            moment = popularity.moment(NOW + 3600.0 * hour, N)
            out.append((moment, plainly(known, hour), hour))
    return out


@settings(max_examples=300, deadline=None)
@given(EVENTS, st.lists(HOURS, min_size=1, max_size=6), CUTS)
def test_counts_are_those_of_the_events_by_then(events, reads, cuts) -> None:
    items = np.array([3, 0, N - 1, 3], dtype=np.int32)
    for moment, want, _ in moments(events, reads, cuts):
        for row in range(len(HALF_LIVES)):
            np.testing.assert_allclose(moment.row(row), want[row], rtol=1e-5, atol=1e-30)
        np.testing.assert_allclose(moment.counts(items), want[:, items], rtol=1e-5, atol=1e-30)


@settings(max_examples=300, deadline=None)
@given(EVENTS, st.lists(HOURS, min_size=1, max_size=6), CUTS)
def test_ranks_count_what_is_higher(events, reads, cuts) -> None:
    everything = np.arange(N, dtype=np.int32)
    for moment, want, _ in moments(events, reads, cuts):
        for row in range(len(HALF_LIVES)):
            above = moment.above(row, everything)
            # Counts that differ by rounding are equal, and the smallest ones are as good as none.
            mine, others = want[row][:, None], want[row][None]
            surely = (others > np.maximum(mine * (1 + 1e-6), 1e-40)).sum(axis=1)
            perhaps = ((others > 0) & (others > mine * (1 - 1e-6) - 1e-40)).sum(axis=1)
            assert (above >= surely).all()
            assert (above <= perhaps).all()


@settings(max_examples=300, deadline=None)
@given(
    EVENTS, st.lists(HOURS, min_size=1, max_size=6), CUTS, st.integers(1, N), st.integers(0, 127)
)
def test_the_best_are_what_sorting_finds(events, reads, cuts, k, bits) -> None:
    allowed = np.array([bits >> i & 1 for i in range(N)], dtype=np.bool_)
    for moment, want, _ in moments(events, reads, cuts):
        for row in range(len(HALF_LIVES)):
            best = Counted(moment, row).top(k, allowed)
            counts = want[row]
            assert len(best) == len(set(best.tolist()))
            assert allowed[best].all()
            # The smallest numbers there are may or may not be rounded to nothing.
            surely, perhaps = (int((allowed & (counts > least)).sum()) for least in (1e-40, -1.0))
            assert min(k, surely) <= len(best) <= min(k, perhaps)
            want_values = np.sort(counts[allowed])[::-1][: len(best)]
            np.testing.assert_allclose(counts[best], want_values, rtol=1e-4, atol=1e-30)


@settings(max_examples=200, deadline=None)
@given(EVENTS, st.lists(HOURS, min_size=1, max_size=4), CUTS, st.sampled_from([0.5, 1.5, 4.5]))
def test_rare_items_were_wanted_less_than_so_often(events, reads, cuts, few) -> None:
    for moment, want, _ in moments(events, reads, cuts):
        close = np.abs(want[LONG] - few) < 1e-5
        rare = moment.rare(few)
        np.testing.assert_array_equal(rare[~close], (want[LONG] < few)[~close])


@settings(max_examples=200, deadline=None)
@given(EVENTS, st.lists(HOURS, min_size=1, max_size=4), CUTS)
def test_first_and_last_are_the_times_of_events(events, reads, cuts) -> None:
    part = [len(events) * (n + 1) // len(reads) for n in range(len(reads))]
    items = np.arange(N, dtype=np.int32)
    for (moment, _, hour), known in zip(moments(events, reads, cuts), part, strict=True):
        seen: dict[int, list[float]] = {}
        for item, when in events[:known]:
            if when <= hour:
                seen.setdefault(item, []).append(NOW + 3600.0 * when)
        first = [min(seen.get(i, [np.inf])) for i in range(N)]
        last = [max(seen.get(i, [-np.inf])) for i in range(N)]
        assert moment.first(items).tolist() == first
        assert moment.last(items).tolist() == last
        # Asked once more: answers belong to the caller.
        moment.first(items)[:] = 0.0
        assert moment.first(items).tolist() == first


def test_what_is_counted_is_an_opinion_and_the_rest_is_none() -> None:
    popularity = Popularity()
    fold(popularity, [(2, 0), (2, -24), (5, 0)])
    found = Counted(popularity.moment(NOW, N), HALF_LIVES.index(DAY))
    values = found.values
    assert np.flatnonzero(np.isfinite(values)).tolist() == [2, 5]
    assert values[[2, 5]] == pytest.approx(np.log1p([1.5, 1.0]), rel=1e-6)
    wanted = np.array([5, 0, 2, N + 3], dtype=np.int32)
    np.testing.assert_allclose(found.at(wanted), [*values[[5, 0, 2]], np.nan])
    assert found.top(1, None).tolist() == [2]


def test_many_items_and_events_in_steps() -> None:
    """Large enough that sums, orders and moments are all kept from one question to the next."""
    rng = np.random.default_rng(0)
    n, popularity = 400, Popularity()
    items = (n * rng.random(6000) ** 3).astype(np.int32)
    times = NOW + np.sort(rng.integers(0, 90 * 86_400, 6000)).astype(np.float64)
    for end in range(500, 6001, 500):
        popularity.fold(items[end - 500 : end], times[end - 500 : end])
        now = float(times[end - 1]) + 60.0
        moment = popularity.moment(now, n)
        fresh = Popularity(items[:end], times[:end]).moment(now, n)
        for row in range(len(HALF_LIVES)):
            np.testing.assert_allclose(moment.row(row), fresh.row(row), rtol=1e-5, atol=1e-12)
            counts = moment.row(row)
            best = moment.top(row, 20, None)
            np.testing.assert_allclose(counts[best], np.sort(counts)[::-1][:20], rtol=1e-5)
            above = moment.above(row, best)
            assert np.abs(above - np.arange(20)).max() <= (counts == counts[best[-1]]).sum() + 2
        assert popularity.moment(now, n) is moment
