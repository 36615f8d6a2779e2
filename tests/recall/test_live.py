"""Pairs counted live: exact for the present, and never from the future for the past."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from penchant.recall import live
from penchant.recall.live import LivePairs

N = 5
PAIRS = st.lists(
    st.tuples(st.integers(0, N - 1), st.integers(0, N - 1), st.integers(1, 4), st.integers(0, 50)),
    max_size=40,
)


def add(pairs: LivePairs, *rows: tuple[int, int, float], at: float) -> None:
    pairs.add([(*row, at) for row in rows])


def weighed(pairs: LivePairs, now: float, n: int = N) -> np.ndarray:
    out = np.zeros((N, n), dtype=np.float32)
    for item in range(N):
        one = np.ones(1, dtype=np.float32)
        to, weights = pairs.entries(np.array([item], dtype=np.int32), one, now)
        np.add.at(out[item], to[to < n], weights[to < n])
    return out


@settings(max_examples=100, deadline=None)
@given(PAIRS, st.lists(st.integers(-1, 60), max_size=5))
def test_it_is_the_sum_of_what_was_seen_by_then(events, moments) -> None:
    pairs = LivePairs()
    for a, b, weight, time in events:
        add(pairs, (a, b, float(weight)), at=float(time))
    for now in [*moments, 60]:
        want = np.zeros((N, N))
        for a, b, weight, time in events:
            want[a, b] += weight * (time <= now)
        np.testing.assert_allclose(weighed(pairs, float(now)), want, rtol=1e-5)


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows of ten pairs are long."""
    monkeypatch.setattr(live, "MOST", 10)
    monkeypatch.setattr(live, "TIMED", 3)
    monkeypatch.setattr(live, "SUMMED", 4)


@pytest.mark.usefixtures("short")
def test_older_pairs_lose_their_times_but_not_their_weight() -> None:
    pairs, want = LivePairs(), np.zeros((N, N))
    for n in range(100):
        add(pairs, (n % N, (n * n) % N, 1.0), at=float(n))
        want[n % N, (n * n) % N] += 1
        np.testing.assert_allclose(weighed(pairs, 1000.0), want)
    # About a moment that is gone less is known than was known then, and never more.
    for now in range(100):
        assert weighed(pairs, float(now)).sum() <= now + 1
    assert weighed(pairs, 98.0).sum() == 99


@pytest.mark.usefixtures("short")
def test_a_pair_from_the_future_hides_nothing_else() -> None:
    pairs = LivePairs()
    for n in range(100):
        add(pairs, (0, 1, 1.0), at=1e9 if n == 0 else float(n))
    assert weighed(pairs, 200.0)[0, 1] == 99
    assert weighed(pairs, 1e9)[0, 1] == 100


@pytest.mark.usefixtures("short")
def test_an_item_leads_to_the_most_likely_of_what_many_chose_after_it() -> None:
    pairs = LivePairs()
    for n in range(1000):
        add(pairs, (0, n % 3 if n % 2 else n, 1.0), at=float(n))
    to, weights = pairs.entries(np.zeros(1, np.int32), np.ones(1, np.float32), 1e9)
    assert len(to) < live.MOST
    total = np.bincount(to, weights=weights)
    np.testing.assert_allclose(total[:3], [167, 167, 167], atol=2)


def told(pairs: LivePairs, rows: list[tuple[int, int, float, float]]) -> None:
    """Tell of pairs as columns, as of a long tail."""
    froms, tos, weights, times = np.array(rows).T
    pairs.add_many(froms.astype(np.int32), tos.astype(np.int32), weights, times)


@pytest.mark.usefixtures("short")
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.lists(st.integers(0, 400), max_size=6))
def test_what_is_known_does_not_depend_on_how_it_was_told(
    seed: int, n: int, cuts: list[int]
) -> None:
    """To the last bit: a process that starts now answers as one that followed every event."""
    rng = np.random.default_rng(seed)
    rows = [
        (int(a), int(b), float(w), float(t))
        for a, b, w, t in zip(
            *rng.integers(0, n, (2, 400)), rng.random(400), rng.random(400), strict=True
        )
    ]
    one, parts, columns, mixed = LivePairs(), LivePairs(), LivePairs(), LivePairs()
    for row in rows:
        one.add([row])
    told(columns, rows)
    for turn, (begin, end) in enumerate(itertools.pairwise(sorted({0, len(rows), *cuts}))):
        parts.add(rows[begin:end])
        if turn % 2:
            mixed.add(rows[begin:end])
        else:
            told(mixed, rows[begin:end])
    for now in (0.3, 0.7, 1.0):
        for other in (parts, columns, mixed):
            for item in range(n):
                ask = np.array([item], dtype=np.int32), np.ones(1, dtype=np.float32), now
                for want, found in zip(one.entries(*ask), other.entries(*ask), strict=True):
                    np.testing.assert_array_equal(found, want)


def test_no_pairs_at_once_are_none() -> None:
    pairs = LivePairs()
    told(pairs, [(0, 1, 1.0, 2.0)])
    pairs.add_many(*(np.zeros(0, np.int32),) * 2, *(np.zeros(0),) * 2)
    assert weighed(pairs, 2.0).sum() == 1
