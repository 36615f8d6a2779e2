"""A model folder opens, reads any text, and is written as it was."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from learn.tuning import made
from penchant.language.encoder.weights import WeightsMissing
from penchant.learn.encoder.loaded import load
from penchant.learn.tuning.text_model import TextModel
from penchant.types import InvalidInput

LONG = "x" * 1_000_000
TEXTS = ["saddle red", "", "🙂", "violin " * 100, "中文 saddle", LONG, "\x00 ember \ud800"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made.model_folder(tmp_path_factory.mktemp("model") / "bert")


@pytest.mark.parametrize("kind", [*made.ENCODERS, *made.DECODERS])
def test_every_kind_of_model_is_written_as_it_was_opened(tmp_path: Path, kind: str) -> None:
    model = TextModel.open(made.model_folder(tmp_path / kind, kind))
    expected = model.vectors(TEXTS, 32)
    assert np.isnan(expected[1]).all()
    known = np.isfinite(expected[:, 0])
    np.testing.assert_allclose(np.linalg.norm(expected[known], axis=1), 1.0, rtol=1e-5)
    assert model.module.pooling == ("last" if kind in made.DECODERS else "mean")
    assert load(tmp_path / kind).limit == 64
    model.save(tmp_path / "saved")
    again = TextModel.open(tmp_path / "saved")
    assert again.module.pooling == model.module.pooling
    np.testing.assert_allclose(again.vectors(TEXTS, 32), expected, atol=1e-6)
    # A row does not depend on its neighbours.
    np.testing.assert_allclose(again.vectors(TEXTS[:1], 32)[0], expected[0], atol=1e-5)


def test_the_last_token_is_found_on_either_side_of_the_padding(tmp_path: Path) -> None:
    module = TextModel.open(made.model_folder(tmp_path / "llama", "llama")).module
    words = torch.tensor([[5, 6, 7, 8]])
    pad = torch.zeros(1, 3, dtype=torch.long)
    seen, unseen = torch.ones(1, 4, dtype=torch.long), torch.zeros(1, 3, dtype=torch.long)
    with torch.no_grad():
        alone = module(words, seen)
        right = module(torch.cat((words, pad), 1), torch.cat((seen, unseen), 1))
        left = module(torch.cat((pad, words), 1), torch.cat((unseen, seen), 1))
    torch.testing.assert_close(right, alone, atol=1e-5, rtol=0)
    # Rotated positions know distances alone, so that the shift makes no difference.
    torch.testing.assert_close(left, alone, atol=1e-4, rtol=0)


def test_a_hub_id_without_a_network_says_how_to_provide_the_files(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(WeightsMissing, match=r"hf download nobody/nothing --local-dir"):
        TextModel.open("nobody/nothing")


def test_texts_that_are_no_strings_are_refused(folder: Path) -> None:
    with pytest.raises(InvalidInput, match="position 1"):
        TextModel.open(folder).vectors(["a", None], 8)  # type: ignore[list-item]
