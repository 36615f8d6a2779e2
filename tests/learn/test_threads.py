"""A number of threads reaches every library that learns, and is given back afterwards."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from threadpoolctl import threadpool_info

import numbered
from penchant.learn.config import SequenceConfig
from penchant.learn.effort import derive
from penchant.learn.scorer.ranker import fit
from penchant.learn.threads import limited
from penchant.learn.training import Training
from penchant.learn.view import View


def pools() -> set[int]:
    return {pool["num_threads"] for pool in threadpool_info()}


def people() -> View:
    rng = np.random.default_rng(0)
    users = np.repeat(np.arange(40, dtype=np.int32), 5)
    items = rng.integers(0, 10, 200).astype(np.int32)
    return numbered.make_view(
        users, items, numbered.NOW + 3600.0 * np.arange(200), numbered.empty(10)
    )


def test_blas_openmp_and_torch_are_held_and_let_go() -> None:
    before, torches = pools(), torch.get_num_threads()
    with limited(3, networks=True):
        assert pools() == {3}
        assert torch.get_num_threads() == 3
        with limited(0, networks=True):  # what is there stays
            assert torch.get_num_threads() == 3
    assert torch.get_num_threads() == torches
    assert pools() == before


def test_without_networks_torch_is_not_loaded() -> None:
    code = (
        "import sys\nfrom penchant.learn.threads import limited\n"
        "with limited(2, networks=False):\n"
        "    from threadpoolctl import threadpool_info\n"
        "    print({p['num_threads'] for p in threadpool_info()}, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "{2} False"


def test_a_training_runs_on_as_many_as_it_was_told(tmp_path: Path) -> None:
    config = derive("fast", threads=3)
    tiny = SequenceConfig(dimension=8, blocks=1, heads=1, length=5, epochs=1)
    config = replace(config, sources=replace(config.sources, sequence=tiny))
    seen: dict[str, set[int]] = {}

    def tell(step: str, value: float) -> None:
        seen[step.split()[0]] = {*pools(), torch.get_num_threads()}

    Training(people(), None, config, tell).run(tmp_path / "target", tmp_path / "work")
    assert seen["linear_taste"] == {3}
    assert seen["sequence"] == {3}


def test_the_ranker_is_told_too() -> None:
    from penchant.learn.scorer.rows import Rows

    rng = np.random.default_rng(0)
    n = 400
    rows = Rows(
        rng.normal(size=(n * 5, 2)).astype(np.float32),
        np.tile(np.arange(5, dtype=np.int32), n),
        rng.random(n * 5) < 0.3,
        np.arange(n + 1, dtype=np.int64) * 5,
        np.arange(n, dtype=np.float64),
        np.arange(n, dtype=np.int32),
        np.zeros(n, dtype=np.int32),
        ("next",) * n,
        ("a", "b"),
        2,
    )
    booster = fit(rows, replace(derive("fast", threads=2).ranker, trees=3), seed=0)
    assert booster.params["num_threads"] == 2
