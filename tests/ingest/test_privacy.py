"""Consent is honoured before anything is kept; a pseudonym needs its key and stays the same."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import polars as pl
import pytest

from penchant.ingest.cells import Refused
from penchant.ingest.door import one_event
from penchant.ingest.events import read_events
from penchant.ingest.kinds import Kinds
from penchant.ingest.people import read_users
from penchant.ingest.privacy import KEY_FILE, Privacy, PrivacyConfig, PrivacyError
from penchant.types import Event, User

NOW = 1_704_110_400.0
KINDS = Kinds()


@pytest.fixture
def privacy(tmp_path: Path) -> Privacy:
    return Privacy.of(tmp_path, PrivacyConfig(pseudonyms=True))


def test_a_pseudonym_is_the_same_as_long_as_the_key_is(tmp_path: Path, privacy: Privacy) -> None:
    name = privacy.pseudonym("ann")
    assert name.startswith("p_")
    assert len(name) == 34
    again = Privacy.of(tmp_path, PrivacyConfig(pseudonyms=True))
    assert again.pseudonym("ann") == name
    assert again.pseudonym("Ann") != name
    mode = stat.S_IMODE((tmp_path / KEY_FILE).stat().st_mode)
    assert mode == 0o600
    assert [p.name for p in tmp_path.iterdir()] == [KEY_FILE]


def test_another_directory_has_other_pseudonyms(tmp_path: Path, privacy: Privacy) -> None:
    other = tmp_path / "other"
    other.mkdir()
    assert Privacy.of(other, PrivacyConfig(pseudonyms=True)).pseudonym("ann") != privacy.pseudonym(
        "ann"
    )
    assert "key" not in repr(privacy)


def test_without_pseudonyms_ids_pass_and_no_key_is_made(tmp_path: Path) -> None:
    plain = Privacy.of(tmp_path, PrivacyConfig())
    assert plain.pseudonym("ann") == "ann"
    assert not list(tmp_path.iterdir())


def test_a_damaged_key_is_an_error(tmp_path: Path) -> None:
    (tmp_path / KEY_FILE).write_bytes(b"short")
    with pytest.raises(PrivacyError, match="backup"):
        Privacy.of(tmp_path, PrivacyConfig(pseudonyms=True))


def test_a_key_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(PrivacyError, match="cannot be read or made"):
        Privacy.of(tmp_path / "nowhere", PrivacyConfig(pseudonyms=True))


def test_no_name_gets_past_the_door(privacy: Privacy) -> None:
    name = privacy.pseudonym("ann")
    assert one_event(Event("ann", "i"), NOW, KINDS, privacy=privacy)["user_id"] == name
    frame = pl.DataFrame(
        {"userId": ["ann", "ann", "bob"], "item_id": ["i", "", ""], "timestamp": [1.0, 2.0, 3.0]}
    )
    rows = [
        {"userId": "ann", "item_id": "i"},
        {"customer_id": "bob", "item_id": ""},
        Event("ann", ""),
    ]
    for source in (frame, rows):
        intake = read_events(source, now=NOW, kinds=KINDS, privacy=privacy)
        everything = intake.frame.drop("key").write_json() + intake.quarantined.write_json()
        assert "ann" not in everything
        assert "bob" not in everything
        assert intake.frame["user_id"].to_list() == [name]
        assert set(intake.quarantined["user_id"]) == {name, privacy.pseudonym("bob")}
    people = read_users([User("ann", {"age": 3}), User("")], privacy=privacy)
    assert people.frame["user_id"].to_list() == [name]


def test_keys_of_events_say_nothing_of_names(privacy: Privacy) -> None:
    frame = pl.DataFrame({"user_id": ["ann"], "item_id": ["i"], "timestamp": [1.0]})
    hidden = read_events(frame, now=NOW, kinds=KINDS, privacy=privacy)
    plain = read_events(frame, now=NOW, kinds=KINDS)
    assert hidden.frame["key"][0] != plain.frame["key"][0]


@pytest.mark.parametrize(
    ("consent", "context", "taken"),
    [
        ("assumed", {}, True),
        ("assumed", {"consent": True}, True),
        ("assumed", {"consent": False}, False),
        ("assumed", {"consent": "false"}, False),
        ("required", {}, False),
        ("required", {"device": "tv"}, False),
        ("required", {"consent": True}, True),
        ("required", {"consent": "True"}, True),
        ("required", {"consent": 1}, True),
        ("required", {"consent": None}, False),
    ],
)
def test_consent(consent: str, context: dict[str, object], taken: bool) -> None:
    privacy = Privacy(PrivacyConfig(consent=consent))  # type: ignore[arg-type]
    event = Event("ann", "i", context=context)
    batch = read_events([event], now=NOW, kinds=KINDS, privacy=privacy)
    assert batch.frame.height == taken
    if taken:
        assert one_event(event, NOW, KINDS, privacy=privacy)["event"] == event.event
        return
    with pytest.raises(Refused) as caught:
        one_event(event, NOW, KINDS, privacy=privacy)
    assert caught.value.rule == "consent_missing"
    # Not even the row is kept, nor whose it was.
    assert batch.quarantined.rows() == [("consent_missing", None, "{}")]
    assert json.loads(batch.quarantined["row"][0]) == {}


def test_consent_in_a_column_of_a_file_counts() -> None:
    frame = pl.DataFrame(
        {
            "user_id": ["a", "b"],
            "item_id": ["i", "i"],
            "timestamp": [1.0, 2.0],
            "consent": [True, False],
        }
    )
    intake = read_events(frame, now=NOW, kinds=KINDS)
    assert intake.frame["user_id"].to_list() == ["a"]
