"""The ranker: LambdaMART trees over the features, run by onnxruntime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from penchant.interests.state import State
from penchant.recall.sequence import quiet_session
from penchant.types import Candidates, Error, Floats, Query


class FeatureMismatch(Error):
    """A snapshot's ranker expects features that this build does not make."""


class Ranker:
    """Scores candidates by the trees of a snapshot, averaged over the models it holds."""

    name = "ranker"

    def __init__(self, paths: Sequence[Path], names: Sequence[str], threads: int = 1) -> None:
        self.names = tuple(names)
        self._sessions = [quiet_session(path, threads) for path in paths]
        self._inputs = [session.get_inputs()[0].name for session in self._sessions]
        self._place: tuple[tuple[str, ...], np.ndarray] | None = None

    def __call__(self, query: Query, state: State, candidates: Candidates) -> Candidates:
        """Return the same candidates, scored."""
        if not len(candidates):
            return candidates
        return replace(candidates, scores=self.score(self.select(candidates)))

    def score(self, features: Floats) -> Floats:
        """Return float32[n] for float32[n, f] in the order of `names`."""
        total = np.zeros(len(features), dtype=np.float32)
        for session, name in zip(self._sessions, self._inputs, strict=True):
            total += session.run(None, {name: features})[0].ravel()
        return total / np.float32(len(self._sessions))

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
        return np.ascontiguousarray(candidates.features[:, self._place[1]])
