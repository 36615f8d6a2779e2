"""Headlines on slates: approved, true to the catalogue as it is, and for an interest they have."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

import penchant
import world
from generators import ChatServer, chatting, saying
from penchant.serve.cli import app
from penchant.store.headlines import Headline, Headlines, UnknownHeadline, digest
from shelves import mute

LINE = "Outlaws and a stagecoach on the prairie"


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with chatting(saying(json.dumps({"headline": LINE}))) as made:
        yield made


@pytest.fixture
def shelf(tmp_path: Path, server: ChatServer) -> Path:
    directory = mute(tmp_path / "shelf")
    with penchant.open(directory) as engine:
        engine.add(world.items())
        engine.record(world.events(), now=world.NOW)
    settings = (directory / "penchant.toml").read_text().replace('"none"', '"none"')
    (directory / "penchant.toml").write_text(
        settings + f'[generator]\nurl = "{server.url}"\nmodel = "small"\n[headlines]\nshow = true\n'
    )
    return directory


def headlines(shelf: Path, *given: str) -> dict[str, object]:
    done = CliRunner().invoke(app, ["headlines", str(shelf), *given, "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def shown(shelf: Path, user: str = "ben") -> dict[str, str]:
    with penchant.open(shelf) as engine:
        slate = engine.recommend(user, 12, now=world.NOW, seen="keep")
    return {line.item_id: line.headline for line in slate}


def put(shelf: Path, interest: str = "", text: str = LINE, item: str = "w2") -> None:
    title, category, _ = world.ITEMS[item]
    Headlines(shelf).put(Headline(item, interest, text, digest(title, category, ())))


def test_nothing_is_shown_before_a_person_approved_it(shelf: Path) -> None:
    put(shelf)
    assert shown(shelf)["w2"] == ""
    assert headlines(shelf, "w2", "--approve")["headlines"][0]["state"] == "approved"
    assert shown(shelf)["w2"] == LINE
    assert set(shown(shelf).values()) == {"", LINE}
    headlines(shelf, "w2", "--refuse")
    assert shown(shelf)["w2"] == ""


def test_it_holds_from_the_next_answer_in_every_process(shelf: Path) -> None:
    put(shelf)
    with penchant.open(shelf) as engine:
        before = engine.recommend("ben", 12, now=world.NOW, seen="keep")
        Headlines(shelf).decide("w2", "", "approved")
        after = engine.recommend("ben", 12, now=world.NOW, seen="keep")
    assert not any(line.headline for line in before)
    assert [line.item_id for line in after if line.headline] == ["w2"]


def test_an_interest_is_told_to_those_who_have_it(shelf: Path) -> None:
    put(shelf, interest="Western", text="For friends of westerns")
    put(shelf, interest="", text="For everybody")
    for interest in ("Western", ""):
        Headlines(shelf).decide("w2", interest, "approved")
    assert shown(shelf, "ben")["w2"] == "For friends of westerns"
    assert shown(shelf, "eve")["w2"] == "For everybody"


def test_it_is_stale_once_the_item_is_another(shelf: Path) -> None:
    put(shelf)
    Headlines(shelf).decide("w2", "", "approved")
    with penchant.open(shelf) as engine:
        engine.add([{"item_id": "w2", "title": "The First Stagecoach", "category": "western"}])
    assert shown(shelf)["w2"] == ""


def test_it_is_off_by_default(shelf: Path) -> None:
    put(shelf)
    Headlines(shelf).decide("w2", "", "approved")
    settings = (shelf / "penchant.toml").read_text().replace("show = true", "show = false")
    (shelf / "penchant.toml").write_text(settings)
    assert not any(shown(shelf).values())


def test_a_file_that_cannot_be_read_shows_nothing(shelf: Path) -> None:
    put(shelf)
    Headlines(shelf).decide("w2", "", "approved")
    (shelf / "headlines.json").write_text("{")
    assert not any(shown(shelf).values())


def test_what_was_not_drafted_cannot_be_approved(shelf: Path) -> None:
    with pytest.raises(UnknownHeadline, match="there are none"):
        Headlines(shelf).decide("w2", "", "approved")
    done = CliRunner().invoke(app, ["headlines", str(shelf), "--approve"])
    assert done.exit_code == 2
    done = CliRunner().invoke(app, ["headlines", str(shelf), "w2", "--approve", "--refuse"])
    assert done.exit_code == 2


def test_a_copy_of_the_shelf_has_them(shelf: Path, tmp_path: Path) -> None:
    put(shelf)
    with penchant.open(shelf) as engine:
        engine.backup(tmp_path / "copy")
    assert [one.text for one in Headlines(tmp_path / "copy").all()] == [LINE]


def test_drafts_are_written_by_the_generator_and_looked_at(shelf: Path) -> None:
    settings = (shelf / "penchant.toml").read_text()
    (shelf / "penchant.toml").write_text(settings.replace('model = "none"', "", 1))
    said = headlines(shelf, "w2", "unheard of", "s1", "--draft", "--interest", "westerns")
    assert [(one["item_id"], one["text"]) for one in said["headlines"]] == [("w2", LINE)]
    assert said["headlines"][0]["state"] == "draft"
    unknown, beyond = said["refused"]
    assert "unheard of" in unknown
    assert "says what is not known of 's1'" in beyond
