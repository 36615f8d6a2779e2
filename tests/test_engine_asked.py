"""Words of others, through the verbs: each answer that is taken changes the next one in words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import penchant
from penchant.evaluate.simulate import Simulation
from penchant.recall import asked, lexical

ASKED = "something slow for a rainy sunday with my grandmother"
ALIKE = "a slow film for a rainy sunday afternoon with grandmother"
TAKEN = "solaris-1972"


def shares(engine: penchant.Engine, text: str, now: float) -> dict[str, float]:
    """Return what the source says of each candidate that it knows."""
    slate = engine.recommend(None, 10, text=text, now=now, log=False)
    assert slate.trace.pool is not None
    pool = slate.trace.pool
    said = pool.features[:, pool.names.index("asked")].tolist()
    ids = [engine._replica.follow().columns.ids[item] for item in pool.items]
    return {item: share for item, share in zip(ids, said, strict=True) if share == share}


def take(engine: penchant.Engine, who: str, now: float, text: str = ASKED) -> None:
    engine.record(penchant.Event(who, None, "search", now - 60, text=text), now=now)
    engine.record(penchant.Event(who, TAKEN, "click", now - 30), now=now)


@pytest.fixture
def engine(own_shelf: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[penchant.Engine]:
    # A busy machine answers a first question without what it has not read yet.
    monkeypatch.setattr(lexical, "WAIT", 60.0)
    monkeypatch.setattr(asked, "PATIENCE", 60.0)
    with penchant.open(own_shelf) as engine:
        yield engine


def test_what_others_took_is_in_the_next_answer_and_gone_with_them(
    engine: penchant.Engine, viewers: Simulation
) -> None:
    now = viewers.end + 3600.0
    before = shares(engine, ALIKE, now)
    assert before.get(TAKEN, 0.0) < 0.05
    take(engine, "somebody", now)
    after = shares(engine, ALIKE, now)
    assert after[TAKEN] > 0.3
    assert after[TAKEN] == max(after.values())
    engine.forget("somebody")
    assert shares(engine, ALIKE, now) == pytest.approx(before, abs=1e-6)


def test_an_engine_that_opens_later_answers_alike(
    engine: penchant.Engine, own_shelf: Path, viewers: Simulation
) -> None:
    now = viewers.end + 3600.0
    take(engine, "somebody", now)
    take(engine, "else", now, "war films")
    live = shares(engine, ALIKE, now)
    with penchant.open(own_shelf) as later:
        assert shares(later, ALIKE, now) == live


def test_it_raises_the_item_and_says_so(engine: penchant.Engine, viewers: Simulation) -> None:
    now = viewers.end + 3600.0

    def place() -> int:
        slate = engine.recommend(None, 100, text=ALIKE, now=now, log=False)
        found = [line.item_id for line in slate]
        return found.index(TAKEN) if TAKEN in found else len(found)

    before = place()
    for number in range(3):
        take(engine, f"somebody {number}", now)
    assert place() < min(before, 10)
    slate = engine.recommend(None, 10, text=ALIKE, now=now)
    said = engine.explain(slate, TAKEN)
    assert "others took it who asked in words like yours" in said.sentence


def test_what_is_not_wanted_teaches_nothing(engine: penchant.Engine, viewers: Simulation) -> None:
    now = viewers.end + 3600.0
    engine.record(penchant.Event("somebody", None, "search", now - 60, text=ASKED), now=now)
    engine.record(penchant.Event("somebody", TAKEN, "dislike", now - 30), now=now)
    assert shares(engine, ALIKE, now).get(TAKEN, 0.0) < 0.05
