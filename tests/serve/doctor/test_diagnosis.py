"""What the doctor says of a shelf whose people, models or texts cannot be found."""

from __future__ import annotations

import json
import shutil
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


def models(shelf: Path, settings: str) -> list[str]:
    """Return what is wrong with a shelf of three things under such settings."""
    with penchant.open(mute(shelf)) as engine:
        engine.add(
            {"item_id": f"i{n}", "title": "a thing", "attributes": {"Größe": "4", "look": "x.png"}}
            for n in range(3)
        )
    mute(shelf, settings)
    return diagnose(shelf, None).wrong


def test_a_model_that_is_not_on_this_machine_is_said(tmp_path: Path) -> None:
    (said,) = models(tmp_path / "hub", '[encoder]\nmodel = "nobody/nothing"\n')
    assert "the first use would download it" in said
    assert "hf download nobody/nothing" in said
    (said,) = models(tmp_path / "folder", '[encoder]\nmodel = "models/mine"\n')
    assert "models/mine" in said


def test_an_export_that_cannot_be_read_is_said(encoder_folder: Path, tmp_path: Path) -> None:
    whole, broken = (shutil.copytree(encoder_folder, tmp_path / n) for n in ("whole", "broken"))
    assert models(tmp_path / "a", f'[encoder]\nmodel = "{whole}"\n') == []
    (broken / "tokenizer.json").write_text("{")
    (said,) = models(tmp_path / "b", f'[encoder]\nmodel = "{broken}"\n')
    assert "tokenizer.json" in said
    found = diagnose(tmp_path / "b", None)
    assert found.encoder["state"] == "cannot be used"
    with pytest.raises(penchant.Error):
        penchant.open(tmp_path / "b").recommend("ann", text="a thing")


def test_a_model_of_pictures_that_does_not_fit_is_said(tmp_path: Path) -> None:
    (tmp_path / "clip").mkdir()
    media = f'[media]\npicture = "look"\npicture_model = "{tmp_path / "clip"}"\n'
    (said,) = models(tmp_path / "shelf", MUTE + media)
    assert "vision_model.onnx" in said


def test_attributes_that_no_item_has_are_said(tmp_path: Path) -> None:
    parts = 'parts = ["{title}", "{attributes.summmary}"]\nnames = ["Größe"]\n'
    (said,) = models(tmp_path / "shelf", f"{MUTE}[text]\n{parts}")
    assert "'summmary'" in said
    assert "none of the 3 items" in said
    penchant.open(mute(tmp_path / "empty", f"{MUTE}[text]\n{parts}")).close()
    assert diagnose(tmp_path / "empty", None).wrong == []
