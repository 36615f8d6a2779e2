"""Recommenders for tests: small directories with and without the language model."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import penchant
import world

MUTE = '[encoder]\nmodel = "none"\n'
"""Settings without a language model: a directory opens in milliseconds."""


def mute(directory: Path, settings: str = MUTE) -> Path:
    """Return the directory, with settings that leave the language model out."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "penchant.toml").write_text(settings, encoding="utf-8")
    return directory


def filled(directory: Path) -> Path:
    """Return a directory that holds the tiny world, without the language model."""
    with penchant.open(mute(directory)) as engine:
        engine.add(world.items())
        engine.record(world.events(), now=world.NOW)
    return directory


def ids(slate: penchant.Slate) -> list[str]:
    """Return the item ids of a slate, best first."""
    return [line.item_id for line in slate]


def elsewhere(code: str, *arguments: object, timeout: float = 120.0) -> str:
    """Return what a program printed in another process; its arguments are sys.argv[1:]."""
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=timeout,
        cwd=Path(__file__).parent,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
