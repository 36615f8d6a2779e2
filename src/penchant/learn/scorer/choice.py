"""Choosing the scorer: trees, the plain sum or one source, whatever wins on later requests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from penchant.learn.config import RankerConfig
from penchant.learn.scorer import ranker
from penchant.learn.scorer.newcomer import newcomer
from penchant.learn.scorer.rows import Rows
from penchant.measure.intervals import paired
from penchant.types import Floats

TREES = (60, 100, 150, 200, 300, 400, 600, 800)
ABLATED = 100  # trees at which rankers with and without a source are compared
LEAST_REQUESTS = 200  # with wanted candidates; below it trees are not even tried
LATE = 0.3  # the share of the requests, the newest, that a scorer is chosen on


@dataclass(frozen=True)
class Choice:
    """What serves: `scorer` is ranker or fusion; `measured` NDCG@10 of every contender."""

    scorer: str
    trees: int
    weights: dict[str, float]
    measured: dict[str, float]
    interval: tuple[float, float] | None
    newcomer: str = ""  # the popularity source that answers people without history, if any
    newcomer_alone: bool = True  # or in sum with the ranker
    grown: tuple[tuple[int, float], ...] = ()  # NDCG@10 of the ranker by its number of trees


def choose(
    rows: Rows, config: RankerConfig, seed: int, share: float = LATE, popular: str = ""
) -> Choice:
    """Return the best scorer on the last `share` of the requests, learned on those before.

    `popular` is the popularity source that newcomers are best answered by, "" where nobody knows.
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
    if not learnable(early, late):
        return Choice("fusion", 0, weights, measured, None, newcomer(rows, None, popular, share)[0])
    booster = ranker.fit(early, config, seed=seed)
    gains = by_trees(booster, late)
    trees, _ = best_count({n: _mean(gain) for n, gain in gains.items()})
    measured["ranker"] = _mean(gains[trees])
    interval = paired(gains[trees], fallback, late.users)
    scorer = "ranker" if measured["ranker"] > _mean(fallback) else "fusion"
    said = None
    if scorer == "ranker":
        said = np.asarray(booster.predict(late.features, num_iteration=trees), dtype=np.float32)
    first, alone = newcomer(rows, said, popular, share)
    return Choice(
        scorer,
        trees,
        weights,
        measured,
        (interval.low, interval.high),
        first,
        alone,
        tuple((n, _mean(gain)) for n, gain in gains.items()),
    )


def learnable(early: Rows, late: Rows) -> bool:
    """Return whether trees could be learned on the early requests and measured on the late ones."""
    useful = sum(bool(early.wanted[a:e].any()) for a, e in early.spans())
    return useful >= LEAST_REQUESTS and len(late) >= 50


def by_trees(booster: Any, rows: Rows) -> dict[int, npt.NDArray[np.float64]]:
    """Return the NDCG@10 of each request under the first n trees, for each n of TREES there is."""
    return {n: rows.ndcg(scores) for n, scores in _growing(booster, rows)}


def best_count(values: dict[int, float]) -> tuple[int, float]:
    """Return the number of trees with the best NDCG, and that, both smoothed over neighbours."""
    smooth = _smoothed(values)
    trees = max(smooth, key=lambda n: smooth[n])
    return trees, smooth[trees]


def gained(
    rows: Rows,
    sources: Sequence[Sequence[str]],
    config: RankerConfig,
    seed: int,
    share: float = LATE,
) -> list[float]:
    """Return what each group of sources adds to the ranker's NDCG@10 on the later requests.

    Candidates that only a hidden source proposed stay in the pool: this measures what a source's
    opinion adds, not what its proposals do.
    """
    early, late = rows.split(share)

    def measure(names: Sequence[str]) -> float:
        booster = ranker.fit(early, config, seed=seed, trees=ABLATED, names=names)
        return _mean(late.ndcg(ranker.predict(booster, late)))

    whole = measure(rows.names)
    return [whole - measure(visible(rows.names, group)) for group in sources]


def visible(names: Sequence[str], hidden: Sequence[str]) -> list[str]:
    """Return the feature names that are left when some sources are hidden."""
    gone = {f"{source}{end}" for source in hidden for end in ("", "_rank", "_gap")}
    return [name for name in names if name not in gone]


def summed(rows: Rows) -> Floats:
    """Return float32[rows]: the normalised sum of the sources, request by request."""
    return rows.summed(rows.features[:, : rows.n_sources])


def _growing(booster: Any, rows: Rows) -> Iterator[tuple[int, Floats]]:
    """Yield the scores of the first n trees for each n of TREES, adding trees as it goes."""
    total, before = np.zeros(len(rows.features)), 0
    threads = booster.params["num_threads"]
    grown = booster.num_trees()  # fewer than asked for where no leaf could be split any more
    for n in [n for n in TREES if n <= grown] or [grown]:
        total += booster.predict(
            rows.features,
            start_iteration=before,
            num_iteration=n - before,
            num_threads=threads,
        )
        before = n
        yield n, total.astype(np.float32)


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
