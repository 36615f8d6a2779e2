"""Every command as a person, and as a program, would run it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from click.testing import Result
from typer.testing import CliRunner

import penchant
from penchant.evaluate.simulate import NOTICE, Simulation
from penchant.serve.cli import app
from penchant.serve.commands import demonstration

ITEMS = """id,name,genre,price
i1,Anvil [REC] :tools:,tools,9.5
i2,Banana,food,abc
i3,Chisel,tools,4
"""
EVENTS = """user,movieId,rating,time
u1,i1,5,1700000000
u2,i1,4,1700000100
u2,i3,5,1700000150
u1,,4,1700000200
"""


def run(*words: object) -> Result:
    """Return what a command printed and ended with."""
    return CliRunner(env={"COLUMNS": "120"}).invoke(
        app, [str(word) for word in words], catch_exceptions=False
    )


def machine(*words: object) -> Any:
    """Return the document a command printed with --json; nothing else may be on stdout."""
    done = run(*words, "--json")
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout)


def refused(*words: object) -> str:
    """Return the one line a refused command wrote."""
    done = run(*words)
    assert done.exit_code == 2
    assert done.stdout == ""
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, lines
    assert lines[0].startswith("error: ")
    return lines[0]


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "items.csv").write_text(ITEMS)
    (tmp_path / "events.csv").write_text(EVENTS)
    (tmp_path / "quiet").mkdir()
    (tmp_path / "quiet" / "penchant.toml").write_text('[encoder]\nmodel = "none"\n')
    return tmp_path


def test_import_prints_the_mapping_and_keeps_aside_what_it_cannot_believe(files: Path) -> None:
    done = run("import", files / "quiet", files / "events.csv", "--items", files / "items.csv")
    assert done.exit_code == 0, done.stderr
    for line in ("item_id      <- movieId", "user_id      <- user", "title        <- name"):
        assert line in done.stdout
    assert "every event is a 'rating'" in done.stdout
    assert "stored: 3 new" in done.stdout
    assert "1 item id missing" in done.stdout
    # Items come before the events that name them, whatever the order of the words.
    assert done.stdout.index("items.csv") < done.stdout.index("events.csv")

    again = machine("import", files / "quiet", files / "events.csv")
    assert again["files"][0]["counts"] | {"new": 0, "known": 3} == again["files"][0]["counts"]
    sick = machine("doctor", files / "quiet")
    assert sick["quarantine"][0]["reason"] == "item_id_missing"
    assert sick["quarantine"][0]["meaning"]
    assert sick["store"]["items"] == 3
    assert sick["store"]["events"] == 3


def test_import_takes_named_columns(files: Path) -> None:
    pl.DataFrame({"who": ["u9"], "what": ["i2"], "user_id": ["not this one"]}).write_parquet(
        files / "log.parquet"
    )
    done = machine(
        *("import", files / "quiet", "--events", files / "log.parquet", "--now", "2024-01-01"),
        *("--column", "events.user_id=who", "--column", "events.item_id=what"),
    )
    assert done["files"][0]["counts"]["new"] == 1
    assert machine("export", files / "quiet", "u9")["events"][0]["item_id"] == "i2"


def test_dry_run_stores_nothing(files: Path) -> None:
    done = machine("import", files / "fresh", files / "items.csv", "--dry-run")
    assert done["files"][0]["counts"]["accepted"] == 3
    assert not (files / "fresh").exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("nothing.csv",), "begins with none of"),
        (("--items", "missing.csv"), "found nothing"),
        ((), "nothing to import"),
        (("items.csv", "--column", "user_id=who"), "KIND.NAME=COLUMN"),
        (("items.csv", "--column", "items.title=absent"), "which is not there"),
        (("items.csv", "--column", "items.colour=name"), "which is no column of items"),
        (("events.csv", "--now", "yesterday"), "expected a time"),
    ],
)
def test_import_refuses_in_one_line(files: Path, words: tuple[str, ...], says: str) -> None:
    found = [files / word if word.endswith(".csv") else word for word in words]
    assert says in refused("import", files / "quiet", *found)


def test_titles_are_printed_as_they_are(files: Path) -> None:
    run("import", files / "quiet", files / "items.csv", files / "events.csv")
    assert "Anvil [REC] :tools:" in run("recommend", files / "quiet", "somebody").stdout


def test_recommend_prints_titles_categories_and_reasons(
    trained_shelf: Path, viewers: Simulation
) -> None:
    words = ("recommend", trained_shelf, "ada", "-k", 5, "--now", viewers.end)
    done = run(*words, "--explain", 1)
    assert done.exit_code == 0, done.stderr
    assert "western" in done.stdout
    assert "what raised or lowered it" in done.stdout
    data = machine(*words, "--explain", 2)
    assert [row["rank"] for row in data["items"]] == [1, 2, 3, 4, 5]
    assert all(row["title"] and row["category"] and row["why"] for row in data["items"])
    assert data["explanation"]["item_id"] == data["items"][1]["item_id"]
    assert data["snapshot"] != "untrained"


def test_recommend_takes_what_the_engine_takes(trained_shelf: Path, viewers: Simulation) -> None:
    words = ("recommend", trained_shelf, "--now", viewers.end, "-k", 3)
    visitor = machine(*words, "--history", "star-wars-1977", "--where", "year > 2000")
    assert all(int(row["item_id"][-4:]) > 2000 for row in visitor["items"])
    left = visitor["items"][0]["item_id"]
    others = machine(*words, "--history", "star-wars-1977", "--exclude", left)
    assert left not in [row["item_id"] for row in others["items"]]
    asked = machine(*words, "--history", "ran-1985", "--text", "samurai", "--context", "device=tv")
    assert len(asked["items"]) == 3


def test_reasons_of_a_stranger_name_nothing_they_did(
    trained_shelf: Path, viewers: Simulation
) -> None:
    data = machine("recommend", trained_shelf, "nobody", "--now", viewers.end)
    assert not any("your" in row["why"] or "you chose" in row["why"] for row in data["items"])


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("ada", "-k", "0"), "k is a whole number"),
        (("ada", "--where", "price <"), "where"),
        (("ada", "--context", "tv"), "KEY=VALUE"),
        (("ada", "--explain", "99"), "--explain takes a rank"),
        (("ada", "--seen", "maybe"), "seen is"),
        ((), "exactly one of them"),
    ],
)
def test_recommend_refuses_in_one_line(
    trained_shelf: Path, words: tuple[str, ...], says: str
) -> None:
    assert says in refused("recommend", trained_shelf, *words)


def test_rank_similar_and_interests(trained_shelf: Path, viewers: Simulation) -> None:
    now = ("--now", viewers.end)
    ranked = machine("rank", trained_shelf, "ada", "coco-2017", "rio-bravo-1959", "unheard", *now)
    assert [row["item_id"] for row in ranked["items"]][-1] == "unheard"
    alike = machine("similar", trained_shelf, "star-wars-1977", "-k", 4)
    assert len(alike["items"]) == 4
    assert "space opera" in run("similar", trained_shelf, "star-wars-1977").stdout
    found = machine("interests", trained_shelf, "ada", *now)
    assert found["interests"][0]["name"] == "western"
    assert "western" in run("interests", trained_shelf, "ada", *now).stdout
    assert "Nothing is known" in run("interests", trained_shelf, "stranger").stdout


def test_train_reports_and_refuses(files: Path) -> None:
    run("import", files / "quiet", files / "events.csv")
    assert "expected at least" in refused("train", files / "quiet", "--effort", "fast")
    assert "effort is one of" in refused("train", files / "quiet", "--effort", "huge")


@pytest.mark.slow
def test_evaluate_writes_its_report(trained_shelf: Path, tmp_path: Path) -> None:
    words = ("evaluate", trained_shelf, "--effort", "fast", "--out", tmp_path / "report", "--json")
    data = machine(*words[:-1])
    assert data["k"] == 10
    assert Path(data["page"]).read_text().startswith("<!doctype html>")
    assert "protocol" in refused("evaluate", trained_shelf, "--protocol", "random")


def test_export_forget_backup_restore(own_shelf: Path, tmp_path: Path) -> None:
    out = tmp_path / "ada.json"
    run("export", own_shelf, "ada", "--out", out)
    held = json.loads(out.read_text())
    assert held["attributes"]["simulated"] is True
    assert held == machine("export", own_shelf, "ada")
    copy = machine("backup", own_shelf, tmp_path / "copy")["backup"]
    assert "say --yes" in refused("forget", own_shelf, "ada")
    gone = machine("forget", own_shelf, "ada", "--yes")
    assert gone["events_removed"] == len(held["events"])
    assert machine("export", own_shelf, "ada")["events"] == []
    assert "not an empty directory" in refused("restore", copy, own_shelf)
    back = machine("restore", copy, tmp_path / "back")["shelf"]
    assert machine("export", back, "ada") == held


def test_doctor_finds_what_is_wrong(own_shelf: Path) -> None:
    sound = run("doctor", own_shelf)
    assert sound.exit_code == 0
    assert "nothing is wrong" in sound.stdout
    data = machine("doctor", own_shelf)
    assert data["addresses"] == []
    assert data["versions"]["penchant"] == penchant.__version__
    assert data["snapshots"][0]["sound"] is True
    snapshot = own_shelf / "snapshots" / data["snapshots"][0]["id"]
    (snapshot / "rank.json").write_text("{}")
    (own_shelf / "penchant.toml").write_text("[recomend]\nseen = 'keep'\n")
    sick = run("doctor", own_shelf, "--json")
    assert sick.exit_code == 1
    told = json.loads(sick.stdout)
    assert told["snapshots"][0]["sound"] is False
    assert any("recomend" in one for one in told["wrong"])


def test_doctor_prints_the_steps_of_a_request(own_shelf: Path) -> None:
    shown = run("doctor", own_shelf, "--stages")
    assert shown.exit_code == 0
    data = machine("doctor", own_shelf, "--stages")
    assert [row["stage"] for row in data["asked"]] == [
        step.partition("(")[0] for step in data["steps"] if step != "order"
    ]
    assert data["asked"][0]["stage"] == "gather"
    assert all(row["milliseconds"] >= 0.0 for row in data["asked"])
    for row in data["asked"]:
        assert row["stage"] in shown.stdout
    assert data["asked"][0]["came"] > data["asked"][-1]["went"] > 0
    assert "name its directory" in refused("doctor", "--stages")
    assert data["response"] == {} or data["response"]["basis"] in ("judged", "shown", "next")


def test_doctor_names_every_address(tmp_path: Path) -> None:
    (tmp_path / "penchant.toml").write_text(
        '[encoder]\nmodel = "m"\nendpoint = "https://user:secret@vectors.example:8443/v1"\n'
    )
    with penchant.open(tmp_path):
        pass
    told = machine("doctor", tmp_path)
    assert [row["address"] for row in told["addresses"]] == ["https://vectors.example:8443/v1"]
    (tmp_path / "penchant.toml").write_text(
        '[generator]\nurl = "https://user:secret@words.example/v1"\nmodel = "m"\n'
    )
    (row,) = machine("doctor", tmp_path)["addresses"]
    assert row["address"] == "https://words.example/v1"
    assert row["what"].startswith("names of interests and public texts of items; never ids")
    (tmp_path / "penchant.toml").write_text('[generator]\nurl = "https://words.example/v1"\n')
    sick = json.loads(run("doctor", tmp_path, "--json").stdout)
    assert any("has a url and no model" in one for one in sick["wrong"])


def test_a_shelf_that_is_not_there(tmp_path: Path) -> None:
    for command in ("train", "evaluate", "doctor", "recommend"):
        assert "is no recommender" in refused(command, tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()


def test_what_nobody_expected_is_one_line_too(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("penchant.engine.Engine.interests", broken)
    run("import", files / "quiet", files / "items.csv")
    done = run("interests", files / "quiet", "ada")
    assert done.exit_code == 1
    assert done.stderr.startswith("error: unexpected RuntimeError: a bug")


def test_demo_tells_its_story_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demonstration, "VIEWERS", 60)
    monkeypatch.setattr(demonstration, "EVENTS", 5_000)
    words = ("demo", tmp_path / "demo", "--viewer", "mira", "--events", "2")
    done = run(*words)
    assert done.exit_code == 0, done.stderr
    assert done.stdout.index(NOTICE) < done.stdout.index("Mira, a simulated viewer")
    assert done.stdout.count("answered again, in") == 2
    data = machine(*words)
    assert data["simulated"] is True
    first, *others = data["scenes"]
    assert first["event"] is None
    assert [len(scene["lines"]) for scene in data["scenes"]] == [10, 10, 10]
    for scene in others:
        assert scene["milliseconds"] > 0
        assert scene["event"]["item_id"] not in [line["item_id"] for line in scene["lines"]]
        assert scene["sentence"]
    # The events of the first telling were undone before the second one began.
    with penchant.open(tmp_path / "demo") as engine:
        told = [e for e in engine.export("mira")["events"] if e["timestamp"] >= 1_767_225_600]
    assert len(told) == 2
    assert "with other settings" in refused(*words, "--seed", "3")
    assert "simulated viewers" in refused(*words, "--viewer", "somebody")
    assert "not the demo's" in refused("demo", tmp_path)


def test_the_installed_command_runs_as_a_process(trained_shelf: Path, viewers: Simulation) -> None:
    command = Path(sys.executable).with_name("penchant")
    words = ["similar", str(trained_shelf), "star-wars-1977", "--json"]
    done = subprocess.run([command, *words], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["item_id"] == "star-wars-1977"
    assert done.stderr == ""
    words = ["recommend", "nowhere", "ada"]
    done = subprocess.run([command, *words], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr
    done = subprocess.run([command, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == penchant.__version__


def test_help_of_every_command_explains_itself() -> None:
    names = "demo import train recommend rank similar interests evaluate export forget backup"
    for name in [*names.split(), "restore", "doctor"]:
        done = run(name, "--help")
        assert done.exit_code == 0
        assert "--json" in done.stdout


def test_without_the_extra_for_learning(
    trained_shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penchant.learn.requirements.find_spec", lambda name: None)
    for command in ("train", "evaluate", "demo"):
        assert 'pip install "penchant[train]"' in refused(command, trained_shelf)
    assert machine("recommend", trained_shelf, "ada")["items"]
