"""The last days as columns: joined to the slates they name, and bounded however much is shown."""

from __future__ import annotations

import numpy as np
import pytest

from penchant.evaluate.watch import recent
from penchant.evaluate.watch.config import WatchConfig
from penchant.evaluate.watch.quality import Quality
from penchant.evaluate.watch.recent import Happened, Recent, Slates, nothing, slate_key, unshown


def shown(
    first: int, users: list[int], times: list[float], snapshot: str = "a", size: int = 3
) -> Slates:
    """Return slates with numbers from `first` on; slate n holds 10 n, 10 n + 1, ..."""
    n = len(users)
    numbers = np.arange(first, first + n)
    return Slates(
        numbers=numbers,
        keys=np.array([slate_key(f"s{number}") for number in numbers]),
        users=np.array(users, dtype=np.int32),
        times=np.array(times, dtype=np.float64),
        snapshots=np.zeros(n, dtype=np.int16),
        names=(snapshot,),
        starts=size * np.arange(n + 1),
        items=(10 * numbers[:, None] + np.arange(size)).reshape(-1).astype(np.int32),
        scores=np.ones(n, dtype=np.float32),
    )


def clicks(rows: list[tuple[int, int, float, str | None]]) -> Happened:
    """Return events (person, item, time, slate) as columns."""
    users, items, times, slates = zip(*rows, strict=True)
    n = len(rows)
    return Happened(
        offsets=np.arange(1, n + 1),
        users=np.array(users, dtype=np.int32),
        items=np.array(items, dtype=np.int32),
        times=np.array(times, dtype=np.float64),
        kinds=np.zeros(n, dtype=np.int16),
        wanted=np.ones(n, dtype=np.bool_),
        texts=np.zeros(n, dtype=np.bool_),
        slates=np.array([slate_key(one) if one else 0 for one in slates], dtype=np.int64),
    )


def rows_of(slates: Slates) -> list[tuple[int, int, str, list[int]]]:
    """Return number, person, snapshot and items of each slate."""
    parts = np.split(slates.items, slates.starts[1:-1]) if len(slates) else []
    return [
        (int(number), int(user), slates.names[code], part.tolist())
        for number, user, code, part in zip(
            slates.numbers, slates.users, slates.snapshots, parts, strict=True
        )
    ]


def test_slates_of_several_readings_stand_behind_each_other() -> None:
    held = Recent()
    held.add(nothing(), unshown())
    held.add(nothing(), shown(1, [7, 8], [10.0, 20.0], "b"))
    held.add(nothing(), shown(3, [7], [30.0], "a"))
    held.add(nothing(), shown(4, [9], [40.0], "b", size=2))
    assert rows_of(held.slates) == [
        (1, 7, "b", [10, 11, 12]),
        (2, 8, "b", [20, 21, 22]),
        (3, 7, "a", [30, 31, 32]),
        (4, 9, "b", [40, 41]),
    ]
    assert held.slates.of_snapshot("b").tolist() == [True, True, False, True]
    assert not held.slates.of_snapshot("c").any()
    held.forget(25.0)
    assert rows_of(held.slates) == [(3, 7, "a", [30, 31, 32]), (4, 9, "b", [40, 41])]


def test_an_event_counts_for_the_slate_it_names_and_else_for_the_last_one_before_it() -> None:
    slates = shown(1, [7, 7, 8, 7], [10.0, 20.0, 30.0, 90.0])
    events = clicks(
        [
            (7, 10, 50.0, "s1"),  # named, though another came between
            (7, 21, 51.0, None),  # the last before it
            (8, 5, 52.0, "gone"),  # a slate that nobody has
            (9, 5, 53.0, None),  # who was shown nothing
        ]
    )
    ranked, wanted, _ = Quality("shown", WatchConfig())._shown(events, slates)
    assert [(list(a), b) for a, b in zip(ranked, wanted, strict=True)] == [
        ([10, 11, 12], [10]),
        ([20, 21, 22], [21]),
        ([30, 31, 32], [5]),
    ]


def test_of_too_many_slates_all_of_some_people_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent, "SLATES", 1000)
    held, told = Recent(), 0
    for turn in range(40):
        users = [person if person % 10 else -1 for person in range(100)]
        held.add(nothing(), shown(told, users, [float(turn)] * 100))
        told += 100
        assert len(held.slates) <= 1000
    assert len(held.slates) > 200
    people, counts = np.unique(held.slates.users, return_counts=True)
    known = people >= 0
    assert set(counts[known].tolist()) == {40}
    assert 10 < known.sum() < 40
    # Nobody known is a person of their own each time.
    assert 40 < counts[~known].sum() < 160


def test_the_key_of_a_slate_is_a_number_that_is_not_none() -> None:
    keys = {slate_key(f"slate {n}") for n in range(1000)}
    assert len(keys) == 1000
    assert 0 not in keys
    assert min(keys) < 0 < max(keys)
    assert all(-(2**63) <= key < 2**63 for key in keys)
