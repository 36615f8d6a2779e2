"""Each preset opens a recommender that takes items and events and answers, as its domain needs."""

from __future__ import annotations

import re
import shutil
import tomllib
from pathlib import Path

import pytest

import penchant
from penchant.serve.sections import served
from penchant.store.settings import Settings

PRESETS = Path(__file__).resolve().parents[1] / "presets"
NAMES = [path.stem for path in sorted(PRESETS.glob("*.toml"))]
NOW = 1_800_000_000.0
WANTED = {  # what each domain records when somebody wanted something
    "ads": "click",
    "books": "borrow",
    "courses": "enrol",
    "desk": "solved",
    "music": "play",
    "news": "read_time",
    "shop": "purchase",
    "social": "share",
    "travel": "visit",
    "video": "finish",
}
RETURN = {"ads", "desk", "music"}  # where what somebody had may come again


def items(n: int = 12) -> list[dict[str, object]]:
    kinds = ("river", "mountain", "harbour")
    return [
        {
            "item_id": f"i{i}",
            "title": f"{kinds[i % 3].title()} number {i}",
            "description": f"All about a {kinds[i % 3]} and what happened there in year {i}.",
            "category": kinds[i % 3],
            "tags": [kinds[i % 3], "outdoors"],
            "author": f"writer {i % 4}",
        }
        for i in range(n)
    ]


def test_there_is_one_for_each_domain() -> None:
    assert sorted(WANTED) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_it_says_why(name: str) -> None:
    text = (PRESETS / f"{name}.toml").read_text(encoding="utf-8")
    assert text.startswith("# ")
    assert "Copy it as penchant.toml" in text
    for block in re.split(r"\n(?=\[)", text)[1:]:
        assert "#" in block, f"{block} says no reason"


@pytest.mark.parametrize("name", NAMES)
def test_a_recommender_opens_with_it_and_answers(
    name: str, tmp_path: Path, encoder_folder: Path
) -> None:
    shutil.copy(PRESETS / f"{name}.toml", tmp_path / "penchant.toml")
    served(Settings(tmp_path / "penchant.toml", {}))
    kind = WANTED[name]
    with penchant.open(tmp_path) as engine:
        assert engine.add(items())["new"] == 12
        for person in range(4):
            for item in range(person % 3, 12, 3):
                event = penchant.Event(
                    f"u{person}",
                    f"i{item}",
                    kind,
                    NOW + 60 * item,
                    value=2000.0 if kind == "read_time" else None,
                    context={"consent": True, "weather": "rain"},
                )
                assert engine.record(event, now=NOW + 3600)["new"] == 1
        had = {f"i{item}" for item in range(0, 12, 3)}
        slate = engine.recommend("u0", 6, context={"weather": "rain"}, now=NOW + 7200)
        assert len(slate) == 6
        shown = {line.item_id for line in slate}
        assert bool(shown & had) == (name in RETURN)
        assert engine.recommend(text="a harbour", k=3, now=NOW + 7200)[0].item_id in {
            f"i{item}" for item in range(2, 12, 3)
        }


def test_consent_is_required_of_advertisements(tmp_path: Path) -> None:
    shutil.copy(PRESETS / "ads.toml", tmp_path / "penchant.toml")
    with penchant.open(tmp_path) as engine, pytest.raises(penchant.Error, match="consent"):
        engine.record(penchant.Event("u", "i", "click", NOW), now=NOW)


@pytest.mark.parametrize("name", ["desk", "social"])
def test_people_are_kept_out_of_the_log(name: str, tmp_path: Path) -> None:
    shutil.copy(PRESETS / f"{name}.toml", tmp_path / "penchant.toml")
    with penchant.open(tmp_path) as engine:
        engine.record(penchant.Event("somebody-by-name", "i", "click", NOW), now=NOW)
        assert engine.export("somebody-by-name")["events"]
    held = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.is_file())
    assert b"somebody-by-name" not in held


def test_weights_are_numbers_that_tell_kinds_apart() -> None:
    for name in NAMES:
        weights = tomllib.loads((PRESETS / f"{name}.toml").read_text(encoding="utf-8"))["events"][
            "weights"
        ]
        assert weights[WANTED[name]] >= 0.5, name
        assert len(set(weights.values())) > 2, name
