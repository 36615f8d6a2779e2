from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from penchant.evaluate.simulate import NOTICE, Simulation, simulate
from penchant.evaluate.simulate.context import DIMENSIONS, HOURS
from penchant.evaluate.simulate.shelf import films
from penchant.ingest.events import read_events
from penchant.ingest.items import read_items
from penchant.ingest.kinds import Kinds
from penchant.ingest.people import read_links, read_users
from penchant.types import Event, InvalidInput


def seconds(frame: pl.DataFrame) -> pl.Series:
    return frame["timestamp"].dt.epoch("us") / 1e6


def test_the_default_has_the_stated_size(simulation: Simulation) -> None:
    assert len(simulation.users) == 400
    assert len(simulation.items) == len(films())
    assert len(simulation.events) == pytest.approx(30_000, rel=0.08)
    assert simulation.events["user_id"].n_unique() > 390
    assert simulation.events["item_id"].drop_nulls().n_unique() > 0.95 * len(simulation.items)


def test_it_says_that_the_viewers_are_simulated(simulation: Simulation) -> None:
    attributes = [json.loads(text) for text in simulation.users["attributes"]]
    assert all(row["simulated"] is True for row in attributes)
    assert "simulated" in NOTICE
    assert simulation.events["event_id"].str.starts_with("simulated-").all()
    named = {portrait.user_id for portrait in simulation.portraits}
    for user_id in simulation.users["user_id"]:
        assert user_id in named or user_id.startswith("viewer-")


def test_frames_are_whole(simulation: Simulation) -> None:
    events = simulation.events
    assert events["event_id"].is_unique().all()
    assert events["timestamp"].is_sorted()
    assert seconds(events).is_between(simulation.start, simulation.end).all()
    assert set(events["user_id"]) <= set(simulation.users["user_id"])
    assert set(events["item_id"].drop_nulls()) <= set(simulation.items["item_id"])
    kinds = {"click", "watch", "rating", "review", "like", "dislike", "skip", "search"}
    assert set(events["event"]) == kinds
    # Only searches have no film, only searches and reviews have words.
    assert (events["item_id"].is_null() == (events["event"] == "search")).all()
    assert (events["text"].is_not_null() == events["event"].is_in(["search", "review"])).all()
    watched = events.filter(event="watch")["value"]
    assert watched.is_between(0.02, 1.0).all()
    stars = events.filter(pl.col("event").is_in(["rating", "review"]))["value"]
    assert stars.is_in([1.0, 2.0, 3.0, 4.0, 5.0]).all()
    # Nobody does two things at once, or chooses a film twice.
    assert not events.select("user_id", "timestamp").is_duplicated().any()
    assert not events.filter(event="click").select("user_id", "item_id").is_duplicated().any()


def test_the_context_agrees_with_the_clock(simulation: Simulation) -> None:
    shown = simulation.impressions.unique("slate_id")
    told = shown["context"].str.json_decode(pl.Struct(dict.fromkeys(DIMENSIONS, pl.String)))
    weekday = [DIMENSIONS["weekday"][n - 1] for n in shown["timestamp"].dt.weekday()]
    assert told.struct["weekday"].to_list() == weekday
    hours = shown["timestamp"].dt.hour().to_list()
    parts = told.struct["daypart"].to_list()
    assert all(hour in HOURS[part] for hour, part in zip(hours, parts, strict=True))
    for name, values in DIMENSIONS.items():
        assert set(told.struct[name]) == set(values)


def test_films_join_the_shelf_during_the_year_and_are_not_met_before(
    simulation: Simulation,
) -> None:
    released = simulation.items.select("item_id", "released")
    late = released.filter(pl.col("released").dt.epoch("us") / 1e6 > simulation.start)
    assert 0.08 < len(late) / len(released) < 0.2
    met = simulation.events.join(released, on="item_id")
    assert (met["timestamp"] >= met["released"]).all()
    shown = simulation.impressions.join(released, on="item_id")
    assert (shown["timestamp"] >= shown["released"]).all()


def test_the_same_seed_gives_the_same_world() -> None:
    one, two, other = (simulate(seed=s, n_users=30, n_events=1_200) for s in (5, 5, 6))
    for name in ("items", "users", "links", "events", "impressions"):
        assert getattr(one, name).equals(getattr(two, name)), name
    assert np.array_equal(one.truth.matrix(one.end), two.truth.matrix(two.end))
    assert not one.events.equals(other.events)


def test_more_events_leave_the_tastes_alone() -> None:
    few, many = (simulate(seed=5, n_users=30, n_events=n) for n in (800, 2_400))
    assert np.array_equal(few.truth.matrix(few.end), many.truth.matrix(many.end))
    # In small worlds the named viewers weigh more, who search more and so do more.
    assert len(few.events) == pytest.approx(800, rel=0.25)
    assert len(many.events) == pytest.approx(2_400, rel=0.25)


@pytest.mark.parametrize("n_users", [1, 2, 7, 11])
def test_worlds_of_few_viewers(n_users: int) -> None:
    small = simulate(n_users=n_users, n_events=60, days=20.0)
    assert len(small.users) == n_users
    assert len(small.events) > 0
    assert len(simulate(n_users=n_users, n_events=0).events) == 0


@pytest.mark.parametrize("wrong", [{"n_users": 0}, {"n_events": -1}, {"days": 3.0}])
def test_impossible_sizes_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InvalidInput, match="expected at least 1 viewer"):
        simulate(**wrong)  # type: ignore[arg-type]


def test_the_period_can_be_any(simulation: Simulation) -> None:
    moved = simulate(n_users=12, n_events=300, days=60.0, start=1_000_000_123.0)
    assert moved.start == 1_000_000_123.0 // 86_400 * 86_400
    assert moved.end == moved.start + 60 * 86_400
    assert seconds(moved.events).is_between(moved.start, moved.end).all()


def test_named_viewers_can_be_told_by_their_histories(simulation: Simulation) -> None:
    loved = {
        "ada": "western",
        "marlene": "crime",
        "odile": "romance",
        "tomas": "horror",
        "mira": "animation",
        "farid": "drama",
        "nils": "documentary",
    }
    shares = films()["genres"].explode().value_counts(name="n")
    for user_id, genre in loved.items():
        history = simulation.history(user_id, 100)
        assert len(history) >= 25, user_id
        share = history["genres"].list.contains(genre).mean()
        base = shares.filter(pl.col("genres") == genre)["n"].item() / len(films())
        assert share > max(0.3, 1.8 * base), user_id  # type: ignore[operator]
    assert 1 <= len(simulation.history("zoe", 100)) <= 10


def test_history_reads_latest_first_and_up_to_a_moment(simulation: Simulation) -> None:
    history = simulation.history("ada", 8)
    assert history.columns == [
        "item_id",
        "title",
        "year",
        "genres",
        "timestamp",
        "watched",
        "stars",
    ]
    assert len(history) == 8
    assert history["timestamp"].is_sorted(descending=True)
    middle = simulation.start + 100 * 86_400
    before = simulation.history("ada", 100, until=middle)
    assert 0 < len(before) < len(simulation.history("ada", 100))
    assert (seconds(before) <= middle).all()


def test_bruno_turns_from_westerns_to_space_opera(simulation: Simulation) -> None:
    turn = simulation.truth.turn("bruno")
    assert turn is not None
    assert turn[:2] == ("western", "space opera")
    before = simulation.history("bruno", 200, until=turn[2])
    after = simulation.history("bruno", 200).join(before, on="item_id", how="anti")
    assert before["genres"].list.contains("western").mean() > 0.5  # type: ignore[operator]
    assert before["genres"].list.contains("space opera").mean() < 0.1  # type: ignore[operator]
    assert after["genres"].list.contains("space opera").sum() >= 3
    assert after["genres"].list.contains("western").sum() <= 1


def test_a_turn_is_events_on_films_of_the_other_genre(simulation: Simulation) -> None:
    events = simulation.turn("ada", "space opera", n=3)
    assert len(events) == 3
    mine = set(simulation.events.filter(user_id="ada")["item_id"])
    genres = dict(films().select("item_id", "genres").rows())
    for event in events:
        assert isinstance(event, Event)
        assert event.user_id == "ada"
        assert event.item_id not in mine
        assert event.item_id is not None
        assert "space opera" in genres[event.item_id]
        assert "western" not in genres[event.item_id]
    times = [event.timestamp for event in events]
    assert times == [simulation.end, simulation.end + 60.0, simulation.end + 120.0]
    later = simulation.turn("ada", "space opera", n=1, event="watch", now=5.0)
    assert (later[0].event, later[0].timestamp) == ("watch", 5.0)
    with pytest.raises(InvalidInput, match="genre 'polka'"):
        simulation.turn("ada", "polka")


def test_the_door_believes_every_row(simulation: Simulation) -> None:
    events = read_events(simulation.events, now=simulation.end, kinds=Kinds())
    intakes = {
        "items": read_items(simulation.items),
        "users": read_users(simulation.users),
        "links": read_links(simulation.links),
        "events": events,
    }
    for name, intake in intakes.items():
        assert len(intake.frame) == len(getattr(simulation, name)), name
        assert len(intake.quarantined) == 0, name
        assert not intake.notes, name
    assert (events.frame["shared"] == 1.0).all()


def test_frames_are_written_as_parquet(tmp_path: Path) -> None:
    small = simulate(n_users=12, n_events=200, days=30.0)
    paths = small.write(tmp_path)
    assert set(paths) == {"items", "users", "links", "events", "impressions"}
    for name, path in paths.items():
        assert pl.read_parquet(path).equals(getattr(small, name)), name
