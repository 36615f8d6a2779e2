"""The trees that are served score as LightGBM does, also where features are unknown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pytest

from numbered import query, state
from penchant.learn.scorer import ranker
from penchant.learn.scorer.ranker import RankerConfig
from penchant.learn.scorer.rows import Rows
from penchant.rank.scorers.ranker import FeatureMismatch, Ranker
from penchant.types import Candidates

NAMES = tuple(f"f{i}" for i in range(6))
MODES = ("unknown values", "none unknown", "many zeros", "whole numbers", "repeated values")
CONFIG = RankerConfig(trees=60, least_in_leaf=20, threads=1)


def rows(features: np.ndarray, wanted: np.ndarray, per: int = 20) -> Rows:
    few = len(features) // per
    return Rows(
        features=features.astype(np.float32),
        items=np.arange(len(features), dtype=np.int32),
        wanted=wanted,
        starts=np.arange(few + 1, dtype=np.int64) * per,
        times=np.arange(few, dtype=np.float64),
        users=np.zeros(few, dtype=np.int32),
        missed=np.zeros(few, dtype=np.int32),
        arms=("next",) * few,
        names=NAMES,
        n_sources=2,
    )


def draw(mode: str) -> Rows:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(6000, len(NAMES))).astype(np.float32)
    y = x[:, 0] + x[:, 1] * x[:, 2] + rng.normal(size=len(x)) > 1.5
    if mode == "unknown values":
        x[rng.random(x.shape) < 0.3] = np.nan
    if mode == "many zeros":
        x[rng.random(x.shape) < 0.3] = 0
        x[rng.random(len(x)) < 0.3, 0] = np.nan
    if mode == "whole numbers":
        x = np.round(3 * x)
    if mode == "repeated values":
        x = np.round(x, 2)
    return rows(x, y)


@pytest.fixture(scope="module", params=MODES)
def pair(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Rows, Any, Path]:
    drawn = draw(request.param)
    booster = ranker.fit(drawn, CONFIG, seed=0)
    path = tmp_path_factory.mktemp("trees") / "ranker.onnx"
    ranker.export(booster, path)
    return drawn, booster, path


def test_served_and_trained_trees_agree(pair) -> None:
    drawn, booster, path = pair
    served = Ranker([path], NAMES)
    rng = np.random.default_rng(1)
    x = drawn.features
    for features in (
        x,
        np.where(rng.random(x.shape) < 0.5, np.nan, x),  # unknown where training knew
        np.full((3, len(NAMES)), np.nan),
        np.zeros((3, len(NAMES))),
        np.where(rng.random(x.shape) < 0.2, np.inf, -x),
        x * 1e20,
    ):
        want = booster.predict(features)
        got = served.score(features.astype(np.float32))
        assert got.dtype == np.float32
        np.testing.assert_allclose(got, want, atol=1e-5)


def test_the_text_beside_it_is_the_same_model(pair) -> None:
    drawn, _, path = pair
    beside = lightgbm.Booster(model_file=str(path.with_suffix(".txt")))
    np.testing.assert_allclose(
        beside.predict(drawn.features[:50]),
        Ranker([path], NAMES).score(drawn.features[:50]),
        atol=1e-5,
    )
    assert beside.feature_name() == list(NAMES)


def test_it_learned_and_repeats_itself(pair) -> None:
    drawn, booster, path = pair
    scores = Ranker([path], NAMES).score(drawn.features)
    # Chance is about .33 where 4 of 20 are wanted.
    assert drawn.ndcg(scores).mean() > 0.55
    again = ranker.fit(drawn, CONFIG, seed=0)
    np.testing.assert_array_equal(again.predict(drawn.features), booster.predict(drawn.features))


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> tuple[Rows, Path, Path]:
    drawn, folder = draw("unknown values"), tmp_path_factory.mktemp("two")
    for seed, name in enumerate(("a.onnx", "b.onnx")):
        ranker.export(ranker.fit(drawn, CONFIG, seed=seed), folder / name)
    return drawn, folder / "a.onnx", folder / "b.onnx"


def pool(drawn: Rows, names: tuple[str, ...], place: list[int]) -> Candidates:
    return Candidates(
        items=np.arange(20, dtype=np.int32),
        scores=np.zeros(20, dtype=np.float32),
        features=drawn.features[:20, place],
        names=names,
        origin=np.zeros(20, dtype=np.uint32),
        sources=names[:2],
    )


def test_several_models_are_averaged(one) -> None:
    drawn, a, b = one
    both = Ranker([a, b], NAMES).score(drawn.features)
    alone = [Ranker([path], NAMES).score(drawn.features) for path in (a, b)]
    np.testing.assert_allclose(both, (alone[0] + alone[1]) / 2, rtol=1e-5, atol=1e-6)


def test_columns_are_found_by_name(one) -> None:
    drawn, a, _ = one
    served = Ranker([a], NAMES)
    straight = served(query(), state([]), pool(drawn, NAMES, [0, 1, 2, 3, 4, 5]))
    mixed_names = ("f3", "f0", "other", "f5", "f1", "f4", "f2")
    mixed = served(query(), state([]), pool(drawn, mixed_names, [3, 0, 0, 5, 1, 4, 2]))
    np.testing.assert_array_equal(straight.scores, mixed.scores)


def test_a_missing_feature_is_named(one) -> None:
    drawn, a, _ = one
    with pytest.raises(FeatureMismatch, match=r"\['f2'\].*train again"):
        Ranker([a], NAMES)(
            query(), state([]), pool(drawn, ("f0", "f1", "f3", "f4", "f5"), [0, 1, 3, 4, 5])
        )


def test_some_features_only(one) -> None:
    drawn, *_ = one
    booster = ranker.fit(drawn, CONFIG, seed=0, names=("f2", "f0"))
    assert booster.feature_name() == ["f2", "f0"]
    np.testing.assert_allclose(
        ranker.predict(booster, drawn), booster.predict(drawn.features[:, [2, 0]]), rtol=1e-6
    )


def test_more_rows_stop_it_early(one) -> None:
    drawn, *_ = one
    valid = rows(np.random.default_rng(9).normal(size=(400, 6)), np.arange(400) % 5 == 0)
    booster = ranker.fit(
        drawn, RankerConfig(trees=400, least_in_leaf=20, patience=3, threads=1), seed=0, valid=valid
    )
    assert booster.current_iteration() < 400
