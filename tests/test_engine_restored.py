"""A shelf made from a backup knows everybody again, or says what is missing; it never guesses."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

import penchant
import world
from penchant import Event
from penchant.ingest.privacy import KEY_FILE, PrivacyError
from penchant.serve.cli import app
from penchant.store.backup import restore
from shelves import MUTE, ids, mute

SETTINGS = MUTE + "[privacy]\npseudonyms = true\n"


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    """A shelf of pseudonyms, with ratings from 1 to 10."""
    directory = mute(tmp_path / "shelf", SETTINGS)
    stars = [
        {"user_id": f"judge {n % 7}", "item_id": "w1", "event": "rating", "value": 1.0 + n % 10}
        for n in range(60)
    ]
    with penchant.open(directory) as engine:
        engine.add(world.items())
        engine.record(world.events(), now=world.NOW)
        rows = [row | {"timestamp": world.NOW - 10 * n} for n, row in enumerate(stars)]
        engine.record(rows, now=world.NOW)
    return directory


def answers(directory: Path) -> list[object]:
    """Return what one person, and somebody whose rating means little on ten stars, are told."""
    with penchant.open(directory, read_only=True) as engine:
        slate = engine.recommend("ann", k=5, now=world.NOW, log=False)
        held = engine.export("ann")["events"]
        assert len(held) == len(world.HISTORIES["ann"])
        judged = [(one.name, one.strength) for one in engine.interests("judge 4", now=world.NOW)]
        return [ids(slate), [line.score for line in slate], held, judged]


def test_who_was_known_by_a_pseudonym_is_known_after_a_restore(shelf: Path, tmp_path: Path) -> None:
    with penchant.open(shelf) as engine:
        copy = engine.backup(tmp_path / "copy")
    expected = answers(shelf)
    assert answers(copy) == expected
    back = restore(copy, tmp_path / "back")
    assert answers(back) == expected
    with penchant.open(back) as engine:
        before = len(engine.export("ann")["events"])
        engine.record(Event("ann", "s3", timestamp=world.NOW), now=world.NOW)
        assert len(engine.export("ann")["events"]) == before + 1


def test_without_the_key_nobody_is_taken_for_a_stranger(shelf: Path, tmp_path: Path) -> None:
    with penchant.open(shelf) as engine:
        copy = engine.backup(tmp_path / "copy", key=False)
    back = restore(copy, tmp_path / "back")
    for read_only in (False, True):
        with pytest.raises(PrivacyError, match=r"key .* is missing: expected .*original"):
            penchant.open(back, read_only=read_only)
    assert not (back / KEY_FILE).exists()
    shutil.copy2(shelf / KEY_FILE, back / KEY_FILE)
    assert answers(back) == answers(shelf)


def test_a_key_is_made_where_there_is_no_pseudonym_yet(tmp_path: Path) -> None:
    directory = mute(tmp_path / "shelf")
    with penchant.open(directory) as engine:
        engine.record(Event("p_plain", "i", timestamp=1.0), now=world.NOW)
    mute(directory, SETTINGS)
    with penchant.open(directory) as engine:
        engine.record(Event("ann", "i", timestamp=1.0), now=world.NOW)
    (directory / KEY_FILE).unlink()
    with pytest.raises(PrivacyError, match="missing"):
        penchant.open(directory)
    # Where nobody is to be recognised again, that is said by making a key.
    (directory / KEY_FILE).write_bytes(b"n" * 32)
    with penchant.open(directory) as engine:
        assert engine.export("ann")["events"] == []


def test_the_commands_say_where_the_key_is(shelf: Path, tmp_path: Path) -> None:
    def run(*words: object) -> str:
        done = CliRunner().invoke(app, [str(word) for word in words])
        assert done.exit_code == 0, done.output
        return " ".join(done.output.split())

    assert "The key of the pseudonyms is in it" in run("backup", shelf, tmp_path / "whole")
    told = run("backup", shelf, tmp_path / "apart", "--no-key")
    assert "is not in it" in told
    assert "does not open" in told
    assert '"key": false' in run("backup", shelf, tmp_path / "third", "--no-key", "--json")
    assert "made without their key" in run("restore", tmp_path / "apart", tmp_path / "a")
    assert '"key_missing": true' in run("restore", tmp_path / "apart", tmp_path / "b", "--json")
    assert "key" not in run("restore", tmp_path / "whole", tmp_path / "c").replace("keyless", "")
    plain = mute(tmp_path / "plain")
    penchant.open(plain).close()
    assert "key" not in run("backup", plain, tmp_path / "fourth")
