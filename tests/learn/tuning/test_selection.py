from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from learn.tuning import made
from learn.tuning.test_fit import QUICK
from penchant.learn.tuning.config import Objectives
from penchant.learn.tuning.selection import paying


def test_only_what_pays_is_kept(tmp_path: Path) -> None:
    folder = made.model_folder(tmp_path / "bert")
    behaviour, validate = made.behaviour()
    asked = replace(
        QUICK,
        epochs=1,
        objectives=Objectives(together=1.0, next_item=0.1, category=5.0),
        hard_negatives=1,
        pretraining="masked",
        most_seconds=77.0,
    )
    # The largest weight comes first, and here category is the truth that behaviour only tells of.
    kept, tried = paying(folder, behaviour, asked, validate=validate, seconds=30.0)
    names = [one.what for one in tried]
    assert names == ["category", "together", "next_item", "hard_negatives", "pretraining"]
    best = float("-inf")
    for one in tried:
        assert one.kept == (one.value > best)
        best = max(best, one.value)
    stayed = {one.what for one in tried if one.kept}
    assert bool(kept.objectives.together) == ("together" in stayed)
    assert bool(kept.objectives.next_item) == ("next_item" in stayed)
    assert bool(kept.hard_negatives) == ("hard_negatives" in stayed)
    assert (kept.pretraining == "masked") == ("pretraining" in stayed)
    assert (kept.objectives.category, kept.most_seconds) == (5.0, 77.0)
