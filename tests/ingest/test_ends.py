"""Links under pseudonyms: people are hidden in them, nothing else is, and what is theirs goes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import penchant
import world
from penchant import Event, Link
from penchant.ingest.privacy import KEY_FILE, Privacy, PrivacyConfig
from penchant.store.open import open_store
from shelves import MUTE, mute

HIDDEN = MUTE + "[privacy]\npseudonyms = true\n"
SAID = HIDDEN + '[privacy.relations]\nfriend = "both"\nmember_of = "head"\n'


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    return mute(tmp_path / "shelf", HIDDEN)


def stored(shelf: Path) -> list[tuple[Any, ...]]:
    with open_store(shelf, read_only=True) as store:
        return list(store.people.links().rows())


def hidden(shelf: Path, user_id: str) -> str:
    config = PrivacyConfig(pseudonyms=True)
    assert (shelf / KEY_FILE).exists()
    return Privacy.of(shelf, config).pseudonym(user_id)


def everything(shelf: Path) -> bytes:
    """Return every byte that the directory holds."""
    return b"".join(p.read_bytes() for p in sorted(shelf.rglob("*")) if p.is_file())


def test_who_is_known_and_no_item_is_hidden_at_both_ends(shelf: Path) -> None:
    links = [
        Link("ann", "friend", "bob", 0.5),
        Link("w1", "directed_by", "ann"),
        Link("ann", "likes", "w1"),
        Link("w2", "genre", "western"),
    ]
    people = [{"user_id": "ann"}, {"user_id": "bob"}, {"user_id": "w1"}]
    with penchant.open(shelf) as engine:
        # One call: people and items come before the links that name them.
        engine.add([{"item_id": "w1", "title": "One"}], users=people, links=links)
    ann, bob = hidden(shelf, "ann"), hidden(shelf, "bob")
    assert stored(shelf) == [
        (ann, "friend", bob, 0.5),
        ("w1", "directed_by", ann, 1.0),
        (ann, "likes", "w1", 1.0),  # a person is called so too; what an item's is stays the item's
        ("w2", "genre", "western", 1.0),
    ]


def test_without_pseudonyms_links_stay_as_they_come(tmp_path: Path) -> None:
    with penchant.open(mute(tmp_path / "shelf")) as engine:
        engine.add(users=[{"user_id": "ann"}], links=[Link("ann", "friend", "bob")])
    assert stored(tmp_path / "shelf") == [("ann", "friend", "bob", 1.0)]


def test_a_relation_that_is_said_to_be_of_people_hides_who_is_not_known_yet(shelf: Path) -> None:
    mute(shelf, SAID)
    with penchant.open(shelf) as engine:
        engine.add(users=[{"user_id": "ann", "age": 3}])
        links = [
            Link("ann", "friend", "bob"),
            Link("cam", "member_of", "club"),
            Link("x", "r", "y"),
        ]
        counts = engine.add(links=links)
        assert (counts["links_new"], counts["links_accepted"]) == (3, 3)
        ann, bob, cam = (hidden(shelf, name) for name in ("ann", "bob", "cam"))
        expected = [
            (ann, "friend", bob, 1.0),
            (cam, "member_of", "club", 1.0),
            ("x", "r", "y", 1.0),
        ]
        assert stored(shelf) == expected
        # Again is the same, and who was known has what was known of them.
        assert engine.add(links=links)["links_same"] == 3
        assert engine.export("ann")["attributes"] == {"age": 3}
        # They are people: they can be shown what is held, and be forgotten.
        assert engine.export("bob")["links"][0]["head"] == ann
        engine.forget("bob")
    assert stored(shelf) == expected[1:]
    assert b"cam" not in everything(shelf)


def test_who_becomes_known_later_is_hidden_when_links_come_again(shelf: Path) -> None:
    with penchant.open(shelf) as engine:
        engine.add(world.items(), links=[Link("ann", "friend", "bob"), Link("w1", "r", "ann")])
        assert stored(shelf) == [("ann", "friend", "bob", 1.0), ("w1", "r", "ann", 1.0)]
        engine.record(Event("ann", "w1", timestamp=1.0), now=world.NOW)
        assert len(engine.export("ann")["links"]) == 2
        engine.add(links=[Link("w2", "r", "z")])
    ann = hidden(shelf, "ann")
    rows = [(ann, "friend", "bob", 1.0), ("w1", "r", ann, 1.0), ("w2", "r", "z", 1.0)]
    assert stored(shelf) == rows


@pytest.mark.parametrize("settings", [MUTE, HIDDEN, SAID])
def test_who_is_forgotten_leaves_no_link_whenever_it_came(tmp_path: Path, settings: str) -> None:
    shelf = mute(tmp_path / "shelf", settings)
    links = [
        Link("annabel", "friend", "bob"),
        Link("bob", "friend", "annabel"),
        Link("a", "r", "b"),
    ]
    with penchant.open(shelf) as engine:
        engine.add(links=links[:1])
        engine.record(Event("annabel", "w1", timestamp=1.0), now=world.NOW)
        engine.add(links=[*links[1:], {"head": "annabel", "tail": "", "relation": "friend"}])
        assert len(engine.export("annabel")["links"]) == 2
        assert len(engine.export("annabel")["kept_aside"]) == 1
        assert engine.forget("annabel") == 1
        assert engine.export("annabel")["links"] == []
        assert engine.export("annabel")["kept_aside"] == []
    assert [row[:3] for row in stored(shelf)] == [("a", "r", "b")]
    with open_store(shelf, read_only=True) as store:
        assert store.quarantine.counts() == {}


def test_links_of_before_somebody_was_known_go_with_them(shelf: Path) -> None:
    with penchant.open(shelf) as engine:
        engine.add(links=[Link("ann", "friend", "bob"), Link("visitor", "friend", "bob")])
        engine.record(
            [{"user_id": u, "item_id": "i", "timestamp": 1.0} for u in ("ann", "visitor")]
        )
        assert engine.merge("visitor", into="ann") == 1
        assert len(engine.export("ann")["links"]) == 2
        assert engine.forget("ann") == 2
    assert stored(shelf) == []


def test_what_is_kept_aside_names_nobody(shelf: Path) -> None:
    with penchant.open(shelf) as engine:
        engine.add(users=[{"user_id": "annabel"}, {"user_id": "bartholomew"}])
        engine.add(
            links=[
                {"source": "annabel", "target": "bartholomew", "weight": "heavy"},
                Link("w1", "r" * 600, "bartholomew"),
            ]
        )
        assert len(engine.export("annabel")["kept_aside"]) == 1
        assert len(engine.export("bartholomew")["kept_aside"]) == 1
    for name in (b"annabel", b"bartholomew"):
        assert name not in everything(shelf)
    ann, bob = hidden(shelf, "annabel"), hidden(shelf, "bartholomew")
    with open_store(shelf, read_only=True) as store:
        ((_, row),) = store.quarantine.of(ann)
        assert json.loads(json.loads(row)["row"]) == {
            "source": ann,
            "target": bob,
            "weight": "heavy",
        }


def test_a_relation_is_of_people_at_one_end_or_both(shelf: Path) -> None:
    mute(shelf, HIDDEN + '[privacy.relations]\nfriend = "all"\n')
    with pytest.raises(penchant.Error, match="relations"):
        penchant.open(shelf)
