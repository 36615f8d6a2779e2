"""However texts are read for a training, the vectors and gradients are those of the model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from learn.tuning import made
from penchant.learn.tuning.reading import Reading, TopReading, backward
from penchant.learn.tuning.text_model import TextModel, pieces


@pytest.mark.parametrize("kind", [*made.ENCODERS, *made.DECODERS])
def test_the_top_alone_reads_what_the_whole_model_reads(tmp_path: Path, kind: str) -> None:
    model = TextModel.open(made.model_folder(tmp_path / kind, kind))
    texts = [*made.texts(20), "", "red " * 30]
    whole, top = Reading(model, texts, 32), TopReading(model, texts, 32, 1)
    np.testing.assert_allclose(top.vectors(), whole.vectors(), atol=1e-5)
    # One text alone, beside longer ones, and in another order.
    items = np.array([20 + 1, 3, 8])
    with torch.no_grad():
        np.testing.assert_allclose(top.encode(items).numpy(), whole.vectors()[items], atol=1e-5)
    np.testing.assert_allclose(Reading(model, texts, 32).vectors(), whole.vectors(), atol=1e-6)


@pytest.mark.parametrize("dropout", [False, True])
def test_gradients_are_the_same_however_few_tokens_are_held(tmp_path: Path, dropout: bool) -> None:
    found = []
    items = np.arange(1, 40, 2)
    for held in (10_000, 60, 1):
        model = TextModel.open(made.model_folder(tmp_path / str(held)))
        model.module.train(dropout)
        reading = Reading(model, made.texts(), 16)
        target = torch.linspace(-1, 1, 32)

        def loss(vectors: torch.Tensor, target: torch.Tensor = target) -> torch.Tensor:
            # Not the same for every place, so that an order that is lost is seen.
            return (vectors * torch.arange(len(vectors)).unsqueeze(1) @ target).square().mean()

        value = backward(reading, items, loss, held=held, seed=3)
        gradient = model.module.transformer.encoder.layer[0].attention.self.query.weight.grad
        found.append((value, gradient.clone()))
    if dropout:
        # Pieces of another size are dropped out otherwise.
        assert found[0][0] != found[1][0]
        return
    for value, gradient in found[1:]:
        assert value == pytest.approx(found[0][0], rel=1e-4)
        torch.testing.assert_close(gradient, found[0][1], rtol=1e-3, atol=1e-5)


def test_pieces_are_of_like_length_and_bounded() -> None:
    lengths = np.array([3, 50, 4, 50, 5, 200])
    cut = [piece.tolist() for piece in pieces(np.arange(6), lengths, tokens=100)]
    assert cut == [[0, 2, 4], [1, 3], [5]]
    many = [len(piece) for piece in pieces(np.arange(150), np.ones(150, np.int64))]
    assert many == [64, 64, 22]
    assert [*pieces(np.zeros(0, np.int64), lengths)] == []
