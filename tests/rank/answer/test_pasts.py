"""What people wanted before a moment is the same, read from the log or looked up at hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from penchant.engine import Engine
from penchant.ingest.kinds import Kinds
from penchant.interests.history import wanted_before
from penchant.rank.answer import pasts as pasts_file
from penchant.rank.answer.pasts import Past, Pasts
from penchant.recall.pairing import WINDOW
from penchant.store.log import Events, wanted_events
from penchant.store.open import Store, open_store
from penchant.store.tail import Position

NOW = 1_700_000_000.0


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Six people, events out of order, several at one moment, some unwanted."""
    folder = tmp_path_factory.mktemp("pasts")
    (folder / "penchant.toml").write_text('[encoder]\nmodel = "none"\n', encoding="utf-8")
    rng = np.random.default_rng(0)
    with Engine(folder) as engine:
        engine.record(
            [
                {
                    "user_id": f"u{rng.integers(6)}",
                    "item_id": f"i{rng.integers(40)}",
                    "event": rng.choice(["click", "purchase", "skip", "impression"]),
                    "timestamp": NOW + 3600.0 * float(rng.integers(60)),
                }
                for _ in range(400)
            ],
            now=NOW + 1e6,
        )
    with open_store(folder) as opened:
        yield opened


class Reading:
    """Reads from the log, and counts how often."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.kinds = Kinds.from_settings(store.settings)
        self.count = 0

    def __call__(self, user: int, now: float) -> Past:
        self.count += 1
        return wanted_before(self.store.log, self.kinds, user, now)


def wanted(store: Store) -> Events:
    events = store.tail(Position()).events
    kinds = Kinds.from_settings(store.settings)
    keep = kinds.wanted(events.kind_names, events.kinds, events.values) & (events.items >= 0)
    keep &= events.shared > 0
    return chosen(events, keep)


def chosen(events: Events, which: slice | np.ndarray) -> Events:
    names = ("offsets", "users", "items", "times")
    return wanted_events(*(getattr(events, name)[which] for name in names))


def newest(past: Past, offset: int) -> tuple[list[int], list[float]]:
    """Return the last of what was recorded up to an offset, as many as are asked for."""
    items, times, offsets = past
    known = offsets <= offset
    return items[known][-WINDOW - 1 :].tolist(), times[known][-WINDOW - 1 :].tolist()


def test_all_at_hand_is_what_the_log_says(store: Store) -> None:
    reading = Reading(store)
    pasts = Pasts(reading)
    found = 0
    with pasts.remembered(wanted(store)):
        for user in range(7):  # the last one is nobody
            for now in (NOW - 1, NOW, NOW + 17 * 3600, NOW + 59 * 3600, NOW + 1e6):
                expected = wanted_before(store.log, reading.kinds, user, now)
                for offset in (10**9, 200):
                    answer = pasts(user, now, offset)
                    found += len(answer[0])
                    assert answer == newest(expected, offset)
    assert reading.count == 0
    assert found > 100


@pytest.mark.parametrize("length", [1, 3, 50, 400])
@pytest.mark.parametrize("people", [1, 3, 10])
def test_what_is_kept_is_what_the_log_says(
    store: Store, length: int, people: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Out of order, in tails of any length, and when those who act are more than are kept."""
    monkeypatch.setattr(pasts_file, "PEOPLE", people)
    kinds = Kinds.from_settings(store.settings)
    reading = Reading(store)
    pasts = Pasts(reading)
    events = wanted(store)
    for start in range(0, len(events), length):
        part = chosen(events, slice(start, start + length))
        pasts.add(part)
        columns = (part.users, part.times, part.offsets)
        for user, now, offset in zip(*(column.tolist() for column in columns), strict=True):
            expected = newest(wanted_before(store.log, kinds, user, now), offset)
            assert pasts(user, now, offset) == expected
    assert len(pasts._known) == min(people, 6)


def test_the_log_is_read_once_for_who_goes_on_acting(tmp_path: Path) -> None:
    """Though it is long, and what happens reaches no further back than what is kept."""
    (tmp_path / "penchant.toml").write_text('[encoder]\nmodel = "none"\n', encoding="utf-8")
    with Engine(tmp_path) as engine:
        rows = [
            {"user_id": "ann", "item_id": f"i{n}", "event": "click", "timestamp": NOW + 3600 * n}
            for n in range(300)
        ]
        engine.record(rows[:100], now=NOW + 1e7)
        with open_store(tmp_path) as opened:
            reading = Reading(opened)
            pasts = Pasts(reading)
            known = chosen(wanted(opened), slice(99, 100))
            pasts(0, float(known.times[0]), int(known.offsets[0]))
            for row in rows[100:]:
                before = opened.log.last()
                engine.record(row, now=NOW + 1e7)
                late = chosen(wanted(opened), slice(-1, None))
                assert late.offsets[0] > before
                pasts.add(late)
                pasts.add(late)  # told twice by mistake: it happened once
                now, offset = float(late.times[0]), int(late.offsets[0])
                expected = wanted_before(opened.log, reading.kinds, 0, now)
                assert pasts(0, now, offset) == newest(expected, offset)
                assert len(pasts._known[0]._times) <= 4 * WINDOW + 1
            assert reading.count == 1
            # About long ago it is asked again.
            assert pasts(0, NOW + 72_000, 10**9) == newest(
                wanted_before(opened.log, reading.kinds, 0, NOW + 72_000), 10**9
            )
            assert reading.count == 2


def test_what_came_late_does_not_stand_before_what_is_not_kept(store: Store) -> None:
    """Between it and the oldest that is kept may lie others."""
    n = 100
    columns = (np.arange(n, dtype=np.int32), NOW + np.arange(n), np.arange(1, n + 1))
    asked = []

    def read(user: int, now: float) -> Past:
        asked.append(now)
        items, times, offsets = (column[columns[1] <= now] for column in columns)
        return items, times, offsets

    pasts = Pasts(read)
    pasts(0, NOW + n, n)
    old = wanted_events(*(np.array([v]) for v in (n + 1, 0, 77)), np.array([NOW + 3.5]))
    pasts.add(old)
    items, _ = pasts(0, NOW + n, n + 1)
    assert items == list(range(n - WINDOW - 1, n))
    asked.clear()
    pasts(0, NOW + 3.5, n + 1)
    assert asked == [NOW + 3.5]


def test_what_was_kept_is_dropped_with_what_was_taken_back(store: Store) -> None:
    reading = Reading(store)
    pasts = Pasts(reading)
    pasts(1, NOW + 1e6, 400)
    pasts(1, NOW + 1e6, 400)
    assert reading.count == 1
    with pasts.remembered(wanted(store)):
        pasts(1, NOW + 1e6, 400)
    assert reading.count == 1
    pasts(1, NOW + 1e6, 400)
    assert reading.count == 2


def test_what_is_remembered_ends_also_when_folding_fails(store: Store) -> None:
    reading = Reading(store)
    pasts = Pasts(reading)
    with pytest.raises(RuntimeError), pasts.remembered(wanted(store)):
        raise RuntimeError("a broken source")
    pasts(1, NOW, 400)
    assert reading.count == 1


def test_what_has_no_weight_for_others_is_no_past(tmp_path: Path) -> None:
    from store.frames import events

    row = {"user_id": "ann", "timestamp": 1_000_000, "event": "click"}
    with open_store(tmp_path / "store") as opened:
        opened.log.append(
            events(
                row | {"item_id": "a", "event_id": "1", "shared": 1.0},
                row | {"item_id": "b", "event_id": "2", "shared": 0.0},
                row | {"item_id": "c", "event_id": "3", "shared": 0.5},
            )
        )
        items, *_ = wanted_before(opened.log, Kinds.from_settings(opened.settings), 0, 9.0)
        assert items.tolist() == [0, 2]
