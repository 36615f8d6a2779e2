"""From a walk to figures: accuracy, slices, and what accuracy does not see, with intervals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from penchant.evaluate.plan import Plan
from penchant.evaluate.replay import Walk
from penchant.measure.diversity import coverage, gini, intra_list, novelty, tail_share
from penchant.measure.intervals import Difference, Interval, bootstrap, paired
from penchant.measure.ranking import Figures, hit_rate, hits, ndcg, recall, reciprocal_rank
from penchant.measure.slices import by_item, by_place, by_user


@dataclass(frozen=True, slots=True)
class Scored:
    """The figures of one system on one plan.

    `metrics` and `slices` (of NDCG) by name with 95% intervals over users; `coverage` and `gini`
    are of all lists together and have none. `gains` float64[r] is the NDCG of each request, for
    pairing systems and drawing curves. `milliseconds` holds the median and 99th percentile of an
    answer and the mean of recording one moment.
    """

    metrics: Mapping[str, Interval]
    slices: Mapping[str, Interval]
    coverage: float
    gini: float
    milliseconds: Mapping[str, float]
    gains: Figures


def score(
    plan: Plan, done: Walk, k: int = 10, vectors: npt.NDArray[np.floating] | None = None
) -> Scored:
    """Return the figures of a walk; `vectors` float[n, d] by item number add list diversity."""
    found, lengths, askers = hits(done.ranked, plan.wanted), plan.wanted.lengths, plan.askers
    gains = ndcg(found, lengths, k)
    columns = {
        f"NDCG@{k}": gains,
        f"Recall@{k}": recall(found, lengths, k),
        f"HR@{k}": hit_rate(found, k),
        f"MRR@{k}": reciprocal_rank(found, k),
        "tail share": tail_share(done.ranked[:, :k], plan.counts),
        "novelty (bits)": novelty(done.ranked[:, :k], plan.counts),
    }
    if vectors is not None:
        columns["diversity"] = intra_list(done.ranked[:, :k], vectors)
    slices = {
        name: bootstrap(gains[mask], askers[mask])
        for name, mask in {**by_user(plan.history), **by_place(plan.places)}.items()
    }
    for name, (rows, wants) in by_item(plan.wanted, plan.counts).items():
        narrow = ndcg(hits(done.ranked[rows], wants), wants.lengths, k)
        slices[name] = bootstrap(narrow, askers[rows])
    answered = done.seconds * 1000 if len(done.seconds) else np.zeros(1)
    return Scored(
        metrics={name: bootstrap(values, askers) for name, values in columns.items()},
        slices=slices,
        coverage=coverage(done.ranked[:, :k], len(plan.items)),
        gini=gini(done.ranked[:, :k], len(plan.items)),
        milliseconds={
            "answer, median": float(np.median(answered)),
            "answer, 99%": float(np.percentile(answered, 99)),
            "recording, mean": 1000 * done.told / max(1, len(plan.moments)),
        },
        gains=gains,
    )


def compare(plan: Plan, a: Scored, b: Scored) -> Difference:
    """Return by how much the NDCG of `a` is above that of `b`, on the same requests."""
    return paired(a.gains, b.gains, plan.askers)


def sliding(
    plan: Plan, gains: Figures, points: int = 120, window: int | None = None
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return times (seconds) and the mean of `gains` over the `window` requests up to each.

    The window is a tenth of the requests unless given; at most `points` times, evenly over the
    requests.
    """
    wide = max(1, min(len(gains), window or max(30, len(gains) // 10)))
    if not len(gains):
        return (), ()
    total = np.concatenate([[0.0], np.cumsum(gains)])
    ends = np.unique(np.linspace(wide, len(gains), points).astype(np.int64))
    values = (total[ends] - total[ends - wide]) / wide
    return tuple(plan.times[ends - 1].tolist()), tuple(values.tolist())
