"""What people wanted before a moment is the same, read from the log or looked up at hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from penchant.engine import Engine
from penchant.ingest.kinds import Kinds
from penchant.interests.history import wanted_before
from penchant.rank.answer.pasts import Past, Pasts
from penchant.store.log import Events
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
    return Events(
        **{
            name: getattr(events, name)[keep]
            for name in ("offsets", "users", "items", "times", "kinds", "values", "shared")
        },
        texts=(),
        contexts=(),
        kind_names=events.kind_names,
    )


def test_all_at_hand_is_what_the_log_says(store: Store) -> None:
    reading = Reading(store)
    pasts = Pasts(reading)
    found = 0
    with pasts.remembered(wanted(store)):
        for user in range(7):  # the last one is nobody
            for now in (NOW - 1, NOW, NOW + 17 * 3600, NOW + 59 * 3600, NOW + 1e6):
                expected = wanted_before(store.log, reading.kinds, user, now)
                for offset in (10**9, 200):
                    items, times = pasts(user, now, offset)
                    found += len(items)
                    known = expected[2] <= offset
                    np.testing.assert_array_equal(items, expected[0][known])
                    np.testing.assert_array_equal(times, expected[1][known])
    assert reading.count == 0
    assert found > 100


def test_the_log_is_asked_once_while_events_are_folded_and_anew_after(store: Store) -> None:
    reading = Reading(store)
    pasts = Pasts(reading)
    with pasts.remembered():
        pasts(1, NOW + 30, 400)
        pasts(1, NOW + 30, 300)
        assert reading.count == 1
        pasts(1, NOW + 31, 400)
        assert reading.count == 2
    pasts(1, NOW + 30, 400)
    pasts(1, NOW + 30, 400)
    assert reading.count == 4


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
