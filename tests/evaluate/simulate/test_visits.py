"""What the viewers do follows from what they want: tested against the truth."""

from __future__ import annotations

import json
from collections import defaultdict

import numpy as np
import polars as pl
import pytest

from penchant.evaluate.simulate import Simulation, attraction, examination
from penchant.evaluate.simulate.context import numbers
from penchant.evaluate.simulate.truth import BLIND
from penchant.evaluate.simulate.visits import EXPLORE, SLATE


@pytest.fixture(scope="module")
def judged(simulation: Simulation) -> pl.DataFrame:
    """Every impression with the truth about it: utility, and its part that no text tells of."""
    truth = simulation.truth
    users = [truth.user_number[u] for u in simulation.impressions["user_id"]]
    items = [truth.item_number[i] for i in simulation.impressions["item_id"]]
    rows = zip(
        users[::SLATE], times(simulation.impressions)[::SLATE], contexts(simulation), strict=True
    )
    wanted = np.concatenate(
        [
            truth.utilities(user, time, context)[items[SLATE * n : SLATE * (n + 1)]]
            for n, (user, time, context) in enumerate(rows)
        ]
    )
    return simulation.impressions.with_columns(
        wanted=pl.Series(wanted), hidden=pl.Series(truth.hidden[users, items])
    )


def times(frame: pl.DataFrame) -> list[float]:
    return (frame["timestamp"].dt.epoch("us") / 1e6).to_list()


def contexts(simulation: Simulation) -> list[dict[str, str]]:
    """Return the context of every list, in the order of the impressions."""
    return [json.loads(text) for text in simulation.impressions["context"][::SLATE]]


def chosen_before(simulation: Simulation) -> dict[str, list[tuple[float, int]]]:
    """Return for each viewer when (start of the visit) which film was chosen."""
    number = simulation.truth.item_number
    out = defaultdict(list)
    clicks = simulation.impressions.filter("clicked")
    others = simulation.events.filter(pl.col("event") == "click", pl.col("slate_id").is_null())
    for frame in (clicks, others):
        rows = frame.select("user_id", "item_id", pl.col("timestamp").dt.epoch("us") / 1e6)
        for user_id, item_id, time in rows.iter_rows():
            out[user_id].append((time, number[item_id]))
    return out


def test_lists_are_whole(simulation: Simulation) -> None:
    lists = simulation.impressions.group_by("slate_id", maintain_order=True).agg(
        pl.col("position"), pl.col("item_id").n_unique(), pl.col("user_id").n_unique()
    )
    assert (lists["item_id"] == SLATE).all()
    assert (lists["user_id"] == 1).all()
    assert lists["position"].to_list() == [list(range(1, SLATE + 1))] * len(lists)
    clicks = simulation.events.filter(pl.col("event") == "click", pl.col("slate_id").is_not_null())
    pairs = simulation.impressions.filter("clicked").select("slate_id", "item_id")
    assert sorted(clicks.select("slate_id", "item_id").rows()) == sorted(pairs.rows())


def test_propensities_are_probabilities_of_the_stated_policy(simulation: Simulation) -> None:
    shown = simulation.impressions
    assert shown["propensity"].is_between(0.0, 1.0).all()
    assert (shown["propensity"] >= EXPLORE / shown["choices"] * (1 - 1e-12)).all()
    # The mean of (1/n) / p over draws from p is 1, whatever p is, where every film can be drawn.
    for position in (1, 5, SLATE):
        at = shown.filter(position=position)
        weight = 1.0 / (at["choices"] - position + 1) / at["propensity"]
        error = weight.std() / np.sqrt(len(at))  # type: ignore[operator]
        assert abs(weight.mean() - 1.0) < 4 * error  # type: ignore[operator]
        assert error < 0.02


def test_inverse_propensity_recovers_the_value_of_choosing_by_chance(
    simulation: Simulation,
) -> None:
    """The click rate that lists drawn by pure chance would have, from lists drawn otherwise."""
    truth, shown = simulation.truth, simulation.impressions
    before = chosen_before(simulation)
    seen = examination(np.arange(1, SLATE + 1))
    lists = zip(
        shown["user_id"].to_list()[::SLATE],
        times(shown)[::SLATE],
        contexts(simulation),
        shown["choices"].to_list()[::SLATE],
        shown["clicked"].to_numpy().reshape(-1, SLATE).astype(float),
        shown["propensity"].to_numpy().reshape(-1, SLATE),
        np.array([truth.item_number[i] for i in shown["item_id"]]).reshape(-1, SLATE),
        strict=True,
    )
    found, meant, naive = [], [], []
    for user_id, time, context, choices, clicked, propensity, items in lists:
        free = truth.released <= time
        free[[item for when, item in before[user_id] if when < time]] = False
        assert free.sum() == choices
        pull = attraction(truth.utilities(truth.user_number[user_id], time, context)) * free
        left = pull.sum() - np.concatenate([[0.0], np.cumsum(pull[items])[:-1]])
        remaining = choices - np.arange(SLATE)
        found.append((clicked / propensity / remaining).mean())
        meant.append((seen * left / remaining).mean())
        naive.append(clicked.mean())
    # Lists are independent given what was chosen before; 99% of a normal distribution.
    error = np.std(np.subtract(found, meant)) / np.sqrt(len(found))
    assert abs(np.mean(found) - np.mean(meant)) < 2.58 * error
    assert error < 0.04 * np.mean(meant)
    # Without the propensities the popular films that the policy prefers flatter it.
    assert np.mean(naive) - np.mean(meant) > 6 * error


def test_clicks_fall_with_position_as_stated(judged: pl.DataFrame) -> None:
    chance = attraction(judged["wanted"].to_numpy())
    position = judged["position"].to_numpy()
    expected = chance * examination(position)
    clicked = judged["clicked"].to_numpy()
    for place in range(1, SLATE + 1):
        at = position == place
        spread = np.sqrt((expected[at] * (1 - expected[at])).sum())
        assert abs(clicked[at].sum() - expected[at].sum()) < 4 * spread, place
    seen = [clicked[position == r].mean() / chance[position == r].mean() for r in range(1, 11)]
    slope = np.polyfit(np.log(np.arange(1, 11)), np.log(seen), 1)[0]
    assert slope == pytest.approx(-BLIND, abs=0.06)


def test_tastes_show_in_what_is_chosen(simulation: Simulation) -> None:
    truth = simulation.truth
    genres = truth.facets.of_kind("genre")
    holds = truth.facets.holds[:, genres]
    clicks = simulation.events.filter(event="click")
    together = []
    for (user_id,), rows in clicks.group_by(["user_id"], maintain_order=True):
        user = truth.user_number[str(user_id)]
        if len(rows) < 25 or np.isfinite(truth.turned_at[user]):
            continue
        items = [truth.item_number[i] for i in rows["item_id"]]
        more = holds[items].mean(axis=0) - holds.mean(axis=0)
        together.append(np.corrcoef(more, truth.viewers.tastes[user, 0, genres])[0, 1])
    assert len(together) > 100
    assert np.mean(together) > 0.5
    assert np.mean(np.array(together) > 0) > 0.95


def test_hidden_traits_show_in_what_is_chosen(judged: pl.DataFrame) -> None:
    chosen, passed = judged.filter("clicked")["hidden"], judged.filter(~pl.col("clicked"))["hidden"]
    gap = chosen.mean() - passed.mean()  # type: ignore[operator]
    assert gap > 0.2
    assert gap > 8 * chosen.std() / np.sqrt(len(chosen))  # type: ignore[operator]


def test_who_turns_watches_something_else_afterwards(simulation: Simulation) -> None:
    truth = simulation.truth
    tags = dict(simulation.items.select("item_id", "tags").rows())
    clicks = simulation.events.filter(event="click")
    shares = {"from": ([], []), "to": ([], [])}
    for (user_id,), rows in clicks.group_by(["user_id"], maintain_order=True):
        turn = truth.turn(str(user_id))
        if turn is None:
            continue
        old, new, at = turn
        for time, item_id in zip(times(rows), rows["item_id"], strict=True):
            shares["from"][time >= at].append(old in tags[item_id])
            shares["to"][time >= at].append(new in tags[item_id])
    assert min(len(part) for parts in shares.values() for part in parts) > 800
    before, after = (np.mean(part) for part in shares["from"])
    assert before > 1.8 * after
    before, after = (np.mean(part) for part in shares["to"])
    assert after > 1.8 * before


def test_the_context_shows_in_what_is_chosen(simulation: Simulation) -> None:
    truth = simulation.truth
    clicks = simulation.events.filter(event="click").join(simulation.items, on="item_id")
    told = [json.loads(text) for text in clicks["context"]]
    items = [truth.item_number[item_id] for item_id in clicks["item_id"]]
    order = np.random.default_rng(0).permutation(len(told))
    own, other = (
        np.array([truth.swayed[numbers(c)][:, i].sum() for c, i in zip(said, items, strict=True)])
        for said in (told, [told[n] for n in order])
    )
    assert (own - other).mean() > 0.05
    assert (own - other).mean() > 8 * (own - other).std() / np.sqrt(len(own))

    def share(genre: str, value: str) -> float:
        there = clicks.filter(pl.col("context").str.contains(f'"{value}"', literal=True))
        return float(there["tags"].list.contains(genre).mean())  # type: ignore[arg-type]

    assert share("animation", "family") > 1.2 * share("animation", "friends")
    assert share("horror", "friends") > 1.2 * share("horror", "family")
    assert share("horror", "night") > 1.2 * share("horror", "morning")


def test_judgements_follow_what_was_wanted(simulation: Simulation) -> None:
    truth = simulation.truth
    wanted = defaultdict(list)
    told = simulation.events.filter(pl.col("item_id").is_not_null())
    for user_id, item_id, event, value, time, context in zip(
        told["user_id"],
        told["item_id"],
        told["event"],
        told["value"],
        times(told),
        told["context"],
        strict=True,
    ):
        wanted[event].append((truth.utility(user_id, item_id, time, json.loads(context)), value))
    mean = {event: np.mean([w for w, _ in rows]) for event, rows in wanted.items()}
    assert mean["skip"] < mean["dislike"] < mean["click"] < mean["like"]
    for event, least in (("watch", 0.5), ("rating", 0.6), ("review", 0.6)):
        assert np.corrcoef(np.array(wanted[event], dtype=float).T)[0, 1] > least, event


def test_popular_films_are_shown_more_and_new_ones_are_launched(simulation: Simulation) -> None:
    shown = simulation.impressions.group_by("item_id").len()
    counts = np.sort(shown["len"].to_numpy())[::-1]
    assert counts[: len(counts) // 10].sum() > 0.25 * counts.sum()
    assert counts.min() > 0
    released = simulation.items.select("item_id", "released")
    late = simulation.impressions.join(
        released.filter(pl.col("released").dt.epoch("us") / 1e6 > simulation.start), on="item_id"
    )
    age = (late["timestamp"] - late["released"]).dt.total_days()
    # Per film and day there: more in the first two weeks than in the long run.
    there = (simulation.end - late.unique("item_id")["released"].dt.epoch("us") / 1e6) / 86_400
    young, old = (
        (age < 14).sum() / there.clip(0, 14).sum(),
        (age >= 60).sum() / (there - 60).clip(0).sum(),
    )
    assert young > 1.3 * old


def test_words_are_those_of_the_taste(simulation: Simulation) -> None:
    said = simulation.events.filter(pl.col("text").is_not_null())
    assert said["text"].str.len_chars().is_between(3, 200).all()
    assert said["text"].n_unique() > 800
    ada = said.filter(user_id="ada", event="search")["text"].str.to_lowercase()
    assert (
        ada.str.contains("western|gunfighters|frontier|outlaws|leone|ford|1950s|1960s").mean() > 0.8
    )  # type: ignore[operator]
    praise = said.filter(event="review").filter(pl.col("value") == 5.0)["text"]
    blame = said.filter(event="review").filter(pl.col("value") <= 2.0)["text"]
    assert len(blame) > 20
    assert not set(praise) & set(blame)
