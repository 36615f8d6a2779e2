"""Rows for the ranker: the pool of each walked request, its features, and what was then wanted."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from penchant.learn.scorer.walk import Asked
from penchant.rank.scorers.fusion import normalised
from penchant.rank.stage import Stage
from penchant.recall.gather import Recall
from penchant.types import Candidates, Floats, Ids, Tell


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
        cut = _cut(self.times, share)
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

    def spans(self) -> list[tuple[int, int]]:
        """Return where the candidates of each request begin and end."""
        return list(zip(self.starts[:-1].tolist(), self.starts[1:].tolist(), strict=True))

    def summed(self, opinions: Floats) -> Floats:
        """Return float32[rows]: the sum of z-scores of float32[rows, m], request by request."""
        out = np.zeros(len(self.items), dtype=np.float32)
        for a, e in self.spans():
            out[a:e] = normalised(opinions[a:e]).sum(axis=1)
        return out

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
    spare: Sequence[str] = (),
    thinned: int | None = None,
    late: float = 0.0,
    seed: int = 0,
    progress: Tell | None = None,
    expected: int = 0,
) -> Rows:
    """Return the rows of all requests, made by the very stages that serve.

    `spare` names columns of NaN at the end, for what is known only when all requests are. With
    `thinned`, requests before the last share `late` (see `Rows.split`), which are only ever learned
    from, keep as many unwanted candidates, drawn at random; whole pools of 10,000 requests weigh
    gigabytes, and wait in a file until it is known which these are. People without history keep
    theirs: what answers them is measured on all requests.
    """
    items: list[Ids] = []
    wanted: list[npt.NDArray[np.bool_]] = []
    times, users, missed, arms, new = [], [], [], [], []
    names: tuple[str, ...] = recall.names
    with tempfile.TemporaryFile() as pools:
        for number, one in enumerate(asked):
            pool: Candidates
            pool, _ = recall.gather(one.query, one.state)
            for stage in stages:
                pool = stage(one.query, one.state, pool)
            names = pool.names
            hit = np.isin(pool.items, one.targets)
            pools.write(np.ascontiguousarray(pool.features, dtype=np.float32).data)
            items.append(pool.items)
            wanted.append(hit)
            times.append(one.query.now)
            users.append(one.query.user)
            missed.append(len(one.targets) - int(hit.sum()))
            arms.append(one.arm)
            new.append(not len(one.state.liked))
            if progress is not None and expected and number % 50 == 0:
                progress("ranker rows", min(1.0, number / expected))
        moments = np.array(times, dtype=np.float64)
        kept = [np.arange(len(hit)) for hit in wanted]
        if thinned is not None:
            rng = np.random.default_rng(seed)
            for r in range(_cut(moments, late)):
                if not new[r]:
                    kept[r] = _thinned(wanted[r], thinned, rng)
        starts = np.concatenate(([0], np.cumsum([len(rows) for rows in kept]))).astype(np.int64)
        width = len(names)
        features = np.full((int(starts[-1]), width + len(spare)), np.nan, dtype=np.float32)
        pools.seek(0)
        for r, rows in enumerate(kept):
            whole = np.frombuffer(pools.read(4 * width * len(items[r])), dtype=np.float32)
            features[starts[r] : starts[r + 1], :width] = whole.reshape(-1, width)[rows]
            items[r], wanted[r] = items[r][rows], wanted[r][rows]
    return Rows(
        features,
        np.concatenate([*items, np.zeros(0, dtype=np.int32)]).astype(np.int32, copy=False),
        np.concatenate([*wanted, np.zeros(0, dtype=np.bool_)]),
        starts,
        moments,
        np.array(users, dtype=np.int32),
        np.array(missed, dtype=np.int32),
        tuple(arms),
        (*names, *spare),
        len(recall.names),
    )


def _thinned(
    wanted: npt.NDArray[np.bool_], others: int, rng: np.random.Generator
) -> npt.NDArray[np.intp]:
    """Return the places of all that was wanted and of a draw of the others, in order."""
    left = np.flatnonzero(~wanted)
    if len(left) > others:
        left = rng.choice(left, others, replace=False)
    return np.sort(np.concatenate((np.flatnonzero(wanted), left)))


def _cut(times: npt.NDArray[np.float64], late: float) -> int:
    """Return how many of the requests, in the order of time, lie before about the last `late`."""
    cut = round((1 - late) * len(times))
    if len(times) and times[0] < times[-1]:
        # Between two moments, so that nothing of the later ones is known to the earlier; where
        # all requests are of one moment, they are different people's, and any cut will do.
        cut = int(np.searchsorted(times, times[min(cut, len(times) - 1)]))
    return cut
