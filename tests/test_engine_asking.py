"""What to ask a new person, as an engine is asked: at once, after answers, before a training."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import crowd
import penchant
import world
from penchant import Event
from penchant.types import InvalidInput
from shelves import mute


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[penchant.Engine]:
    """The tiny world many times over, learned."""
    directory = crowd.filled(tmp_path_factory.mktemp("asking") / "shelf")
    with penchant.open(directory, effort="fast") as opened:
        report = opened.train()
        assert report.data["interests"]["tastes"] > 50
        yield opened


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[penchant.Engine]:
    """A shelf of the tiny world that has learned nothing."""
    with penchant.open(mute(tmp_path / "shelf")) as opened:
        opened.add(world.items())
        opened.record(world.events(), now=world.NOW)
        yield opened


def test_a_stranger_is_asked_what_separates(engine: penchant.Engine) -> None:
    found = engine.ask("nobody knows", 4, now=crowd.NOW)
    assert len({one.item_id for one in found}) == 4
    assert all(one.title and one.about for one in found)
    assert all(0 <= one.likely <= 1 and one.bits >= 0 for one in found)
    assert "cold" not in {one.item_id for one in found}  # nobody knows it


def test_answers_are_events_and_lead_on(plain: penchant.Engine) -> None:
    (first,) = plain.ask("new", 1, now=world.NOW)
    plain.record(Event("new", first.item_id, timestamp=world.NOW), now=world.NOW)
    again = plain.ask("new", 5, now=world.NOW + 1)
    assert first.item_id not in {one.item_id for one in again}
    slate = plain.recommend("new", 3, now=world.NOW + 1)
    assert {one.item_id[0] for one in slate} == {first.item_id[0]}


def test_what_was_asked_without_a_yes_is_not_asked_again(engine: penchant.Engine) -> None:
    first = engine.ask("new", 3, now=crowd.NOW)
    again = engine.ask("new", 3, exclude=[one.item_id for one in first], now=crowd.NOW)
    assert not {one.item_id for one in first} & {one.item_id for one in again}


def test_who_did_everything_is_asked_nothing(plain: penchant.Engine) -> None:
    events = [Event("keen", item, timestamp=world.NOW) for item in world.ITEMS]
    plain.record(events, now=world.NOW)
    assert plain.ask("keen", 5, now=world.NOW + 1) == ()


def test_before_any_event_and_of_an_empty_shelf(tmp_path: Path) -> None:
    with penchant.open(mute(tmp_path / "shelf")) as empty:
        assert empty.ask("a", 5) == ()
        empty.add([{"item_id": "only", "title": "Only"}])
        (one,) = empty.ask("a", 5)
        assert (one.item_id, one.title, one.gain) == ("only", "Only", 0.0)


@pytest.mark.parametrize("k", [0, 21, 2.5, True, "5"])
def test_a_wrong_number_is_refused(engine: penchant.Engine, k: object) -> None:
    with pytest.raises(InvalidInput, match="k is a whole number from 1 to"):
        engine.ask("a", k)  # type: ignore[arg-type]


def test_wrong_ids_are_refused(engine: penchant.Engine) -> None:
    with pytest.raises(InvalidInput, match="exclude"):
        engine.ask("a", exclude="w1")
    with pytest.raises(InvalidInput, match="user_id"):
        engine.ask("")
    assert engine.ask("a", exclude=["unheard of"])
