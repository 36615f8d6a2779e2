"""The scenarios are short, say where their data is missing, and prove what they print."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import penchant
from penchant.evaluate.simulate import Simulation

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
SCENARIOS = ("ads", "films", "groups", "news", "shop", "travel/travel")
NEEDED = {"groups": "lastfm_hetrec", "news": "mind_sample", "shop": "online_retail"}
DATA = Path(os.environ.get("PENCHANT_DATA", "data"))


def needs(name: str) -> pytest.MarkDecorator:
    folder = DATA / NEEDED[name]
    return pytest.mark.skipif(not folder.exists(), reason=f"there is no {folder}")


def loaded(name: str) -> Any:
    path = EXAMPLES / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"scenario_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(path.parent))  # as Python does for a script
    try:
        spec.loader.exec_module(made)
    finally:
        sys.path.remove(str(path.parent))
    return made


@pytest.mark.parametrize("name", SCENARIOS)
def test_it_is_short_and_asks_only_for_what_is_public(name: str) -> None:
    text = (EXAMPLES / f"{name}.py").read_text(encoding="utf-8")
    assert len(text.splitlines()) < 80
    for line in text.splitlines():
        if line.startswith(("import penchant", "from penchant")):
            assert line in ("import penchant",) or "penchant.evaluate.simulate" in line, line
    assert "assert " not in text


@pytest.mark.parametrize("name", NEEDED)
def test_it_says_that_its_data_is_missing(name: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / f"{name}.py")],
        env={**os.environ, "PENCHANT_DATA": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1
    assert done.stderr.startswith(f"skipped: there is no {tmp_path / NEEDED[name]}")
    assert done.stdout == ""


def test_clicks_on_westerns_bring_westerns(viewers: Simulation, own_shelf: Path) -> None:
    films = loaded("films")
    rows = viewers.items.select("item_id", "tags").iter_rows()
    genres = {item: set(tags) for item, tags in rows}
    with penchant.open(own_shelf) as engine:
        titles, shares = films.clicks(engine, viewers, genres, "keiko", "western", viewers.end)
        moved = films.contexts(engine, viewers, genres, ["keiko", "tomas"], viewers.end)
    assert [len(one) for one in titles] == [10] * 4
    assert shares[-1] >= shares[0] + 0.4
    assert shares == sorted(shares)
    for bright, _, dark, _ in moved.values():
        assert 0 <= bright <= 1
        assert 0 <= dark <= 1


def test_the_truth_of_films_moves_with_the_context(viewers: Simulation, own_shelf: Path) -> None:
    films = loaded("films")
    genres = {i: set(tags) for i, tags in viewers.items.select("item_id", "tags").iter_rows()}
    people = viewers.users["user_id"].to_list()[:40]
    with penchant.open(own_shelf) as engine:
        found = films.contexts(engine, viewers, genres, people, viewers.end)
    (_, bright, _, dark), (_, grey, _, black) = found["family"], found["friends"]
    assert bright > grey + 0.2
    assert black > dark + 0.1


def test_value_earns_more_than_clicks_and_pacing_lasts_longer(tmp_path: Path) -> None:
    ads = loaded("ads")
    items, chance = ads.world(rng := np.random.default_rng(0))
    with penchant.open(tmp_path) as engine:
        engine.add(items)
        learned = ads.learn(engine, [i["item_id"] for i in items], chance, rng, visits=1200)
    found = {policy: ads.earn(policy, learned, chance, items) for policy in ads.POLICIES}
    money = {policy: one[0] for policy, one in found.items()}
    assert money["by clicks"] > 1.3 * money["at random"]
    assert money["by value"] > 1.05 * money["by clicks"]
    assert money["by value, paced"] > 1.05 * money["by clicks"]
    spent = {policy: int((one[1] > 0.95).sum()) for policy, one in found.items()}
    assert spent["by value, paced"] < spent["by value"] / 2
    budget = sum(item["budget"] for item in items)
    assert all(one <= budget for one in money.values())


def test_chances_that_are_known_earn_more_than_those_that_are_learned(tmp_path: Path) -> None:
    ads = loaded("ads")
    items, chance = ads.world(np.random.default_rng(3))
    flat = np.tile(chance.mean(axis=0), (len(chance), 1))
    assert ads.earn("by value", chance, chance, items)[0] > (
        1.2 * ads.earn("by value", flat, chance, items)[0]
    )


def test_a_group_has_one_list_of_its_members_lists() -> None:
    groups = loaded("groups")
    lists = [["a", "b", "c", "d"], ["b", "e", "a", "f"], ["c", "b", "g", "h"]]
    found = dict(groups.merged(lists, 3))
    assert found["most active's"] == lists[0]
    assert found["average of ranks"][0] == "b"  # places 1, 0, 1
    assert found["least misery"][0] == "b"  # nobody has it below the second place
    assert set(found["average of ranks"]) == set("abcdefgh")
    told = pl.DataFrame({"user_id": ["x"] * 3 + ["y"] * 2 + ["z", "w"], "item_id": list("abcabaa")})
    pairs = pl.DataFrame({"userID": list("xxxyyz"), "friendID": list("yzwxzx")})
    made = groups.groups(told, pairs)
    assert [set(one) for one in made] == [set("xyzw")]
    assert made[0][:2] == ["x", "y"]


def test_what_is_best_in_truth_is_new_and_near() -> None:
    travel = loaded("travel/travel")
    world = travel.simulate(travellers=30)
    user = world.users[0]
    best = travel.truly_best(world, user, travel.HERE, 10)
    been = {e["item_id"] for e in world.events if e["user_id"] == user}
    assert len(best) == 10
    assert not been & set(best)
    here = travel.shares(world, [best])
    rain = travel.shares(world, [travel.truly_best(world, user, travel.ASKED["in rain"][0], 10)])
    assert here["km from Paris"] < 20
    assert rain["indoors"] > here["indoors"]


@pytest.mark.data
@needs("news")
def test_what_is_read_now_is_told_at_once(tmp_path: Path, encoder_folder: Path) -> None:
    places, rise = loaded("news").prove(tmp_path, impressions=400)
    gain = places[:, 0] - places[:, 1]
    assert len(places) > 300
    assert gain.mean() > 1.96 * gain.std() / np.sqrt(len(gain))
    known = [place for place in rise if place is not None]
    assert known == sorted(known, reverse=True)
    assert known[-1] < 40


@pytest.mark.slow
@pytest.mark.data
@needs("groups")
def test_a_groups_list_serves_its_least_happy_member(tmp_path: Path, encoder_folder: Path) -> None:
    found = loaded("groups").prove(tmp_path)
    alone = found["most active's"][:, 0]
    for way in ("average of ranks", "least misery"):
        gain = found[way][:, 0] - alone
        assert gain.mean() > 1.96 * gain.std() / np.sqrt(len(gain)), way


@pytest.mark.slow
@pytest.mark.data
@needs("shop")
def test_half_a_basket_tells_the_other_half(tmp_path: Path, encoder_folder: Path) -> None:
    best, before, after = loaded("shop").prove(tmp_path, baskets=100).mean(axis=0)
    assert after > 2 * before
    assert before > best
