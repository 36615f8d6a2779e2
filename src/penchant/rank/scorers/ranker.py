"""The ranker: LambdaMART trees over the features.

Scored by `Trees` where they are of the usual kind, else by onnxruntime, which takes twice as long.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from penchant.interests.state import State
from penchant.rank.scorers.trees import Trees
from penchant.recall.sequence import quiet_session
from penchant.types import Candidates, Error, Floats, Query


class FeatureMismatch(Error):
    """A snapshot's ranker expects features that this build does not make."""


class Ranker:
    """Scores candidates by the trees of a snapshot, averaged over the models it holds."""

    name = "ranker"

    def __init__(self, paths: Sequence[Path], names: Sequence[str], threads: int = 1) -> None:
        self.names = tuple(names)
        self._models = [_open(path, threads) for path in paths]
        self._place: tuple[tuple[str, ...], np.ndarray] | None = None

    def __call__(self, query: Query, state: State, candidates: Candidates) -> Candidates:
        """Return the same candidates, scored."""
        if not len(candidates):
            return candidates
        return replace(candidates, scores=self.score(self.select(candidates)))

    def scored_by(self, query: Query, state: State) -> tuple[str, ...]:
        """Return the name of this scorer; its terms are the SHAP values of its trees."""
        return (self.name,)

    def score(self, features: Floats) -> Floats:
        """Return float32[n] for float32[n, f] in the order of `names`."""
        total = np.zeros(len(features), dtype=np.float32)
        for model in self._models:
            total += model(features)
        return total / np.float32(len(self._models))

    def select(self, candidates: Candidates) -> Floats:
        """Return the columns the trees were grown on, in their order."""
        if self._place is None or self._place[0] != candidates.names:
            at: Mapping[str, int] = {name: i for i, name in enumerate(candidates.names)}
            missing = [name for name in self.names if name not in at]
            if missing:
                raise FeatureMismatch(
                    f"the snapshot's ranker expects features {missing}, which this version does "
                    "not compute; train again, or use the version that trained it"
                )
            self._place = (candidates.names, np.array([at[name] for name in self.names]))
        # By feature, as they were written and are read.
        chosen: Floats = candidates.features.T[self._place[1]].T
        return chosen


def _open(path: Path, threads: int) -> Callable[[Floats], Floats]:
    beside = path.with_suffix(".txt")
    trees = Trees.read(beside) if beside.exists() else None
    if trees is not None:
        return trees.score
    session = quiet_session(path, threads)
    name = session.get_inputs()[0].name

    def run(features: Floats) -> Floats:
        scores: Floats = session.run(None, {name: np.ascontiguousarray(features)})[0].ravel()
        return scores

    return run
