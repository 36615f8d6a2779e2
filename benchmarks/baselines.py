"""Prints the baselines of the accuracy table: one line of JSON per data set, arm and system.

    python benchmarks/baselines.py                     # ml_100k and online_retail, both arms
    python benchmarks/baselines.py ml_100k --arms next

OMP_NUM_THREADS=2 keeps it from taking the machine.

Settings are chosen on the last tenth of the training time, eight trials each, never on the test.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

from bar import protocol, walked
from penchant.evaluate.baselines.baseline import Baseline
from penchant.evaluate.baselines.decayed import Decayed
from penchant.evaluate.baselines.ease import Ease
from penchant.evaluate.baselines.ials import IALS
from penchant.evaluate.baselines.item_knn import ItemKNN
from penchant.evaluate.baselines.popular import Popular
from penchant.evaluate.tuning import GRIDS, tune

SYSTEMS: tuple[Callable[..., Baseline], ...] = (Popular, Decayed, ItemKNN, IALS, Ease)


def main() -> None:
    """Print the lines."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", nargs="*", default=["ml_100k", "online_retail"])
    parser.add_argument("--arms", nargs="+", default=["next", "cart"])
    options = parser.parse_args()
    bar = protocol(*options.data)
    for name in options.data:
        for arm in options.arms:
            task = bar.task(name, arm)
            for make in SYSTEMS:
                began = time.perf_counter()
                chosen: dict[str, Any] = {}
                if make in GRIDS:
                    chosen = dict(tune(make, GRIDS[make], task.train, arm=arm).settings)
                tuned = time.perf_counter()
                system = make(**chosen).fit(task.train)
                fitted = time.perf_counter()
                result = bar.score(task, walked(system, task))
                spent = {
                    "tune_s": round(tuned - began, 1),
                    "fit_s": round(fitted - tuned, 1),
                    "walk_s": round(time.perf_counter() - fitted, 1),
                }
                bar.show(system.name, {"arm": arm, **result, "settings": chosen, **spent})


if __name__ == "__main__":
    main()
