"""What somebody wrote of an item is in the very next answer, and out of it once they are forgotten.

With the default encoder, through the verbs of the engine alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import penchant
import world
from shelves import elsewhere

QUESTION = "submarine under the polar ice"
REVIEW = {
    "user_id": "zoe",
    "item_id": "s4",
    "event": "review",
    "value": 3.0,
    "text": "It ends in a submarine under the polar ice, of all places!",
    "timestamp": world.NOW - 60,
}


def asked(engine: penchant.Engine) -> list[tuple[str, float]]:
    slate = engine.recommend(history=(), text=QUESTION, k=13, now=world.NOW, log=False)
    return [(line.item_id, line.score) for line in slate]


def alike(engine: penchant.Engine) -> list[tuple[str, float]]:
    slate = engine.similar("s1", 12, now=world.NOW)
    return [(line.item_id, line.score) for line in slate]


def filled(directory: Path) -> Path:
    with penchant.open(directory) as engine:
        engine.add(world.items())
        engine.record(world.events(), now=world.NOW)
    return directory


def test_a_review_is_in_the_next_answer_in_words_and_forgotten_with_its_writer(
    tmp_path: Path, encoder_folder: Path
) -> None:
    shelf = filled(tmp_path / "shelf")
    with penchant.open(shelf) as engine, penchant.open(shelf) as beside:
        before, same = asked(engine), alike(engine)
        assert before[0][0] != "s4"
        assert asked(beside) == before
        engine.record(REVIEW, now=world.NOW)
        told = asked(engine)
        assert told[0][0] == "s4"
        assert asked(beside) == told
        assert engine.items(["s4"])[0].description == world.ITEMS["s4"][2]
        assert engine.forget("zoe") == 1
        assert asked(engine) == before
        assert alike(engine) == same
        assert asked(beside) == before
    with penchant.open(shelf) as engine:
        assert asked(engine) == before


def test_a_process_of_its_own_reads_and_writes_them(tmp_path: Path, encoder_folder: Path) -> None:
    shelf = filled(tmp_path / "shelf")
    ask = f"engine.recommend(history=(), text={QUESTION!r}, k=13, now={world.NOW}, log=False)"
    code = (
        "import sys, penchant\n"
        "with penchant.open(sys.argv[1]) as engine:\n"
        f"    first = {ask}[0].item_id\n"
        f"    engine.record({REVIEW!r}, now={world.NOW})\n"
        f"    print(first, {ask}[0].item_id)\n"
    )
    with penchant.open(shelf) as engine:
        before: Any = asked(engine)
        assert elsewhere(code, shelf) == f"{before[0][0]} s4"
        assert asked(engine)[0][0] == "s4"
        engine.forget("zoe")
        assert asked(engine) == before
