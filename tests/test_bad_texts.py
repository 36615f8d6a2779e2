"""Texts that nobody would write, of items and in reviews, from the door to an answer.

With the default encoder, the words index and a training: whatever comes, answers stay finite.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import penchant
import world
from penchant.types import InvalidInput
from shelves import ids

TEXTS = {
    "empty": "",
    "blank": " \n\t\u3000 ",
    "emoji": "🎬",
    "family": "👨‍👩‍👧‍👦🏳️‍🌈",
    "mixed": "Привет 世界 שלום مرحبا नमस्ते สวัสดี hello 🌱 Ǆ ﬁ",
    "control": "a\x00b\x01\x1b[31m red \x7f\u202eesrever\u2066 \ufeff",
    "combining": "e" + "\u0301" * 5_000,
    "megabyte": "word 漢字 🌱 " * 100_000,
    "one long word": "x" * 1_000_000,
    "template": "{title} {{reviews}} %s </s> [SEP] [MASK]",
}
LONE = "half a pair: \ud83c, and the other \udfac"


@pytest.fixture(scope="module")
def engine(
    tmp_path_factory: pytest.TempPathFactory, encoder_folder: Path
) -> Iterator[penchant.Engine]:
    assert encoder_folder.exists()
    directory = tmp_path_factory.mktemp("texts") / "shelf"
    with penchant.open(directory, effort="fast") as opened:
        opened.add(world.items())
        opened.add([{"item_id": f"item {n}", "title": t, "description": t, "category": t[:40]}
                    for n, t in TEXTS.items()])  # fmt: skip
        opened.record(world.events(), now=world.NOW)
        opened.record(reviews(), now=world.NOW)
        opened.train()
        yield opened


def reviews() -> pl.DataFrame:
    """Return each text as a review of two items: of one of its kind, and of a known one."""
    rows = [
        {"user_id": f"critic {n}", "item_id": item, "event": "review", "text": text or None,
         "value": 5.0, "timestamp": world.NOW - 1000 + at}
        for at, (n, text) in enumerate(TEXTS.items())
        for item in (f"item {n}", "w1")
    ]  # fmt: skip
    return pl.DataFrame(rows)


def test_they_are_believed_and_learned_from(engine: penchant.Engine) -> None:
    assert engine.status().warnings == ()
    assert engine.status().snapshot != "untrained"
    served = engine._replica.follow()
    rows = served.vectors.rows(np.arange(served.columns.n, dtype=np.int32))
    known = np.isfinite(rows).all(axis=1)
    assert (known | np.isnan(rows).all(axis=1)).all()
    np.testing.assert_allclose(np.linalg.norm(rows[known], axis=1), 1, atol=0.02)
    without = {served.columns.ids[n] for n in np.flatnonzero(~known)}
    # What the vocabulary lacks altogether says nothing; what says something is read.
    assert {"item blank", "item empty"} <= without
    assert without <= {f"item {n}" for n in ("blank", "empty", "emoji", "family", "one long word")}


@pytest.mark.parametrize("name", TEXTS)
def test_whoever_asks_with_them_is_answered(engine: penchant.Engine, name: str) -> None:
    text = TEXTS[name][:2_000]
    slate = engine.recommend("ann", 5, text=text, now=world.NOW, log=False)
    assert len(slate) == 5
    assert all(np.isfinite(line.score) for line in slate)
    assert len(ids(engine.similar(f"item {name}", 3, now=world.NOW))) == 3


@pytest.mark.parametrize("name", TEXTS)
def test_a_review_of_them_is_in_the_next_answer(engine: penchant.Engine, name: str) -> None:
    served = engine._replica.follow()
    number = np.array([served.columns.number_of["cold"]], dtype=np.int32)
    before = served.vectors.rows(number).copy()
    event = {"user_id": f"late {name}", "item_id": "cold", "event": "review",
             "text": TEXTS[name], "timestamp": world.NOW - 5}  # fmt: skip
    if len(TEXTS[name].encode()) > 100_000:
        with pytest.raises(InvalidInput, match="at most 100000 bytes"):
            engine.record(event, now=world.NOW)
        event["text"] = TEXTS[name][:20_000]
    engine.record(event, now=world.NOW)
    after = engine._replica.follow().vectors.rows(number)
    assert np.isfinite(after).all()
    # What the encoder makes nothing of, such as an emoji alone, changes nothing.
    says = engine._replica._loading._readers.configured.encoder.encode([event["text"]]).any()
    assert (after != before).any() == says
    engine.forget(f"late {name}")
    np.testing.assert_array_equal(engine._replica.follow().vectors.rows(number), before)


def test_half_a_surrogate_pair_is_repaired_or_refused(engine: penchant.Engine) -> None:
    one = {"user_id": "zoe", "item_id": "w2", "event": "review", "timestamp": world.NOW - 9}
    with pytest.raises(InvalidInput):
        engine.record(one | {"text": LONE}, now=world.NOW)
    counts = engine.record([one | {"text": LONE}], now=world.NOW)
    assert sum(counts.get(name, 0) for name in ("new", "quarantined", "rejected")) >= 1
    engine.add([{"item_id": "lone", "title": LONE, "description": LONE}])
    slate = engine.recommend("ann", 3, text=LONE, now=world.NOW, log=False)
    assert all(np.isfinite(line.score) for line in slate)
