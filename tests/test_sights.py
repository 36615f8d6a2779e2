"""The sights of the travel example are whole and where they say; its travellers choose by them."""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

FOLDER = Path(__file__).resolve().parents[1] / "examples" / "travel"
BOXES = {  # south, north, west, east: the city and what one goes to see from it
    "Kyoto": (34.9, 35.1, 135.6, 135.85),
    "Tokyo": (35.6, 35.75, 139.65, 139.85),
    "Istanbul": (40.95, 41.15, 28.9, 29.15),
    "Rome": (41.8, 41.95, 12.4, 12.6),
    "Paris": (48.8, 48.92, 2.2, 2.45),
    "London": (51.4, 51.6, -0.3, 0.05),
    "Lisbon": (38.6, 38.85, -9.45, -9.05),
    "Barcelona": (41.34, 41.45, 2.1, 2.25),
    "Berlin": (52.4, 52.6, 13.1, 13.5),
    "Vienna": (48.15, 48.3, 16.25, 16.45),
    "Marrakesh": (31.58, 31.7, -8.05, -7.93),
    "New York": (40.55, 40.9, -74.06, -73.85),
    "Mexico City": (19.2, 19.5, -99.3, -99.0),
    "Bangkok": (13.65, 13.85, 100.45, 100.6),
    "Sydney": (-33.95, -33.75, 151.1, 151.35),
}
ALLOWED = {
    "best_seasons": {"spring", "summer", "autumn", "winter"},
    "weather": {"sun", "rain", "snow"},
    "best_dayparts": {"morning", "afternoon", "evening", "night"},
}


@pytest.fixture(scope="module")
def travellers() -> Any:
    sys.path.insert(0, str(FOLDER))
    try:
        import travellers
    finally:
        sys.path.remove(str(FOLDER))
    return travellers


@pytest.fixture(scope="module")
def sights() -> list[dict[str, Any]]:
    text = (FOLDER / "sights.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture(scope="module")
def world(travellers: Any) -> Any:
    return travellers.simulate(travellers=120, seed=3)


def test_every_sight_is_whole(sights: list[dict[str, Any]]) -> None:
    assert len(sights) >= 200
    assert len({s["item_id"] for s in sights}) == len(sights)
    assert len({s["description"] for s in sights}) == len(sights)
    for sight in sights:
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", sight["item_id"])
        assert sight["title"].strip() == sight["title"] != ""
        assert 2 <= len(re.findall(r"[.](?= [A-Z]|$)", sight["description"])) <= 3, sight
        assert len(sight["description"]) > 60
        assert sight["category"]
        assert sight["country"]
        assert 2 <= len(sight["tags"]) == len(set(sight["tags"]))
        assert isinstance(sight["indoor"], bool)
        assert sight["price_level"] in range(5)
        for name, allowed in ALLOWED.items():
            assert set(sight[name]) <= allowed, sight
            assert len(set(sight[name])) == len(sight[name]) > 0


def test_every_sight_lies_in_its_city(sights: list[dict[str, Any]]) -> None:
    counts = Counter(s["city"] for s in sights)
    assert set(counts) == set(BOXES)
    assert all(12 <= n <= 18 for n in counts.values())
    places = set()
    for sight in sights:
        south, north, west, east = BOXES[sight["city"]]
        assert south < sight["latitude"] < north, sight
        assert west < sight["longitude"] < east, sight
        places.add((sight["latitude"], sight["longitude"]))
    assert len(places) > len(sights) - 10  # neighbours may share a rounded place


def test_what_rain_cannot_spoil_is_indoors(sights: list[dict[str, Any]]) -> None:
    beaches = [s for s in sights if s["category"] == "beach"]
    assert len(beaches) >= 8
    assert all(s["weather"] == ["sun"] and not s["indoor"] for s in beaches)
    assert all("winter" not in s["best_seasons"] for s in beaches)
    roofed = [s for s in sights if s["indoor"] and s["category"] in ("museum", "aquarium")]
    assert len(roofed) >= 35
    assert all(s["weather"] == ["sun", "rain", "snow"] for s in roofed)
    assert 0.3 < np.mean([s["indoor"] for s in sights]) < 0.6


def test_the_same_seed_gives_the_same_travellers(travellers: Any, world: Any) -> None:
    assert travellers.simulate(travellers=120, seed=3).events == world.events
    assert travellers.simulate(travellers=120, seed=4).events != world.events


def test_a_log_that_an_engine_can_take(world: Any) -> None:
    known = {s["item_id"] for s in world.sights}
    assert len(world.events) > 1500
    for earlier, later in pairwise(world.events):
        assert earlier["timestamp"] <= later["timestamp"]
    pairs = [(e["user_id"], e["item_id"]) for e in world.events]
    assert len(set(pairs)) == len(pairs)  # nobody comes back
    for event in world.events:
        assert event["item_id"] in known
        assert event["season"] in ALLOWED["best_seasons"]
        assert event["weather"] in ALLOWED["weather"]
        assert event["daypart"] in ALLOWED["best_dayparts"]


def test_each_part_of_the_truth_moves_the_choice(travellers: Any, world: Any) -> None:
    by_id = {s["item_id"]: s for s in world.sights}
    visited = [by_id[e["item_id"]] for e in world.events]
    indoors = np.array([s["indoor"] for s in visited])
    rain = np.array([e["weather"] == "rain" for e in world.events])
    assert indoors[rain].mean() > 2 * indoors[~rain].mean() - 0.1
    near = [
        float(travellers.kilometres(e["latitude"], e["longitude"], s["latitude"], s["longitude"]))
        for e, s in zip(world.events, visited, strict=True)
    ]
    assert np.median(near) < 5
    assert np.quantile(near, 0.9) < 50
    beach = [e["season"] for e, s in zip(world.events, visited, strict=True) if s in beaches(world)]
    assert beach.count("summer") > 3 * beach.count("winter")
    young = [e["company"] for e in world.events if "children" in by_id[e["item_id"]]["tags"]]
    assert young.count("family") > 1.5 * young.count("friends")


def beaches(world: Any) -> list[dict[str, Any]]:
    return [s for s in world.sights if s["category"] == "beach"]


def test_the_truth_can_be_asked(world: Any) -> None:
    user, paris = "traveller-7", {"latitude": 48.86, "longitude": 2.34}
    garden, museum = "tuileries-garden", "louvre"

    def worth(item: str, **context: Any) -> float:
        return world.utility(user, item, context)

    assert worth(garden, weather="sun") > worth(garden, weather="rain")
    assert worth(museum, weather="rain") > worth(museum, weather="sun")
    assert worth(garden, season="spring") > worth(garden, season="winter")
    assert worth(museum, season="spring") == worth(museum, season="winter") == worth(museum)
    assert worth(museum, **paris) > worth(museum, latitude=41.9, longitude=12.49) + 5
    every = world.utilities(user, {**paris, "weather": "sun"})
    at = [s["item_id"] for s in world.sights].index(museum)
    assert every[at] == worth(museum, **paris, weather="sun")


def test_seasons_are_those_of_the_place(travellers: Any) -> None:
    july = travellers.datetime(2024, 7, 1)
    assert travellers.season(july, 48.9) == "summer"
    assert travellers.season(july, -33.9) == "winter"


def test_distances_are_those_of_the_globe(travellers: Any) -> None:
    paris, sydney = (48.857, 2.352), (-33.869, 151.209)
    assert travellers.kilometres(*paris, *paris) == 0
    assert travellers.kilometres(*paris, 51.507, -0.128) == pytest.approx(344, abs=3)
    assert travellers.kilometres(*paris, *sydney) == pytest.approx(16960, abs=50)
    assert travellers.kilometres(0.0, 179.9, 0.0, -179.9) == pytest.approx(22, abs=1)
