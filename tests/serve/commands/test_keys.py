"""`penchant key` prints a key that the service lets in."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from penchant.serve.cli import app
from penchant.serve.http.keys import Keys
from penchant.serve.sections import served
from penchant.store.settings import Settings


def run(*arguments: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["key", *arguments])
    return done.exit_code, done.stdout, done.stderr


def test_the_line_lets_the_key_in(tmp_path: Path) -> None:
    given = ("shop", "--scope", "read", "--scope", "write", "--rate", "20", "--json")
    status, out, _ = run(*given)
    assert status == 0
    told = json.loads(out)
    assert told["header"] == "X-API-Key"
    assert told["key"] not in told["toml"]
    path = tmp_path / "penchant.toml"
    path.write_text(f"[http]\n{told['toml']}\n", encoding="utf-8")
    keys = Keys(served(Settings(path, {}))["http"], {})
    found = keys.caller(told["key"], "10.0.0.1")
    assert found is not None
    assert (found.name, found.scopes, found.rate) == ("shop", {"read", "write"}, 20.0)


def test_it_is_said_to_a_person_too() -> None:
    status, out, _ = run("shop")
    assert status == 0
    lines = out.splitlines()
    (config,) = tomllib.loads(lines[-1])["keys"].values()
    assert config["scopes"] == ["read"]
    assert len(lines[0]) >= 43
    assert run("shop")[1].splitlines()[0] != lines[0]


@pytest.mark.parametrize(
    "wrong", [("a b",), ("",), ("shop", "--scope", "root"), ("s", "--rate", "0")]
)
def test_what_makes_no_key_is_refused(wrong: tuple[str, ...]) -> None:
    status, out, err = run(*wrong)
    assert status == 2
    assert not out
    assert "error: " in err
