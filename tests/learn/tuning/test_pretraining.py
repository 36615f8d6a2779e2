"""Pre-training makes a model foretell the catalogue's words better, and leaves a model folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from learn.tuning import made
from penchant.learn.tuning.config import TuningConfig
from penchant.learn.tuning.pretraining import IGNORED, cover, delete, pretrain
from penchant.learn.tuning.text_model import TextModel
from penchant.types import InvalidInput


def config(kind: Any, **more: Any) -> TuningConfig:
    told = {"pretraining_epochs": 15, "pretraining_rate": 3e-3, "batch": 20, "max_tokens": 32}
    return TuningConfig(pretraining=kind, **{**told, **more})


@pytest.mark.parametrize(
    ("kind", "task"),
    [
        ("bert", "masked"),
        ("roberta", "masked"),
        ("distilbert", "masked"),
        ("modernbert", "masked"),
        ("bert", "tsdae"),
        ("llama", "tsdae"),
        ("gpt2", "next_token"),
        ("llama", "next_token"),
        ("qwen2", "next_token"),
    ],
)
def test_its_loss_falls_and_the_weights_move(tmp_path: Path, kind: str, task: str) -> None:
    folder = made.model_folder(tmp_path / "model", kind)
    texts = made.texts()
    losses = pretrain(folder, [*texts, "", "🙂"], config(task), tmp_path / "after", "mark")
    assert np.mean(losses[-5:]) < 0.8 * np.mean(losses[:5])
    before, after = (TextModel.open(f).vectors(texts, 32) for f in (folder, tmp_path / "after"))
    assert float((before * after).sum(1).mean()) < 0.999
    assert not [*tmp_path.glob("*.safetensors")]


def test_what_is_done_is_not_done_again(tmp_path: Path) -> None:
    folder = made.model_folder(tmp_path / "model")
    short = config("tsdae", pretraining_epochs=1)
    first = pretrain(folder, made.texts(), short, tmp_path / "after", "mark")
    weights = (tmp_path / "after" / "model.safetensors").stat().st_mtime_ns
    assert pretrain(folder, made.texts(), short, tmp_path / "after", "mark") == first
    assert (tmp_path / "after" / "model.safetensors").stat().st_mtime_ns == weights
    assert pretrain(folder, made.texts(seed=9), short, tmp_path / "after", "other") != first


@pytest.mark.parametrize(
    ("kind", "task", "message"),
    [
        ("bert", "next_token", "reads in both directions"),
        ("llama", "masked", "decoder"),
    ],
)
def test_a_model_that_cannot_is_refused(tmp_path: Path, kind: str, task: str, message: str) -> None:
    folder = made.model_folder(tmp_path / "model", kind)
    with pytest.raises(InvalidInput, match=message):
        pretrain(folder, made.texts(), config(task), tmp_path / "after", "mark")


def test_texts_without_words_are_refused(tmp_path: Path) -> None:
    folder = made.model_folder(tmp_path / "model")
    with pytest.raises(InvalidInput, match="set pretraining to none"):
        pretrain(folder, ["", " "], config("masked"), tmp_path / "after", "mark")


def test_covering_asks_for_words_only_and_for_one_at_least() -> None:
    rng = np.random.default_rng(0)
    ids = np.concatenate((np.full((400, 1), 2), rng.integers(5, 60, (400, 20))), 1)
    ids[:, 15:] = 0
    given, wanted = cover(ids, {0, 2}, 4, 60, rng)
    asked = wanted != IGNORED
    assert asked.any(1).all()
    assert not asked[:, 0].any()
    assert not asked[:, 15:].any()
    assert asked[:, 1:15].mean() == pytest.approx(0.15, abs=0.04)
    np.testing.assert_array_equal(wanted[asked], ids[asked])
    np.testing.assert_array_equal(given[~asked], ids[~asked])
    assert (given[asked] == 4).mean() == pytest.approx(0.8, abs=0.05)


def test_deleting_leaves_four_tenths_of_the_words_in_order() -> None:
    rng = np.random.default_rng(0)
    row = [2, *range(10, 30), 3]
    left = delete(row, {2, 3}, rng)
    assert left[0] == 2
    assert left[-1] == 3
    assert len(left) == 2 + 8
    assert left[1:-1] == sorted(left[1:-1])
    assert delete([2, 9, 3], {2, 3}, rng) == [2, 9, 3]
    assert delete([2, 3], {2, 3}, rng) == [2, 3]
