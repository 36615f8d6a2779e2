"""Learning the ranker: LambdaMART on out-of-time lists, served as ONNX."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from penchant.learn.config import RankerConfig
from penchant.learn.scorer.rows import Rows
from penchant.types import Floats


def fit(
    rows: Rows,
    config: RankerConfig,
    *,
    seed: int,
    valid: Rows | None = None,
    trees: int | None = None,
    names: Sequence[str] | None = None,
    watch: Callable[[], None] | None = None,
) -> Any:
    """Return a LightGBM booster; stops early on `valid` if given.

    Requests without any wanted candidate teach nothing and are left out. `names` restricts the
    features (an ablation). `watch` is called after each tree, and may raise.
    """
    import lightgbm

    use = np.arange(len(rows.names)) if names is None else _columns(rows, names)
    kept = [rows.names[i] for i in use]
    features, labels, sizes = _lists(rows, use, config.negatives, seed)
    data = lightgbm.Dataset(features, labels, group=sizes, feature_name=kept, free_raw_data=False)
    parameters = {
        "objective": "lambdarank",
        "metric": "ndcg",
        "eval_at": [10],
        "lambdarank_truncation_level": config.truncation,
        "num_leaves": config.leaves,
        "learning_rate": config.learning_rate,
        "min_data_in_leaf": config.least_in_leaf,
        "feature_fraction": config.feature_share,
        "bagging_fraction": config.row_share,
        "bagging_freq": 1,
        "lambda_l2": config.ridge,
        "num_threads": config.threads,
        "seed": seed,
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
    }
    callbacks: list[Callable[..., Any]] = []
    valid_sets = []
    if valid is not None:
        vf, vl, vs = _lists(valid, use, None, seed)
        valid_sets = [lightgbm.Dataset(vf, vl, group=vs, feature_name=kept, reference=data)]
        callbacks = [lightgbm.early_stopping(config.patience, verbose=False)]
    if watch is not None:
        callbacks.append(lambda _: watch())
    return lightgbm.train(
        parameters, data, trees or config.trees, valid_sets=valid_sets, callbacks=callbacks
    )


def predict(booster: Any, rows: Rows) -> Floats:
    """Return float32[rows] scores of a booster, whatever subset of the features it uses."""
    use = _columns(rows, booster.feature_name())
    return np.asarray(
        booster.predict(rows.features[:, use], num_threads=booster.params["num_threads"]),
        dtype=np.float32,
    )


def export(booster: Any, path: Path) -> None:
    """Write the booster as ONNX at `path` and as LightGBM text beside it (for TreeSHAP).

    onnxmltools names its own opset; the trees only add, so float32 differs from LightGBM in the
    last digits (checked by the tests).
    """
    import onnxmltools
    from onnxmltools.convert.common.data_types import FloatTensorType

    kept = booster.num_feature()
    model = onnxmltools.convert_lightgbm(
        booster, initial_types=[("features", FloatTensorType([None, kept]))], target_opset=15
    )
    path.write_bytes(model.SerializeToString())
    best = booster.best_iteration if booster.best_iteration > 0 else None
    path.with_suffix(".txt").write_text(booster.model_to_string(num_iteration=best))


def _columns(rows: Rows, names: Sequence[str]) -> np.ndarray:
    at = {name: i for i, name in enumerate(rows.names)}
    return np.array([at[name] for name in names])


def _lists(
    rows: Rows, use: np.ndarray, negatives: int | None, seed: int
) -> tuple[Floats, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    keep, sizes = [], []
    for r in range(len(rows)):
        a, e = int(rows.starts[r]), int(rows.starts[r + 1])
        wanted = np.flatnonzero(rows.wanted[a:e])
        if not len(wanted) or len(wanted) == e - a:
            continue
        others = np.flatnonzero(~rows.wanted[a:e])
        if negatives is not None and len(others) > negatives:
            others = rng.choice(others, negatives, replace=False)
        # In random order: trees tie many candidates at first, and LightGBM breaks ties by place.
        keep.append(a + rng.permutation(np.concatenate((wanted, others))))
        sizes.append(len(wanted) + len(others))
    index = np.concatenate(keep) if keep else np.zeros(0, dtype=np.int64)
    return rows.features[np.ix_(index, use)], rows.wanted[index].astype(np.int32), np.array(sizes)
