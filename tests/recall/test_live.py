"""Pairs counted live: exact for the present, and never from the future for the past."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penchant.recall import live
from penchant.recall.live import LivePairs
from penchant.recall.sparse import SparseRows

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


@pytest.mark.usefixtures("short")
def test_what_is_known_does_not_depend_on_how_it_was_told() -> None:
    rng = np.random.default_rng(0)
    rows = [
        (int(a), int(b), float(w), float(t))
        for a, b, w, t in zip(
            *rng.integers(0, N, (2, 300)), rng.random(300), rng.random(300), strict=True
        )
    ]
    one, other = LivePairs(), LivePairs()
    for row in rows:
        one.add([row])
    other.add(rows[:7])
    other.add(rows[7:])
    for now in (0.3, 0.7, 1.0):
        np.testing.assert_array_equal(weighed(one, now), weighed(other, now))


def test_many_loads_are_few_tables() -> None:
    rng = np.random.default_rng(0)
    pairs, want = LivePairs(), np.zeros((N, N))
    for n in range(40):
        a, b = rng.integers(0, N, (2, 6)).astype(np.int32)
        pairs.load(SparseRows.from_pairs(a, b, np.ones(6), int(a.max()) + 1), float(n))
        np.add.at(want, (a, b), 1.0)
    np.testing.assert_allclose(weighed(pairs, 40.0), want)
    assert len(pairs._loads) < 6


def test_a_load_counts_from_its_newest_moment_on() -> None:
    pairs = LivePairs()
    add(pairs, (0, 1, 1.0), at=3.0)
    ends = np.array([1], dtype=np.int32), np.array([2], dtype=np.int32)
    pairs.load(SparseRows.from_pairs(*ends, np.array([5.0]), N), 10.0)
    add(pairs, (0, 3, 2.0), at=11.0)
    assert weighed(pairs, 2.0).sum() == 0
    assert weighed(pairs, 9.0)[[0, 1], [1, 2]].tolist() == [1.0, 0.0]
    assert weighed(pairs, 10.0)[[0, 1], [1, 2]].tolist() == [1.0, 5.0]
    assert weighed(pairs, 11.0).sum() == 8.0


def test_items_outside_the_catalogue_asked_about_are_left_out() -> None:
    pairs = LivePairs()
    add(pairs, (0, 4, 1.0), (0, 1, 1.0), at=0.0)
    pairs.load(
        SparseRows.from_pairs(*(np.array([v], dtype=np.int32) for v in (0, 4)), np.ones(1), 1), 0.0
    )
    assert weighed(pairs, 1.0, n=2).tolist() == [[0.0, 1.0]] + [[0.0, 0.0]] * 4
