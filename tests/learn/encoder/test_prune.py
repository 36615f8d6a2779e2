from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from learn.tuning import made
from penchant.learn.encoder import adapters
from penchant.learn.encoder.pooled import Pooled, opened
from penchant.learn.encoder.prune import only, prune, prune_folder
from penchant.learn.tuning.text_model import TextModel
from penchant.types import Error, Floats, InvalidInput


def vectors(module: Pooled, folder: Path) -> Floats:
    return TextModel(replace(opened(folder), module=module)).vectors(made.texts(12), 16)


@pytest.mark.parametrize("kind", [*made.ENCODERS, *made.DECODERS])
def test_what_is_written_is_what_was_validated(tmp_path: Path, kind: str) -> None:
    folder = made.model_folder(tmp_path / kind, kind)
    whole = vectors(opened(folder).module, folder)
    asked: list[Floats] = []

    def value(module: Pooled) -> float:
        asked.append(vectors(module, folder))
        return float((asked[-1] * whole).sum(1).mean())

    found = prune_folder(folder, tmp_path / "small", 1, value)
    assert [len(step.kept) for step in found] == [2, 1]
    assert found[0].value == pytest.approx(1.0)
    best = max(asked[1:], key=lambda rows: float((rows * whole).sum(1).mean()))
    again = TextModel.open(tmp_path / "small")
    assert again.module.transformer.config.num_hidden_layers == 1
    np.testing.assert_allclose(again.vectors(made.texts(12), 16), best, atol=1e-5)


def test_the_model_that_was_given_is_left_as_it_is(tmp_path: Path) -> None:
    folder = made.model_folder(tmp_path / "bert")
    module = opened(folder).module
    before = vectors(module, folder)
    small, _ = prune(module, 1, lambda one: 0.0)
    np.testing.assert_array_equal(vectors(module, folder), before)
    assert len(adapters.blocks(module.transformer)) == 2
    # Nothing is copied but what counts blocks.
    large = module.transformer.get_input_embeddings().weight
    assert small.transformer.get_input_embeddings().weight.data_ptr() == large.data_ptr()


def test_all_blocks_in_their_order_are_the_model(tmp_path: Path) -> None:
    folder = made.model_folder(tmp_path / "bert")
    module = opened(folder).module
    with torch.no_grad():
        np.testing.assert_array_equal(
            vectors(only(module, (0, 1)), folder), vectors(module, folder)
        )


def test_more_or_fewer_blocks_than_there_are_is_refused(tmp_path: Path) -> None:
    module = opened(made.model_folder(tmp_path / "bert")).module
    for left in (0, 3):
        with pytest.raises(InvalidInput, match="expected 1 to 2"):
            prune(module, left, lambda one: 0.0)
    module.adapter = adapters.Prefix(module.transformer, 2)
    with pytest.raises(Error, match="prune the model before"):
        only(module, (0,))
