"""The known answers of the tiny world are the answers: counted here by the plainest means."""

from __future__ import annotations

from collections import Counter, defaultdict

import world


def test_everything_named_exists() -> None:
    events = world.events()
    assert events["event_id"].is_unique().all()
    assert set(events["item_id"]) == set(world.ITEMS) - {"cold"}
    assert set(events["user_id"]) == set(world.users()["user_id"]) - {"jo"}
    assert set(world.items()["item_id"]) == {*world.WESTERNS, *world.SPACE, "cold"}
    assert events["timestamp"].is_sorted()
    assert events["timestamp"].min() == world.START
    assert events["timestamp"].max() < world.NOW  # type: ignore[operator]
    # One order of time for each person, and so one right answer.
    assert not events.select("user_id", "timestamp").is_duplicated().any()


def test_histories_read_back_from_the_events() -> None:
    read = defaultdict(list)
    for user_id, item_id in world.events().select("user_id", "item_id").iter_rows():
        read[user_id].append(item_id)
    assert {u: tuple(items) for u, items in read.items()} == {
        u: items for u, items in world.HISTORIES.items() if items
    }


def test_missing_is_the_rest_of_the_group() -> None:
    for user_id, missing in world.MISSING.items():
        had = set(world.HISTORIES[user_id])
        group = set(world.WESTERNS if had <= set(world.WESTERNS) else world.SPACE)
        assert had | missing == group
        assert not had & missing
    assert set(world.HISTORIES) - set(world.MISSING) == {"ivy", "jo"}


def test_popular_is_by_number_of_events() -> None:
    counts = Counter(world.events()["item_id"])
    by_count = defaultdict(set)
    for item_id in world.ITEMS:
        by_count[counts[item_id]].add(item_id)
    assert [by_count[n] for n in sorted(by_count, reverse=True)] == [set(p) for p in world.POPULAR]


def test_what_follows_follows_always_and_within_a_minute() -> None:
    times = defaultdict(dict)
    for user_id, item_id, time in (
        world.events().select("user_id", "item_id", "timestamp").iter_rows()
    ):
        times[item_id][user_id] = time
    for first, second in world.FOLLOWS.items():
        assert set(times[first]) == set(times[second])
        assert all(times[second][u] - times[first][u] == 60 for u in times[first])
