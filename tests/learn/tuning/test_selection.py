from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from learn.tuning import made
from learn.tuning.test_fit import QUICK
from penchant.learn.tuning import selection
from penchant.learn.tuning.config import Objectives
from penchant.learn.tuning.selection import paying
from penchant.types import InvalidInput


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
        assert one.value is not None
        assert one.kept == (one.value > best)
        best = max(best, one.value)
    stayed = {one.what for one in tried if one.kept}
    assert bool(kept.objectives.together) == ("together" in stayed)
    assert bool(kept.objectives.next_item) == ("next_item" in stayed)
    assert bool(kept.hard_negatives) == ("hard_negatives" in stayed)
    assert (kept.pretraining == "masked") == ("pretraining" in stayed)
    assert (kept.objectives.category, kept.most_seconds) == (5.0, 77.0)


ASKED = replace(
    QUICK, epochs=1, objectives=Objectives(together=1.0, next_item=0.1), pretraining="next_token"
)


def test_what_the_model_cannot_do_is_left_out_and_says_so(tmp_path: Path) -> None:
    folder = made.model_folder(tmp_path / "bert")
    behaviour, validate = made.behaviour()
    kept, tried = paying(folder, behaviour, ASKED, validate=validate, seconds=30.0)
    assert (tried[-1].what, tried[-1].value, tried[-1].kept) == ("pretraining", None, False)
    assert "for decoders" in tried[-1].problem
    assert kept.pretraining == "none"


def test_trials_that_are_done_are_not_done_again_after_a_kill(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = made.model_folder(tmp_path / "bert")
    behaviour, validate = made.behaviour()
    began: list[str] = []
    tune = selection.tune

    def killed(source: Path, data: object, config: object, target: Path, **more: object) -> object:
        began.append(target.name)
        if len(began) == 2:
            raise KeyboardInterrupt
        return tune(source, data, config, target, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(selection, "tune", killed)
    with pytest.raises(KeyboardInterrupt):
        paying(folder, behaviour, ASKED, validate=validate, seconds=30.0, workspace=tmp_path)
    whole = paying(folder, behaviour, ASKED, validate=validate, seconds=30.0, workspace=tmp_path)
    assert began == ["0", "1", "1", "2"]
    assert whole == paying(folder, behaviour, ASKED, validate=validate, seconds=30.0)
    # Another question is another trial.
    more = replace(ASKED, seed=1)
    paying(folder, behaviour, more, validate=validate, seconds=30.0, workspace=tmp_path)
    assert len(began) == 10


def test_the_first_of_them_has_to_be_possible(tmp_path: Path) -> None:
    folder = made.model_folder(tmp_path / "bert")
    behaviour, validate = made.behaviour()
    alone = replace(QUICK, objectives=Objectives(together=0.0, value=1.0))
    nothing = replace(behaviour, values=None)
    with pytest.raises(InvalidInput, match="value"):
        paying(folder, nothing, alone, validate=validate, seconds=30.0)
