from __future__ import annotations

import time

import numpy as np
import polars as pl
import pytest

from penchant.evaluate.simulate import World, world
from penchant.types import InvalidInput


@pytest.fixture(scope="module")
def made() -> World:
    return world(n_users=2_000, n_items=3_000, n_events=100_000, seed=1)


def test_the_sizes_are_exact(made: World) -> None:
    assert (len(made.users), len(made.items), len(made.events)) == (2_000, 3_000, 100_000)
    assert set(made.events["item_id"]) <= set(made.items["item_id"])
    assert set(made.events["user_id"]) <= set(made.users["user_id"])
    assert made.events["timestamp"].is_sorted()
    assert made.items["title"].is_unique().all()
    assert made.items.null_count().sum_horizontal().item() == 0
    assert made.users["attributes"].str.contains("synthetic").all()
    assert made.category.shape == (3_000,)
    assert made.tastes.shape == (2_000, 3)


def test_the_same_seed_gives_the_same_world(made: World) -> None:
    again = world(n_users=2_000, n_items=3_000, n_events=100_000, seed=1)
    for name in ("items", "users", "events"):
        assert getattr(made, name).equals(getattr(again, name))
    assert not made.events.equals(world(2_000, 3_000, 100_000, seed=2).events)


def test_popularity_and_liveliness_have_long_tails(made: World) -> None:
    for column, share in (("item_id", 0.4), ("user_id", 0.25)):
        counts = np.sort(made.events.group_by(column).len()["len"].to_numpy())[::-1]
        assert counts[: len(counts) // 10].sum() > share * counts.sum()


def numbered(made: World, column: str) -> np.ndarray:
    return made.events[column].str.slice(1).cast(pl.Int64).to_numpy()


def test_users_stay_with_their_categories(made: World) -> None:
    category = made.category[numbered(made, "item_id")]
    liked = (made.tastes[numbered(made, "user_id")] == category[:, None]).any(axis=1)
    assert 0.75 < liked.mean() < 0.97


def test_some_items_follow_one_another(made: World) -> None:
    pairs = made.events.sort("user_id", "timestamp", maintain_order=True).select(
        "user_id", "item_id", after=pl.col("item_id").shift(-1).over("user_id")
    )
    counts = pairs.drop_nulls().group_by("item_id", "after").len()
    best = counts.group_by("item_id").agg(best=pl.col("len").max(), all=pl.col("len").sum())
    usual = best.filter(pl.col("all") >= 50)
    assert (usual["best"] / usual["all"]).mean() > 0.15  # type: ignore[operator]


def test_items_are_not_met_before_they_are_released(made: World) -> None:
    met = made.events.join(made.items.select("item_id", "released"), on="item_id")
    assert (met["timestamp"] >= met["released"]).all()
    assert 0.1 < (made.items["released"] > made.items["released"].min()).mean() < 0.2


def test_titles_tell_the_category(made: World) -> None:
    row = made.items.row(0, named=True)
    use, thing = row["category"].split(" ")
    assert thing in row["title"].split()
    assert row["description"].startswith("A ")
    assert f"{thing} for the {use}" in row["description"]


def test_a_million_events_take_seconds() -> None:
    begun = time.perf_counter()
    large = world(n_users=50_000, n_items=50_000, n_events=1_000_000)
    assert time.perf_counter() - begun < 30
    assert len(large.events) == 1_000_000
    assert large.events["item_id"].n_unique() > 40_000


@pytest.mark.parametrize("size", [(1, 1, 0), (1, 1, 7), (3, 2, 40), (5, 9, 1)])
def test_tiny_worlds(size: tuple[int, int, int]) -> None:
    tiny = world(*size)
    assert (len(tiny.users), len(tiny.items), len(tiny.events)) == size


@pytest.mark.parametrize("size", [(0, 1, 0), (1, 0, 0), (1, 1, -1)])
def test_impossible_sizes_are_refused(size: tuple[int, int, int]) -> None:
    with pytest.raises(InvalidInput, match="expected at least 1 user"):
        world(*size)
