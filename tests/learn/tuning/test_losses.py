from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from penchant.learn.tuning.losses import autoencoder, bce, softmax


def unit(rows: int, seed: int = 0) -> torch.Tensor:
    return F.normalize(torch.randn(rows, 4, generator=torch.Generator().manual_seed(seed)), dim=1)


def test_softmax_corrects_for_how_often_an_item_is_offered() -> None:
    asked, offered = unit(3), unit(5, 1)
    right = torch.tensor([0, 2, 4])
    often = torch.tensor([0.5, 0.2, 0.1, 0.1, 0.1])
    none = torch.zeros(3, 5, dtype=torch.bool)
    found = softmax(asked, offered, right, often, none, 0.1)
    logits = (asked @ offered.T / 0.1 - often.log()).numpy().astype(np.float64)
    expected = np.log(np.exp(logits).sum(1)) - logits[range(3), right]
    np.testing.assert_allclose(float(found), expected.mean(), rtol=1e-5)


def test_what_is_barred_is_no_mistake_unless_it_is_the_answer() -> None:
    asked = torch.eye(4)[:2]
    offered = torch.eye(4)[[0, 0, 1]]
    right, often = torch.tensor([0, 2]), torch.ones(3)
    barred = torch.tensor([[True, True, False], [False, False, False]])
    free = softmax(asked, offered, right, often, torch.zeros_like(barred), 0.05)
    kind = softmax(asked, offered, right, often, barred, 0.05)
    assert float(kind) < 1e-6 < float(free)
    assert float(bce(asked, offered, right, barred, 0.05)) < float(
        bce(asked, offered, right, torch.zeros_like(barred), 0.05)
    )


def test_bce_falls_when_the_right_one_comes_near() -> None:
    asked, offered = unit(6), unit(6, 1)
    right, none = torch.arange(6), torch.zeros(6, 6, dtype=torch.bool)
    far = bce(asked, offered, right, none, 0.1)
    near = bce(asked, F.normalize(offered + asked, dim=1), right, none, 0.1)
    same = bce(asked, asked, right, none, 0.1)
    assert float(far) > float(near) > float(same) > 0


def test_the_autoencoder_is_the_written_formula() -> None:
    vectors = unit(5)
    wanted = torch.tensor([[1.0, 1, 0, 0, 0], [0, 1, 1, 1, 0]])
    a, x = vectors.double().numpy(), wanted.double().numpy()
    foretold = np.maximum(x @ (a @ a.T - np.eye(5)), 0)
    rows = [r / max(np.linalg.norm(r), 1e-12) for r in foretold]
    expected = np.square(np.array(rows) - x / np.linalg.norm(x, axis=1, keepdims=True)).sum(1)
    np.testing.assert_allclose(float(autoencoder(vectors, wanted)), expected.mean(), rtol=1e-4)


def test_the_autoencoder_is_content_where_what_goes_together_is_near() -> None:
    wanted = torch.tensor([[1.0, 1, 0, 0], [0, 0, 1, 1]])
    apart = torch.eye(4)
    paired = torch.eye(4)[[0, 0, 1, 1]]
    assert float(autoencoder(paired, wanted)) < 1e-6
    assert float(autoencoder(apart, wanted)) == pytest.approx(1.0)
