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
    froms, tos, weights = (np.array(column) for column in zip(*rows, strict=True))
    pairs.add(froms.astype(np.int32), tos.astype(np.int32), weights, np.full(len(rows), at))


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


def test_older_pairs_lose_their_times_but_not_their_weight(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "MOST", 10)
    pairs, want = LivePairs(), np.zeros((N, N))
    for n in range(100):
        add(pairs, (n % N, (n + 1) % N, 1.0), at=float(n))
        want[n % N, (n + 1) % N] += 1
        np.testing.assert_allclose(weighed(pairs, 1000.0), want)
    # About a moment that is gone less is known than was known then, and never more.
    for now in range(100):
        assert weighed(pairs, float(now)).sum() <= now + 1
    assert weighed(pairs, 98.0).sum() == 99


def test_a_load_counts_from_its_newest_moment_on() -> None:
    pairs = LivePairs()
    add(pairs, (0, 1, 1.0), at=3.0)
    ends = np.array([1], dtype=np.int32), np.array([2], dtype=np.int32)
    pairs.load(SparseRows.from_pairs(*ends, np.array([5.0]), N), 10.0)
    add(pairs, (0, 3, 2.0), at=11.0)
    assert weighed(pairs, 9.0).sum() == 0
    assert weighed(pairs, 10.0)[[0, 1], [1, 2]].tolist() == [1.0, 5.0]
    assert weighed(pairs, 11.0).sum() == 8.0


def test_items_outside_the_catalogue_asked_about_are_left_out() -> None:
    pairs = LivePairs()
    add(pairs, (0, 4, 1.0), (0, 1, 1.0), at=0.0)
    pairs.load(
        SparseRows.from_pairs(*(np.array([v], dtype=np.int32) for v in (0, 4)), np.ones(1), 1), 0.0
    )
    assert weighed(pairs, 1.0, n=2).tolist() == [[0.0, 1.0]] + [[0.0, 0.0]] * 4
