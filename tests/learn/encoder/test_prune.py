from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from penchant.language.encoder.sentence import SentenceEncoder
from penchant.language.whitening import Whitening
from penchant.learn.encoder.export import LEAST_COSINE, export
from penchant.learn.encoder.loaded import load
from penchant.learn.encoder.prune import candidates, choose, fewer_layers, shorter, vectors
from penchant.types import InvalidInput

from .kinds import dense, tiny

WORDS = ["a", "quiet", "western", "old", "sheriff", "red", "wine", "glass", "tea", "cake", "set"]
RNG = np.random.default_rng(4)
TEXTS = [" ".join(RNG.choice(WORDS, RNG.integers(1, 9))) for _ in range(40)]


def test_ways_of_keeping_layers() -> None:
    assert candidates(6, 3) == [(0, 1, 2), (0, 2, 5), (0, 2, 4), (0, 1, 5)]
    assert candidates(6, 6) == [(0, 1, 2, 3, 4, 5)]
    assert all(len({*c}) == 4 and c[0] == 0 for c in candidates(12, 4))
    with pytest.raises(InvalidInput, match="between 1 and 6"):
        candidates(6, 0)


@pytest.mark.parametrize("kind", ["bert", "distilbert", "roberta", "gpt2", "qwen3"])
def test_a_model_of_fewer_layers_computes_what_the_whole_one_does_without_them(
    tmp_path: Path, kind: str
) -> None:
    source = tiny(tmp_path / "whole", kind, layers=4)
    target = fewer_layers(source, tmp_path / "fewer", [0, 1])
    before, after = load(source), load(target)
    assert after.module.pooling == before.module.pooling
    # Without layers 2 and 3, hidden states after the second are what is left to pool.
    ids = np.array([before.tokenizer.encode("old red wine glass").ids])
    with torch.no_grad():
        whole = before.module.transformer(torch.from_numpy(ids), output_hidden_states=True)
        fewer = after.module.transformer(torch.from_numpy(ids), output_hidden_states=True)
    np.testing.assert_allclose(whole.hidden_states[1], fewer.hidden_states[1], atol=1e-5)
    assert len(fewer.hidden_states) == 3
    assert sum(p.numel() for p in after.module.parameters()) < sum(
        p.numel() for p in before.module.parameters()
    )


def test_layers_that_do_nothing_are_the_ones_left_out(tmp_path: Path) -> None:
    source = tiny(tmp_path / "whole", "gpt2", layers=4)
    loaded = load(source)
    for layer in (loaded.module.transformer.h[i] for i in (1, 3)):
        # A layer adds to what goes by: with nothing to add, it does nothing.
        for part in (layer.attn.c_proj, layer.mlp.c_proj):
            torch.nn.init.zeros_(part.weight)
            torch.nn.init.zeros_(part.bias)
    loaded.module.transformer.save_pretrained(source)
    found = choose(source, 2, TEXTS)
    assert found.layers == (0, 2)
    assert found.agreement > 0.999999
    fewer = fewer_layers(source, tmp_path / "fewer", found.layers)
    np.testing.assert_allclose(vectors(load(fewer), TEXTS), vectors(load(source), TEXTS), atol=1e-5)


def test_shorter_vectors_are_the_first_principal_directions(tmp_path: Path) -> None:
    source = tiny(tmp_path / "bert", "bert")
    whole = vectors(load(source), TEXTS)
    short = vectors(load(shorter(source, tmp_path / "short", whole, 8)), TEXTS)
    expected = Whitening.fit(whole, 8, floor=1.0)(whole)
    np.testing.assert_allclose(short, expected, atol=1e-4)
    centred = whole - whole.mean(0)
    spread = [np.square(centred @ np.linalg.svd(centred)[2][:8].T).sum()]
    assert spread[0] > np.square(centred[:, :8]).sum()
    # Once more, behind the dense layer that is there by now.
    again = vectors(load(shorter(tmp_path / "short", tmp_path / "again", short, 4)), TEXTS)
    np.testing.assert_allclose(again, Whitening.fit(short, 4, floor=1.0)(short), atol=1e-4)


def test_a_smaller_model_is_exported_like_any_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Without their common direction, vectors of a random model differ by what int8 blurs.
    monkeypatch.setitem(LEAST_COSINE, "int8", 0.5)
    source = dense(tiny(tmp_path / "whole", "bert", layers=3), "torch.nn.modules.linear.Identity")
    fewer = fewer_layers(source, tmp_path / "fewer", [0, 2])
    short = shorter(fewer, tmp_path / "short", vectors(load(fewer), TEXTS), 6)
    meta = export(short, tmp_path / "export")
    assert meta["dimension"] == 6
    got = SentenceEncoder(tmp_path / "export", precision="fp32", max_tokens=64).encode(TEXTS)
    np.testing.assert_allclose(got, vectors(load(short), TEXTS), atol=1e-5)


def test_bad_input_is_refused(tmp_path: Path) -> None:
    source = tiny(tmp_path / "bert", "bert")
    for layers in ([], [1, 0], [0, 0], [0, 2], [-1]):
        with pytest.raises(InvalidInput, match="rising numbers from 0 to 1"):
            fewer_layers(source, tmp_path / "fewer", layers)
    rows = vectors(load(source), TEXTS)
    with pytest.raises(InvalidInput, match="vectors of 32"):
        shorter(source, tmp_path / "short", rows[:, :5], 3)
    for dimension in (0, 33):
        with pytest.raises(InvalidInput, match="between 1 and 32"):
            shorter(source, tmp_path / "short", rows, dimension)
    with pytest.raises(InvalidInput, match="3 texts"):
        choose(source, 1, ["tea"])
    assert not (tmp_path / "fewer").exists()
    assert not (tmp_path / "short").exists()
