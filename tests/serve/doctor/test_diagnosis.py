"""What the doctor says of a shelf whose people cannot be found any more."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

import penchant
import world
from penchant import Event
from penchant.ingest.privacy import KEY_FILE, PrivacyError
from penchant.serve.cli import app
from penchant.serve.doctor.diagnosis import diagnose
from shelves import MUTE, mute

HIDDEN = MUTE + "[privacy]\npseudonyms = true\n"


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    with penchant.open(mute(tmp_path / "shelf", HIDDEN)) as engine:
        engine.record(Event("ann", "w1", timestamp=1.0), now=world.NOW)
    return tmp_path / "shelf"


def test_a_shelf_of_pseudonyms_with_its_key_is_well(shelf: Path) -> None:
    assert diagnose(shelf, None).wrong == []


def test_a_missing_key_is_said_with_what_to_do_and_none_is_made(shelf: Path) -> None:
    (shelf / KEY_FILE).unlink()
    (said,) = diagnose(shelf, None).wrong
    assert f"expected {shelf / KEY_FILE}" in said
    assert "a backup" in said
    assert "everybody would become a stranger" in said
    told = CliRunner().invoke(app, ["doctor", str(shelf), "--json"])
    assert said in json.loads(told.stdout)["wrong"]
    # Neither the doctor nor whoever opens the shelf puts another one there.
    for read_only in (True, False):
        with pytest.raises(PrivacyError, match="missing"):
            penchant.open(shelf, read_only=read_only)
    assert not (shelf / KEY_FILE).exists()


def test_a_damaged_key_is_said(shelf: Path) -> None:
    (shelf / KEY_FILE).write_bytes(b"short")
    (said,) = diagnose(shelf, None).wrong
    assert "expected 32 bytes" in said
    assert "restore it from a backup" in said


def test_a_shelf_without_anybody_needs_no_key_yet(tmp_path: Path) -> None:
    penchant.open(mute(tmp_path / "shelf")).close()
    mute(tmp_path / "shelf", HIDDEN)
    assert diagnose(tmp_path / "shelf", None).wrong == []
    assert not (tmp_path / "shelf" / KEY_FILE).exists()


def test_pseudonyms_that_were_switched_off_are_said(shelf: Path) -> None:
    mute(shelf)
    (said,) = diagnose(shelf, None).wrong
    assert "`pseudonyms = true`" in said
    plain = mute(shelf.parent / "plain")
    with penchant.open(plain) as engine:
        engine.record(Event("ann", "w1", timestamp=1.0), now=world.NOW)
    assert diagnose(plain, None).wrong == []
