"""Choosing the scorer: trees, the plain sum or one source, whatever wins on later requests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from penchant.learn import ranker
from penchant.learn.ranker import RankerConfig
from penchant.learn.rows import Rows
from penchant.measure.intervals import paired
from penchant.rank.fusion import normalised
from penchant.types import Floats

TREES = (60, 100, 150, 200, 300, 400, 500)
LEAST_REQUESTS = 200  # with wanted candidates; below it trees are not even tried


@dataclass(frozen=True)
class Choice:
    """What serves: `scorer` is ranker or fusion; `measured` NDCG@10 of every contender."""

    scorer: str
    trees: int
    weights: dict[str, float]
    measured: dict[str, float]
    interval: tuple[float, float] | None


def choose(rows: Rows, config: RankerConfig, seed: int, share: float = 0.3) -> Choice:
    """Return the best scorer on the last `share` of the requests, learned on those before.

    The fallback is the normalised sum of all sources; the best single source takes its place where
    the sum loses to it. Trees must beat that fallback to be used.
    """
    early, late = rows.split(share)
    measured: dict[str, float] = {}
    sources = rows.names[: rows.n_sources]
    for column, name in enumerate(sources):
        values = np.nan_to_num(late.features[:, column], nan=-1e9)
        measured[name] = _mean(late.ndcg(values))
    total = late.ndcg(summed(late))
    measured["sum of sources"] = _mean(total)
    single = max(sources, key=lambda name: measured[name], default="")
    weights: dict[str, float] = {}
    fallback = total
    if single and measured[single] > measured["sum of sources"]:
        # A weight of almost nothing keeps an order among what the single source has no opinion on.
        weights = {name: 1.0 if name == single else 1e-3 for name in sources}
        column = sources.index(single)
        fallback = late.ndcg(np.nan_to_num(late.features[:, column], nan=-1e9))
    useful = sum(bool(early.wanted[a:e].any()) for a, e in _spans(early))
    if useful < LEAST_REQUESTS or len(late) < 50:
        return Choice("fusion", 0, weights, measured, None)
    booster = ranker.fit(early, config, seed=seed)
    gains = {n: late.ndcg(_at(booster, late, n)) for n in TREES if n <= config.trees}
    smooth = _smoothed({n: _mean(gain) for n, gain in gains.items()})
    trees = max(smooth, key=lambda n: smooth[n])
    measured["ranker"] = _mean(gains[trees])
    interval = paired(gains[trees], fallback, late.users)
    scorer = "ranker" if measured["ranker"] > _mean(fallback) else "fusion"
    return Choice(scorer, trees, weights, measured, (interval.low, interval.high))


def without(
    rows: Rows,
    sources: Sequence[str],
    config: RankerConfig,
    choice: Choice,
    seed: int,
    share: float = 0.3,
) -> float:
    """Return NDCG@10 of the chosen ranker on the later requests when some columns are hidden.

    Candidates that only a hidden source proposed stay in the pool: this measures what a source's
    opinion adds, not what its proposals do.
    """
    early, late = rows.split(share)
    hidden = {f"{source}{end}" for source in sources for end in ("", "_rank", "_gap")}
    names = [name for name in rows.names if name not in hidden]
    booster = ranker.fit(early, config, seed=seed, trees=choice.trees, names=names)
    return _mean(late.ndcg(ranker.predict(booster, late)))


def summed(rows: Rows) -> Floats:
    """Return float32[rows]: the normalised sum of the sources, request by request."""
    out = np.zeros(len(rows.features), dtype=np.float32)
    for a, e in _spans(rows):
        out[a:e] = normalised(rows.features[a:e, : rows.n_sources]).sum(axis=1)
    return out


def _spans(rows: Rows) -> list[tuple[int, int]]:
    return list(zip(rows.starts[:-1].tolist(), rows.starts[1:].tolist(), strict=True))


def _at(booster: Any, rows: Rows, trees: int) -> Floats:
    return np.asarray(booster.predict(rows.features, num_iteration=trees), dtype=np.float32)


def _mean(gains: np.ndarray) -> float:
    return float(gains.mean()) if len(gains) else 0.0


def _smoothed(values: dict[int, float]) -> dict[int, float]:
    """Return each value averaged with its neighbours: one lucky count of trees is noise."""
    keys = sorted(values)
    out = {}
    for place, key in enumerate(keys):
        near = keys[max(0, place - 1) : place + 2]
        out[key] = float(np.mean([values[n] for n in near]))
    return out
