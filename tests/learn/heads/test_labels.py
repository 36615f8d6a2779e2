from __future__ import annotations

import numpy as np
import pytest

from penchant.learn.heads.config import HeadConfig
from penchant.learn.heads.labels import learn_labels
from penchant.types import InvalidInput

QUICK = HeadConfig(strengths=(1.0, 30.0), folds=3)


def mixed(n: int = 400, seed: int = 0) -> tuple[np.ndarray, list[set[str]]]:
    """Rows that are the sum of the directions of their labels, of which there may be none."""
    rng = np.random.default_rng(seed)
    applies = rng.random((n, 3)) < (0.5, 0.3, 0.15)
    rows = np.hstack([applies + 0.15 * rng.normal(size=(n, 3)), rng.normal(size=(n, 9)) * 0.15])
    return rows.astype(np.float32), [
        {name for name, a in zip("abc", row, strict=True) if a} for row in applies
    ]


def test_each_label_is_found_for_itself() -> None:
    head = learn_labels(*mixed(), "e", QUICK)
    rows, sets = mixed(seed=1)
    said = head.predict(rows)
    hits = sum(len(set(one.labels) & of) for one, of in zip(said, sets, strict=True) if one.known)
    told = sum(len(one.labels) for one in said)
    wanted = sum(len(of) for one, of in zip(said, sets, strict=True) if one.known)
    assert hits / told > 0.85
    assert hits / wanted > 0.85
    assert head.learned["f1"] > 0.85
    assert head.learned["calibration_error"] < 0.06


def test_a_label_that_all_have_is_always_said() -> None:
    rows, sets = mixed(60)
    head = learn_labels(rows, [{"text", *of} for of in sets], "e", QUICK)
    said = head.predict(rows)
    assert (said.values[:, head.names.index("text")] > 0.9).all()


def test_labels_that_cannot_be_learned_are_refused() -> None:
    rows = mixed(4)[0]
    for wrong, said in (
        ([set()] * 4, "at least one label"),
        ([{"a"}] * 3, "3 sets"),
        (["a"] * 4, "a set of labels"),
        ([{"unknown"}] * 4, "none of them 'unknown'"),
    ):
        with pytest.raises(InvalidInput, match=said):
            learn_labels(rows, wrong, "e")
