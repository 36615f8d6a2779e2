"""What docs/operations.md shows: its blocks, and the command lines in them."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import typer

from penchant.serve.cli import app

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "operations.md").read_text("utf-8")
COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.M | re.S)


def lines(program: str) -> list[list[str]]:
    """Return the words of every command of a program that the page shows."""
    text = "\n".join(blocks("console")).replace("\\\n", " ")
    said = [re.sub(r"^[#$] (runuser -u penchant -- )?", "", one) for one in text.splitlines()]
    return [shlex.split(one) for one in said if one.startswith(f"{program} ")]


def known(words: list[str]) -> None:
    """Fail where a command line names a command or an option of penchant that there is not."""
    options = {name for one in COMMANDS[words[1]].params for name in one.opts}
    assert {word for word in words[2:] if re.match(r"--?[a-z]", word)} <= options | {"--help"}
