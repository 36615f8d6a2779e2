"""Trees scored by crossed-out bits are the trees that LightGBM and onnxruntime score by walking."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import lightgbm
import numpy as np
import pytest

from penchant.learn.scorer import ranker
from penchant.rank.scorers.grown import MOST_LEAVES
from penchant.rank.scorers.ranker import Ranker
from penchant.rank.scorers.trees import Trees
from rank.scorers.test_ranker import CONFIG, MODES, NAMES, draw


def booster_of(mode: str, leaves: int) -> lightgbm.Booster:
    return ranker.fit(draw(mode), replace(CONFIG, leaves=leaves, least_in_leaf=5), seed=0)


def written(booster: lightgbm.Booster, folder: Path) -> Path:
    path = folder / "ranker.onnx"
    ranker.export(booster, path)
    return path


def questions(mode: str) -> list[np.ndarray]:
    rng = np.random.default_rng(1)
    x = draw(mode).features
    return [
        x,
        np.where(rng.random(x.shape) < 0.5, np.nan, x),
        np.where(rng.random(x.shape) < 0.2, np.inf, -x),
        np.where(rng.random(x.shape) < 0.2, -np.inf, 1e-30 * x),
        np.zeros((1, x.shape[1]), dtype=np.float32),
        np.zeros((0, x.shape[1]), dtype=np.float32),
    ]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("leaves", [2, 3, 7, 16, 17, 32])
def test_scores_are_those_of_the_library(mode: str, leaves: int, tmp_path: Path) -> None:
    booster = booster_of(mode, leaves)
    trees = Trees.read(written(booster, tmp_path).with_suffix(".txt"))
    assert trees is not None
    for features in questions(mode):
        got = trees.score(features.astype(np.float32))
        assert got.dtype == np.float32
        want = booster.predict(features) if len(features) else np.zeros(0)
        np.testing.assert_allclose(got, want, atol=2e-6)


def test_a_value_on_a_threshold_goes_left(tmp_path: Path) -> None:
    booster = booster_of("unknown values", 16)
    trees = Trees.read(written(booster, tmp_path).with_suffix(".txt"))
    found = booster.trees_to_dataframe().dropna(subset=["threshold"])
    found = found[found["threshold"].abs() > 1e-30]  # nearer to zero is zero to the library
    assert len(found) > 100
    at = np.zeros((len(found), len(NAMES)), dtype=np.float32)
    column = [int(name.removeprefix("f")) for name in found["split_feature"]]
    at[np.arange(len(at)), column] = found["threshold"].to_numpy(dtype=np.float32)
    for features in (at, np.nextafter(at, np.float32(9)), np.nextafter(at, np.float32(-9))):
        np.testing.assert_allclose(trees.score(features), booster.predict(features), atol=2e-6)


@pytest.mark.parametrize("n", [1, 7, 31, 32, 33, 511, 512, 513])
def test_a_candidate_scores_the_same_in_any_company(n: int, tmp_path: Path) -> None:
    trees = Trees.read(written(booster_of("unknown values", 15), tmp_path).with_suffix(".txt"))
    assert trees is not None
    features = questions("unknown values")[1].astype(np.float32)
    every = trees.score(features)
    np.testing.assert_array_equal(trees.score(features[:n]), every[:n])
    by_column = np.asfortranarray(features[-n:])
    np.testing.assert_array_equal(trees.score(by_column), every[-n:])


def test_what_all_candidates_share_is_read_anew_for_each_request(tmp_path: Path) -> None:
    booster = booster_of("many zeros", 15)
    trees = Trees.read(written(booster, tmp_path).with_suffix(".txt"))
    assert trees is not None
    features = questions("many zeros")[0][:100].astype(np.float32)
    for shared in (features[0, 0], np.float32(-3), np.float32(np.nan), np.float32(np.inf)):
        features[:, 0] = shared
        np.testing.assert_allclose(trees.score(features), booster.predict(features), atol=2e-6)


def test_how_numpy_buffers_is_left_as_it_was(tmp_path: Path) -> None:
    trees = Trees.read(written(booster_of("many zeros", 15), tmp_path).with_suffix(".txt"))
    assert trees is not None
    before = np.getbufsize()
    trees.score(questions("many zeros")[0].astype(np.float32))
    assert np.getbufsize() == before


def test_both_ways_to_serve_a_snapshot_agree(tmp_path: Path) -> None:
    path = written(booster_of("many zeros", 15), tmp_path)
    alone = tmp_path / "alone" / "ranker.onnx"
    alone.parent.mkdir()
    shutil.copy(path, alone)
    by_bits, by_walking = Ranker([path], NAMES), Ranker([alone], NAMES)
    features = questions("many zeros")[1].astype(np.float32)
    np.testing.assert_allclose(by_bits.score(features), by_walking.score(features), atol=2e-6)
    both = Ranker([path, alone], NAMES)
    np.testing.assert_allclose(both.score(features), by_bits.score(features), atol=2e-6)


def test_what_does_not_fit_is_left_to_onnxruntime(tmp_path: Path) -> None:
    booster = booster_of("unknown values", MOST_LEAVES + 8)
    path = written(booster, tmp_path)
    assert Trees.read(path.with_suffix(".txt")) is None
    features = draw("unknown values").features[:300]
    np.testing.assert_allclose(
        Ranker([path], NAMES).score(features), booster.predict(features), atol=1e-5
    )
    kind = np.arange(300) % 10
    categories = lightgbm.train(
        {"objective": "binary", "verbosity": -1, "num_threads": 1, "min_data_per_group": 1},
        lightgbm.Dataset(kind[:, None], np.isin(kind, [1, 4, 8]), categorical_feature=[0]),
        3,
    )
    (tmp_path / "c.txt").write_text(categories.model_to_string(), encoding="utf-8")
    assert Trees.read(tmp_path / "c.txt") is None


def test_trees_that_learned_nothing_score_alike(tmp_path: Path) -> None:
    features = np.zeros((100, 3), dtype=np.float32)
    booster = lightgbm.train(
        {"objective": "regression", "verbosity": -1, "num_threads": 1},
        lightgbm.Dataset(features, np.ones(100)),
        2,
    )
    (tmp_path / "n.txt").write_text(booster.model_to_string(), encoding="utf-8")
    trees = Trees.read(tmp_path / "n.txt")
    assert trees is not None
    np.testing.assert_allclose(trees.score(features), booster.predict(features), atol=1e-6)
