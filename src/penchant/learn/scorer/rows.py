"""Rows for the ranker: the pool of each walked request, its features, and what was then wanted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from penchant.learn.scorer.walk import Asked
from penchant.rank.stage import Stage
from penchant.recall.gather import Recall
from penchant.types import Candidates, Floats, Ids

Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class Rows:
    """Candidates of many requests, stacked: request r owns rows starts[r] to starts[r + 1].

    `features` float32[rows, f], `items` int32[rows], `wanted` bool[rows], `times`
    float64[requests], `users` int32[requests], `missed` int32[requests] counts targets that
    recall did not propose.
    """

    features: Floats
    items: Ids
    wanted: npt.NDArray[np.bool_]
    starts: npt.NDArray[np.int64]
    times: npt.NDArray[np.float64]
    users: Ids
    missed: Ids
    arms: tuple[str, ...]
    names: tuple[str, ...]
    n_sources: int

    def __len__(self) -> int:
        return len(self.times)

    def split(self, share: float) -> tuple[Rows, Rows]:
        """Return the earlier requests and the later ones, which are about `share` of all.

        Requests lie in the order of time, so both are views: nothing is copied.
        """
        cut = round((1 - share) * len(self))
        if len(self) and self.times[0] < self.times[-1]:
            # Between two moments, so that nothing of the later ones is known to the earlier; where
            # all requests are of one moment, they are different people's, and any cut will do.
            cut = int(np.searchsorted(self.times, self.times[min(cut, len(self) - 1)]))
        return self._part(0, cut), self._part(cut, len(self))

    def _part(self, begin: int, end: int) -> Rows:
        first, last = int(self.starts[begin]), int(self.starts[end])
        return replace(
            self,
            features=self.features[first:last],
            items=self.items[first:last],
            wanted=self.wanted[first:last],
            starts=self.starts[begin : end + 1] - first,
            times=self.times[begin:end],
            users=self.users[begin:end],
            missed=self.missed[begin:end],
            arms=self.arms[begin:end],
        )

    def with_column(self, name: str, column: Floats) -> Rows:
        """Return the rows with one more feature at the end."""
        features = np.concatenate((self.features, column[:, None]), axis=1)
        return replace(self, features=features, names=(*self.names, name))

    def ndcg(self, scores: Floats, k: int = 10) -> npt.NDArray[np.float64]:
        """Return NDCG@k of each request under `scores` float32[rows]; missed targets count."""
        out = np.zeros(len(self))
        discount = 1.0 / np.log2(np.arange(2, k + 2))
        for r in range(len(self)):
            cut = slice(int(self.starts[r]), int(self.starts[r + 1]))
            wanted = self.wanted[cut]
            ideal = discount[: min(k, int(wanted.sum()) + int(self.missed[r]))].sum()
            if ideal == 0 or not wanted.any():
                continue
            best = np.argsort(-scores[cut], kind="stable")[:k]
            out[r] = (wanted[best] * discount[: len(best)]).sum() / ideal
        return out


def build(
    asked: Iterable[Asked],
    recall: Recall,
    stages: Sequence[Stage],
    *,
    progress: Progress | None = None,
    expected: int = 0,
) -> Rows:
    """Return the rows of all requests, made by the very stages that serve."""
    features: list[Floats] = []
    items: list[Ids] = []
    wanted: list[npt.NDArray[np.bool_]] = []
    times, users, missed, arms = [], [], [], []
    names: tuple[str, ...] = recall.names
    for number, one in enumerate(asked):
        pool: Candidates
        pool, _ = recall.gather(one.query, one.state)
        for stage in stages:
            pool = stage(one.query, one.state, pool)
        names = pool.names
        hit = np.isin(pool.items, one.targets)
        features.append(pool.features)
        items.append(pool.items)
        wanted.append(hit)
        times.append(one.query.now)
        users.append(one.query.user)
        missed.append(len(one.targets) - int(hit.sum()))
        arms.append(one.arm)
        if progress is not None and expected and number % 50 == 0:
            progress("ranker rows", min(1.0, number / expected))
    sizes = [len(part) for part in wanted]
    return Rows(
        np.concatenate(features) if features else np.zeros((0, len(names)), dtype=np.float32),
        np.concatenate(items) if items else np.zeros(0, dtype=np.int32),
        np.concatenate(wanted) if wanted else np.zeros(0, dtype=np.bool_),
        np.concatenate(([0], np.cumsum(sizes))).astype(np.int64),
        np.array(times, dtype=np.float64),
        np.array(users, dtype=np.int32),
        np.array(missed, dtype=np.int32),
        tuple(arms),
        names,
        len(recall.names),
    )
