"""What people change about their interests: a fold of the log, and what it does to a state."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from numbered import NOW, columns, names, state
from penchant.interests.adjustments import Adjustment, Adjustments, adjusted, adjusting, bearing
from penchant.interests.concepts import Concepts
from penchant.store.log import Events, wanted_events


def log(*told: tuple[int, str, str, float]) -> Events:
    """Return events (user, kind, text, time), offsets from 1."""
    n = len(told)
    kinds = tuple(dict.fromkeys(kind for _, kind, _, _ in told))
    base = wanted_events(
        np.arange(1, n + 1),
        np.array([user for user, _, _, _ in told], dtype=np.int32),
        np.full(n, -1, dtype=np.int32),
        np.array([time for _, _, _, time in told], dtype=np.float64),
    )
    return replace(
        base,
        kinds=np.array([kinds.index(kind) for _, kind, _, _ in told], dtype=np.int16),
        kind_names=kinds,
        texts=tuple(text for _, _, text, _ in told),
    )


TOLD = log(
    (1, "mute_interest", "western", 10.0),
    (1, "search", "western", 11.0),
    (2, "raise_interest", "space", 12.0),
    (1, "restore_interest", "Western ", 20.0),
    (1, "delete_interest", "space", 30.0),
)


def test_the_latest_word_counts_as_of_each_moment() -> None:
    found = Adjustments()
    found.fold(TOLD)
    assert found.of(1, 9.0) == {}
    assert found.of(1, 10.0) == {"western": Adjustment("western", "mute", 10.0)}
    assert found.of(1, 20.0) == {}
    assert found.of(1, 99.0) == {"space": Adjustment("space", "delete", 30.0)}
    assert found.of(2, 99.0)["space"].to == "raise"
    assert found.of(3, 99.0) == {}
    assert adjusting(TOLD).tolist() == [True, False, True, True, True]


def test_it_does_not_matter_how_the_log_is_cut() -> None:
    whole, pieces = Adjustments(), Adjustments()
    whole.fold(TOLD)
    for at in range(len(TOLD)):
        cut = slice(at, at + 1)
        pieces.fold(
            replace(
                TOLD,
                offsets=TOLD.offsets[cut],
                users=TOLD.users[cut],
                items=TOLD.items[cut],
                times=TOLD.times[cut],
                kinds=TOLD.kinds[cut],
                texts=TOLD.texts[cut],
            )
        )
    assert [whole.of(user, 99.0) for user in (1, 2)] == [pieces.of(user, 99.0) for user in (1, 2)]


def test_what_was_taken_back_is_as_if_it_had_not_been() -> None:
    found = Adjustments()
    found.fold(TOLD)
    found.replace(np.array([1, 2], dtype=np.int32), [log((1, "mute_interest", "noir", 1.0))])
    assert list(found.of(1, 99.0)) == ["noir"]
    assert found.of(2, 99.0) == {}
    found.clear()
    assert found.of(1, 99.0) == {}


@pytest.fixture(scope="module")
def concepts() -> Concepts:
    return Concepts(columns())


def change(to, since=NOW, name="western"):
    return {name: Adjustment(name, to, since)}


def test_what_is_muted_no_longer_counts_but_stays_seen(concepts: Concepts) -> None:
    before = state(["w1", "s1", "w2"])
    after = adjusted(before, change("mute"), concepts)
    assert names(after.items) == ["s1"]
    assert sorted(names(after.seen)) == sorted(names(before.seen))
    hidden = bearing(change("mute"), "mute", concepts)
    assert {name[0] for name in names(hidden)} == {"w", "c"}


def test_what_is_deleted_counts_again_when_it_is_wished_for_again(concepts: Concepts) -> None:
    times = [NOW - 30, NOW - 20, NOW - 10]
    after = adjusted(state(["w1", "s1", "w2"], times=times), change("delete", NOW - 15), concepts)
    assert names(after.items) == ["s1", "w2"]
    assert not len(bearing(change("delete"), "mute", concepts))


def test_what_is_raised_counts_threefold(concepts: Concepts) -> None:
    after = adjusted(state(["w1", "s1"]), change("raise"), concepts)
    assert after.strengths.tolist() == [3.0, 1.0]


def test_an_interest_that_no_longer_exists_changes_nothing(concepts: Concepts) -> None:
    before = state(["w1", "s1"])
    assert adjusted(before, change("mute", name="opera"), concepts) is before
    assert not len(bearing(change("mute", name="opera"), "mute", concepts))
