"""Circumstances through the whole engine: told, learned, and moving the very next list."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import penchant
from penchant.types import InvalidInput
from shelves import mute

BEGIN, PEOPLE, ITEMS = 1_700_000_000.0, 80, 40
RAIN, SUN = {"weather": "rain"}, {"weather": "sun"}


def events() -> pl.DataFrame:
    """Uses of games, the first half in the rain, the other in the sun; each has favourites.

    Stars say how it was: of even games much, of odd ones little.
    """
    rng = np.random.default_rng(0)
    rows = []
    for step in range(50):
        for user in range(PEOPLE):
            rain = bool(rng.integers(0, 2))
            favourite = (user * 7 + int(rng.integers(0, 3))) % (ITEMS // 2)
            item = favourite if rain else favourite + ITEMS // 2
            if rng.random() < 0.15:
                item = int(rng.integers(0, ITEMS))
            stars = 5 if item % 2 == 0 else int(rng.integers(1, 4))
            rows.append((f"u{user}", f"g{item}", BEGIN + step * 3600 + user, rain, stars))
    frame = pl.DataFrame(rows, ["user_id", "item_id", "timestamp", "rain", "stars"], orient="row")
    return frame.select(
        "user_id",
        "item_id",
        "timestamp",
        weather=pl.when(pl.col("rain")).then(pl.lit("rain")).otherwise(pl.lit("sun")),
        line=pl.format("{}-{}", "user_id", "timestamp"),
        stars="stars",
    )


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[penchant.Engine]:
    directory = mute(tmp_path_factory.mktemp("context"))
    with (directory / "penchant.toml").open("a") as settings:
        settings.write('\n[recommend]\nseen = "keep"\n')
    made = penchant.open(directory, effort="fast")
    made.add(
        [{"item_id": f"g{n}", "title": f"game {n}", "category": "games"} for n in range(ITEMS)]
    )
    told = events().drop("stars").with_columns(event=pl.lit("click"))
    rated = events().drop("weather", "line").rename({"stars": "value"})
    made.record(told)
    made.record(rated.with_columns(event=pl.lit("rating"), timestamp=pl.col("timestamp") + 1))
    made.report = made.train().data  # type: ignore[attr-defined]
    yield made
    made.close()


def share(slate: penchant.Slate, rain: bool) -> float:
    """Return the share of games of the rain, or of the sun."""
    return float(np.mean([(int(one.item_id[1:]) < ITEMS // 2) == rain for one in slate]))


NOW = BEGIN + 60 * 3600


def test_what_tells_is_found_and_what_does_not_is_said(engine: penchant.Engine) -> None:
    found: dict[str, Any] = engine.report["context"]  # type: ignore[attr-defined]
    assert "weather" in found["fields"]
    assert found["left_out"]["line"] == "nearly every event has a value of its own"
    assert "circumstances" in engine.stages()


@pytest.mark.parametrize("user", ["u3", "u17", "u44", "u61"])
def test_the_weather_moves_the_list(engine: penchant.Engine, user: str) -> None:
    rain = engine.recommend(user, 3, context=RAIN, now=NOW, log=False)
    sun = engine.recommend(user, 3, context=SUN, now=NOW, log=False)
    assert share(rain, True) > share(sun, True)
    assert share(rain, True) >= 2 / 3
    assert share(sun, False) >= 2 / 3


def test_an_event_in_some_weather_counts_in_such_at_once(engine: penchant.Engine) -> None:
    before = engine.rank("new", [f"g{n}" for n in range(ITEMS)], context=SUN, now=NOW, log=False)
    for step in range(3):
        event = penchant.Event("new", "g3", "click", NOW - 100 + step, context=SUN)
        engine.record(event, now=NOW)
    order = [f"g{n}" for n in range(ITEMS)]
    sun = engine.rank("new", order, context=SUN, now=NOW, log=False)
    assert [one.item_id for one in sun] != [one.item_id for one in before]
    place = {one.item_id: one.rank for one in sun}
    assert place["g3"] <= 5


@pytest.mark.parametrize(
    "context",
    [
        {},
        None,
        {"weather": "hail"},
        {"weather": 3, "moon": "full"},
        {"weather": math.nan},
        {"weather": [], "latitude": 400, "longitude": "x", "timezone": "Mars"},
        {f"key {n}": n for n in range(1000)},
        {"weather": {"deep": [{"er": None}]}},
        {1: 2, None: 3},
    ],
)
def test_odd_contexts_are_answered(engine: penchant.Engine, context: Any) -> None:
    slate = engine.recommend("u3", 5, context=context, now=NOW, log=False)
    assert len(slate) == 5
    assert all(math.isfinite(one.score) for one in slate)


def test_a_context_that_is_no_mapping_is_refused(engine: penchant.Engine) -> None:
    with pytest.raises(InvalidInput, match="context is a mapping"):
        engine.recommend("u3", context=["rain"], now=NOW)  # type: ignore[arg-type]


def test_lines_say_how_likely_and_what_it_is_worth(engine: penchant.Engine) -> None:
    found: dict[str, Any] = engine.report["response"]  # type: ignore[attr-defined]
    assert found["basis"] == "judged"
    assert found["log_loss"] < found["log_loss_of_the_rate"]
    slate = engine.rank("u3", ["g0", "g1", "g20", "g21"], context=SUN, now=NOW, log=False)
    said = {one.item_id: one for one in slate}
    for one in slate:
        assert one.probability is not None
        assert one.value is not None
        assert 0.0 <= one.probability <= 1.0
        assert 0.0 < one.value < 6.0
    assert said["g0"].probability > 0.8 > 0.3 > said["g1"].probability
    assert said["g20"].value > 4 > said["g21"].value


def test_explanations_name_circumstances_and_add_up(engine: penchant.Engine) -> None:
    slate = engine.recommend("u3", 5, context=RAIN, now=NOW)
    for one in engine.explanations(slate):
        total = sum(reason.weight for reason in one.contributions)
        line = next(line for line in slate if line.item_id == one.item_id)
        assert total == pytest.approx(line.score, abs=1e-4)
    names = {r.name for one in engine.explanations(slate) for r in one.contributions}
    assert any("circumstances like these" in name for name in names)


def test_it_is_all_there_after_opening_again(engine: penchant.Engine) -> None:
    here = engine.recommend("u3", 5, context=RAIN, now=NOW, log=False)
    with penchant.open(Path(engine.directory), read_only=True) as again:
        there = again.recommend("u3", 5, context=RAIN, now=NOW, log=False)
    assert [(one.item_id, one.score, one.probability) for one in here] == [
        (one.item_id, one.score, one.probability) for one in there
    ]
