"""docs/operations.md and `make serve`: commands, settings and metrics that there are."""

from __future__ import annotations

import json
import os
import re
import select
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tomllib
import urllib.request
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from prometheus_client import CollectorRegistry
from typer.testing import CliRunner

import penchant
import world
from penchant.serve.cli import app
from penchant.serve.sections import SERVED, served
from penchant.serve.telemetry.metrics import Metrics
from penchant.store.settings import Settings
from serve.proxying import DEPLOY
from serve.service.running import START, Service
from serve.shown import PAGE, ROOT, blocks, known, lines
from shelves import MUTE, filled, mute

pytestmark = pytest.mark.service

ITEM = str(world.items()["item_id"][0])


# The page


def test_the_page_names_commands_that_there_are() -> None:
    said = lines("penchant")
    assert {words[1] for words in said} >= {"import", "train", "doctor", "key", "backup", "restore"}
    for words in said:
        known(words)
    for path in re.findall(r"\]\((?!http)([^)#]+)\)", PAGE):
        assert (ROOT / "docs" / path).resolve().exists(), path
    for path in DEPLOY.iterdir():
        assert f"deploy/{path.name}" in PAGE


def test_the_page_configures_what_can_be_configured(tmp_path: Path) -> None:
    for number, block in enumerate(blocks("toml")):
        path = tmp_path / f"{number}.toml"
        path.write_text(block)
        assert served(Settings(path))
        assert set(tomllib.loads(block)) <= {*SERVED, "encoder"}
        quiet = block.replace("[encoder]\n", MUTE)
        with penchant.open(mute(tmp_path / f"shelf-{number}", quiet)) as engine:
            assert engine.status().items == 0


def test_the_page_watches_what_is_counted() -> None:
    registry = Metrics()._registry
    assert isinstance(registry, CollectorRegistry)
    there = {"penchant_shown_items_distinct"}  # read from what all processes share
    for family in registry.collect():
        endings = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}
        there |= {family.name + end for end in endings.get(family.type, ("",))}
    there |= {"penchant_stage_seconds"}  # the page names a histogram as a whole
    named = set(re.findall(r"penchant_\w+", PAGE))
    assert named <= there, named - there
    assert len(re.findall(r"- alert: \w+", PAGE)) == len(re.findall(r"^\s+expr: \S", PAGE, re.M))


def test_backing_up_while_it_serves_restoring_and_forgetting(tmp_path: Path) -> None:
    """The page's commands in the page's order, on a service that goes on recording."""

    def told(*words: object) -> Any:
        done = CliRunner().invoke(app, [*map(str, words), "--json"], catch_exceptions=False)
        assert done.exit_code == 0, done.stderr
        return json.loads(done.stdout)

    copy, again = tmp_path / "copy", tmp_path / "again"
    with Service(filled(tmp_path / "shelf"), workers=1) as service:
        for person in ("c17", "c18"):
            event = {"user_id": person, "item_id": ITEM, "event": "click"}
            assert service.ask("/v1/events", event)[0] == 200
        told("backup", service.shelf, copy)
        event = {"user_id": "later", "item_id": ITEM, "event": "click"}
        assert service.ask("/v1/events", event)[0] == 200
        assert service.ask("/v1/users?user_id=c17", method="DELETE")[1] == {"removed": 1}
        assert told("forget", copy, "c17", "--yes")["events_removed"] == 1
    told("restore", copy, again)
    with penchant.open(again) as engine:
        left = {person: len(engine.export(person)["events"]) for person in ("c17", "c18", "later")}
        assert left == {"c17": 0, "c18": 1, "later": 0}
        assert engine.status().items == len(world.items())
        assert len(engine.recommend("c18", k=3)) == 3


def test_the_line_of_a_key_goes_where_the_page_says(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["key", "shop", "--scope", "write", "--json"])
    settings = tmp_path / "penchant.toml"
    settings.write_text(f"{blocks('toml')[0]}{json.loads(done.stdout)['toml']}\n")
    assert served(Settings(settings))["http"].keys["shop"].scopes == ("write",)


# make serve


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_make_serve_prints_lines_that_work_and_stops_on_control_c(tmp_path: Path) -> None:
    shelf = filled(tmp_path / "demo")
    (shelf / "snapshots" / "current").write_text("")  # built, as far as make can see
    environment = {k: v for k, v in os.environ.items() if k != "PENCHANT_API_KEY"}
    with (tmp_path / "log").open("wb") as log:
        make = subprocess.Popen(
            [*made(), "serve", f"DEMO={shelf}", "PORT=0"],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,
        )
    assert make.stdout is not None
    try:
        assert select.select([make.stdout], [], [], START)[0], (tmp_path / "log").read_text()
        said = [make.stdout.readline() for _ in range(4)]
        address = re.search(r"http://[\d.:]+", said[0])
        assert address is not None
        assert f"{address[0]}/docs" in said[0]
        routes = ("/v1/events", "/v1/recommend/me", "/v1/similar")
        for route, line in zip(routes, said[1:], strict=True):
            words = shlex.split(line)
            assert words[0] == "curl"
            assert urlsplit(next(w for w in words if w.startswith("http"))).path == route
            answer = curled(words)
            assert answer.get("new") == 1 or answer["recommendations"]
        with urllib.request.urlopen(f"{address[0]}/docs", timeout=30) as page:
            assert page.status == 200
    finally:
        os.killpg(make.pid, signal.SIGINT)  # what a terminal sends on Ctrl-C
        make.wait(60)
        make.stdout.close()
    text = (tmp_path / "log").read_text()
    assert '"stopped"' in text
    assert "Error" not in text
    with closing(socket.socket()) as one:
        parts = urlsplit(address[0])
        assert one.connect_ex((str(parts.hostname), int(parts.port or 0))) != 0


def curled(words: list[str]) -> Any:
    """Return the answer to a line that begins with curl, asked without it."""
    url = next(word for word in words if word.startswith("http"))
    body = words[words.index("-d") + 1].encode() if "-d" in words else None
    given = {"Content-Type": "application/json"} if body else {}
    with urllib.request.urlopen(urllib.request.Request(url, body, given), timeout=30) as answer:
        return json.loads(answer.read())


def made() -> list[str]:
    """Return make as it is here: nothing is installed, the programs are those of this Python."""
    place = Path(sys.executable).parent.parent
    return ["make", "--no-print-directory", f"VENV={place}", "-o", f"{place}/penchant.stamp"]


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_make_serve_builds_the_demo_shelf_first_if_it_is_missing(tmp_path: Path) -> None:
    """It does what `make demo` does, for the shelf that it serves."""
    said = subprocess.run(
        [*made(), "--dry-run", "demo", "serve", f"DEMO={tmp_path}/none"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout.splitlines()
    demo, build, serve = said
    assert demo.split()[1:] == ["demo", f"{tmp_path}/none"]
    test, build = build.split(" || ")
    assert build.startswith(demo)
    known(["penchant", *build.split()[1:]])
    known(["penchant", *serve.split()[2:]])
    assert subprocess.run(["sh", "-c", test]).returncode == 1
