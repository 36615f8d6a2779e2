"""Trees are read as LightGBM wrote them."""

from __future__ import annotations

from pathlib import Path

import lightgbm
import numpy as np

from penchant.rank.scorers.grown import Grown, read

TREE = """tree
version=v4

Tree=0
num_leaves=3
num_cat=0
split_feature=4 1
threshold=0.1 1e300
decision_type=2 8
left_child=-1 -2
right_child=1 -3
leaf_value=0.5 -1 2
is_linear=0


end of trees
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "ranker.txt"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_tree_is_its_conditions_and_leaves(tmp_path: Path) -> None:
    found = read(written(tmp_path, TREE))
    assert found is not None
    [tree] = found
    # The next float32 to 0.1 is above it, so what is at most 0.1 is at most the one before.
    cuts = (float(np.nextafter(np.float32(0.1), np.float32(0))), float(np.finfo(np.float32).max))
    assert tree == Grown(
        kinds=((4, "zero"), (1, "right")),
        cuts=cuts,
        left=(-1, -2),
        right=(1, -3),
        leaves=(0.5, -1.0, 2.0),
    )


def test_what_is_of_another_kind_is_not_read(tmp_path: Path) -> None:
    for other in (
        TREE.replace("num_cat=0", "num_cat=1"),
        TREE.replace("is_linear=0", "is_linear=1"),
        TREE.replace("num_leaves=3", "num_leaves=33"),
        TREE.replace("decision_type=2 8", "decision_type=2 6"),
        TREE.replace("version=v4", "average_output"),
        "tree",
    ):
        assert read(written(tmp_path, other)) is None


def test_every_tree_of_a_booster_is_there(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(500, 3))
    booster = lightgbm.train(
        {"objective": "regression", "verbosity": -1, "num_threads": 1, "num_leaves": 6},
        lightgbm.Dataset(features, features[:, 0] * features[:, 1]),
        7,
    )
    found = read(written(tmp_path, booster.model_to_string()))
    assert found is not None
    assert [len(tree.leaves) for tree in found] == [6] * 7
    for tree in found:
        # Every condition but the first, and every leaf, is below exactly one.
        assert sorted(tree.left + tree.right) == [*range(-6, 0), *range(1, 5)]
