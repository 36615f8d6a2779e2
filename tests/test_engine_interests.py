"""Interests under their person's control: what they change, the next answer obeys."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import penchant
import world
from penchant import Event
from penchant.rank.answer.asking import UnknownItem
from penchant.rank.answer.profiles import UnknownInterest
from penchant.types import InvalidInput
from shelves import elsewhere, filled, ids, mute

NOW = world.NOW


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[penchant.Engine]:
    with penchant.open(filled(tmp_path / "shelf")) as opened:
        yield opened


def kinds(engine: penchant.Engine, user: str, now: float = NOW, k: int = 4) -> set[str]:
    return {item[0] for item in ids(engine.recommend(user, k, now=now, seen="keep"))}


def test_a_muted_interest_is_not_recommended_until_it_is_restored(engine) -> None:
    assert "w" in kinds(engine, "ann")
    found = engine.adjust("ann", "Western", now=NOW)
    assert [(one.name, one.adjusted) for one in found] == [("western", "mute")]
    assert kinds(engine, "ann", k=20) == {"s"}
    assert "w" in kinds(engine, "ben", k=20)
    assert "w" in {i[0] for i in ids(engine.similar("w1", now=NOW))}
    # A list that a caller brings is kept whole.
    assert len(engine.rank("ann", ["w6", "s6"], now=NOW)) == 2
    assert engine.adjust("ann", "western", "restore", now=NOW)[0].adjusted == ""
    assert "w" in kinds(engine, "ann")


def test_an_answer_about_an_earlier_moment_does_not_know_it(engine) -> None:
    engine.adjust("ann", "western", now=NOW)
    assert "w" in kinds(engine, "ann", now=NOW - 1)
    assert engine.interests("ann", now=NOW - 1)[0].adjusted == ""


def test_a_raised_interest_stands_higher_and_says_why(engine) -> None:
    engine.record(Event("ivy", "w4", timestamp=NOW - 5), now=NOW)
    before = ids(engine.recommend("ivy", 12, now=NOW, seen="keep"))
    found = engine.adjust("ivy", "space", "raise", now=NOW)
    assert {one.name: one.adjusted for one in found}["space"] == "raise"
    slate = engine.recommend("ivy", 12, now=NOW, seen="keep")

    def places(items: list[str]) -> float:
        at = [place for place, item in enumerate(items) if item[0] == "s"]
        return sum(at) / len(at)

    assert places(ids(slate)) < places(before)
    first = next(item for item in ids(slate) if item[0] == "s")
    causes = engine.explain(slate, first).contributions
    assert "what you asked for more of" in [cause.name for cause in causes]
    score = next(line.score for line in slate if line.item_id == first)
    assert sum(cause.weight for cause in causes) == pytest.approx(score, abs=1e-4)


def test_a_deleted_interest_is_gone_until_it_is_wished_for_again(engine) -> None:
    assert {one.name for one in engine.interests("ivy", now=NOW)} == {"western", "space"}
    assert [one.name for one in engine.adjust("ivy", "western", "delete", now=NOW)] == ["space"]
    assert kinds(engine, "ivy", k=2) == {"s"}
    engine.record(Event("ivy", "w5", timestamp=NOW + 5), now=NOW + 5)
    again = engine.interests("ivy", now=NOW + 5)
    assert {one.name for one in again} == {"western", "space"}
    assert dict((one.name, one.evidence) for one in again)["western"] == ("w5",)


def test_an_item_is_taken_out_of_a_history(engine) -> None:
    held = len(engine.export("ivy")["events"])
    engine.record(Event("ivy", "w1", "like", timestamp=NOW), now=NOW)
    assert engine.withdraw("ivy", "w1") == 2
    assert len(engine.export("ivy")["events"]) == held - 1
    assert "w1" not in dict((one.name, one.evidence) for one in engine.interests("ivy"))["western"]
    assert "w1" in ids(engine.recommend("ivy", 20, now=NOW))
    assert engine.withdraw("ivy", "w1") == 0
    assert engine.withdraw("nobody", "w1") == 0
    with pytest.raises(UnknownItem):
        engine.withdraw("ivy", "elsewhere")


def test_what_nobody_is_called_cannot_be_changed(engine) -> None:
    with pytest.raises(UnknownInterest, match="did you mean 'western'"):
        engine.adjust("ann", "westerns")
    with pytest.raises(UnknownInterest, match="interests\\(\\) has the names"):
        engine.adjust("ann", "opera", "restore")
    with pytest.raises(InvalidInput, match="mute, raise, delete, restore"):
        engine.adjust("ann", "western", "love")
    for nothing in ("", "  ", None, 7):
        with pytest.raises(InvalidInput, match="the name of an interest"):
            engine.adjust("ann", nothing)


def test_an_interest_that_left_the_catalogue_is_told_and_can_be_let_go(engine) -> None:
    engine.adjust("ann", "space", now=NOW)
    engine.add([{"item_id": item, "title": item, "category": "western"} for item in world.SPACE])
    directory = engine.directory
    engine.close()
    with penchant.open(directory) as again:
        assert again.interests("ann", now=NOW).gone == ("space",)
        assert "w" in kinds(again, "ann", k=20)
        assert again.adjust("ann", "space", "restore", now=NOW).gone == ()


def test_another_process_obeys(engine) -> None:
    engine.adjust("ann", "western", now=NOW)
    code = """
import sys, penchant
with penchant.open(sys.argv[1]) as engine:
    print(sorted({line.item_id[0] for line in engine.recommend("ann", 20, now=float(sys.argv[2]))}))
"""
    assert elsewhere(code, engine.directory, NOW) == "['s']"


def test_it_goes_with_its_person(engine) -> None:
    engine.adjust("jo", "western", now=NOW)
    (event,) = engine.export("jo")["events"]
    assert (event["event"], event["text"]) == ("mute_interest", "western")
    assert engine.merge("jo", into="hal") == 1
    assert [one.name for one in engine.interests("hal", now=NOW) if one.adjusted] == []
    assert kinds(engine, "hal", k=20) == {"s"}
    engine.forget("hal")
    assert kinds(engine, "hal", k=20) == {"s", "w", "c"}


def test_a_name_is_no_search(tmp_path: Path) -> None:
    with penchant.open(filled(tmp_path / "shelf")) as engine:
        plain = ids(engine.recommend("jo", 5, now=NOW + 1))
        engine.adjust("jo", "western", "raise", now=NOW)
        engine.adjust("jo", "western", "restore", now=NOW)
        assert ids(engine.recommend("jo", 5, now=NOW + 1)) == plain


def test_it_is_recorded_where_consent_is_asked_for(tmp_path: Path) -> None:
    shelf = mute(tmp_path / "shelf", '[encoder]\nmodel = "none"\n[privacy]\nconsent = "required"\n')
    with penchant.open(shelf) as engine:
        engine.add(world.items())
        engine.adjust("ann", "western", now=NOW)
        assert kinds(engine, "ann", k=20) == {"s"}
