"""Pairs of new events: from one look at what each person wanted before, for both counts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from numbered import DAY, NOW, Diary, tail
from penchant.recall import pairing
from penchant.recall.pairing import WINDOW, Pairing


class Asked(Diary):
    """Counts how often somebody's past was asked for."""

    count = 0

    def recent(self, user: int, now: float, offset: int):
        self.count += 1
        return super().recent(user, now, offset)


def test_pairs_counted_by_hand() -> None:
    diary = Diary()
    make = Pairing(diary.recent)
    events = diary.add(
        tail([7, 7, 7, 7, 8], [1, 2, 3, 3, 9], [NOW, NOW, NOW + DAY, NOW + 2 * DAY, NOW])
    )
    assert make(events, together=True).pairs == [(1, 2, 1.0, NOW), (2, 1, 1.0, NOW)]
    day, later = 2 ** (-1 / 7), 2 ** (-2 / 7)
    # The third event a step and two steps after the others, the fourth two and three: 3 after
    # itself is no news.
    expected = [
        (2, 3, day, NOW + DAY),
        (1, 3, day / 2**0.5, NOW + DAY),
        (2, 3, later / 2**0.5, NOW + 2 * DAY),
        (1, 3, later / 3**0.5, NOW + 2 * DAY),
    ]
    found = make(events, together=False).pairs
    assert [(a, b, t) for a, b, _, t in found] == [(a, b, t) for a, b, _, t in expected]
    assert [w for _, _, w, _ in found] == pytest.approx([w for _, _, w, _ in expected])


def test_one_look_serves_both_and_nothing_is_kept() -> None:
    diary = Asked()
    make = Pairing(diary.recent)
    for n in range(3):
        events = diary.add(tail([7], [n], [NOW + n], first=n))
        make(events, together=n % 2 == 0)
        make(events, together=n % 2 == 1)
        assert diary.count == n + 1
    assert make._made is None
    # Asked again for the same, it is made again.
    make(events, together=False)
    make(events, together=False)
    assert diary.count == 5


def test_what_was_taken_back_meanwhile_is_paired_with_all_before_it() -> None:
    diary = Diary()
    diary.add(tail([7], [1], [NOW - DAY]))
    gone = tail([7], [2], [NOW], first=1)
    assert [pair[:2] for pair in Pairing(diary.recent)(gone, together=False).pairs] == [(1, 2)]


def test_no_pairs_reach_further_back_than_the_window() -> None:
    n = 2 * WINDOW
    diary = Diary()
    events = diary.add(tail([7] * n, list(range(n)), (NOW + DAY * np.arange(n)).tolist()))
    pairs = Pairing(diary.recent)(events, together=False).pairs
    assert {(a, b) for a, b, *_ in pairs} == {
        (a, b) for a in range(n) for b in range(n) if 0 < b - a <= WINDOW
    }


@pytest.mark.parametrize("together", [False, True])
def test_a_long_tail_makes_the_same_pairs_in_the_same_order(
    together: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(1)
    n = 200
    diary = Diary()
    times = NOW + DAY * rng.integers(0, 20, n)
    events = tail(rng.integers(0, 9, n), rng.integers(0, 6, n), times.tolist())
    events = diary.add(replace(events, offsets=np.arange(1, n + 1)))
    single = Pairing(diary.recent)(events, together=together)
    monkeypatch.setattr(pairing, "BULK", 7)
    long = Pairing(diary.recent)(events, together=together)
    assert single.columns is None
    assert not long.pairs
    assert long.columns is not None
    assert len(single.pairs) > 50
    assert list(zip(*(column.tolist() for column in long.columns), strict=True)) == single.pairs
