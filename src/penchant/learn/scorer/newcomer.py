"""Newcomers: which popularity answers people without history, and whether the ranker has a say."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from penchant.learn.scorer.rows import Rows
from penchant.learn.view import View
from penchant.measure.intervals import paired
from penchant.measure.ranking import Lists, hits, ndcg
from penchant.recall.assemble import TRENDING
from penchant.recall.popularity import HALF_LIVES, Popularity
from penchant.types import Floats

LEAST = 20  # newcomers, below which nothing is told from them
MOST = 3_000  # of whom as many are asked about as take a second
WARM = 0.25  # the share of the log, the oldest, before popularity has something to go by
K = 10


def popular_with_newcomers(view: View) -> str:
    """Return the name of the popularity source that best foretold what people wanted first.

    Popularity learns nothing but counts, so every first moment of a person in the log can be asked
    for as if it were now, where the window of the ranker's requests holds only its own newcomers.
    "" where there are too few.
    """
    view = view.where(view.counted())
    if not len(view):
        return ""
    events, starts = view.by_user()
    began = events.times[starts[:-1]]
    asked = np.flatnonzero(began > view.times[int(WARM * len(view))])
    if len(asked) < LEAST:
        return ""
    asked = asked[np.linspace(0, len(asked) - 1, min(MOST, len(asked))).astype(np.intp)]
    asked = asked[np.argsort(began[asked], kind="stable")]
    popularity = Popularity(view.items, view.times)
    ranked = np.full((len(TRENDING), len(asked), K), -1, dtype=np.int64)
    wanted = []
    for row, person in enumerate(asked.tolist()):
        own = slice(starts[person], starts[person + 1])
        wanted.append(events.items[own][events.times[own] == began[person]])
        # Of what happens at the same moment the newcomer has seen nothing.
        moment = popularity.moment(float(np.nextafter(began[person], -np.inf)), view.n_items)
        for place, life in enumerate(TRENDING.values()):
            best = moment.top(HALF_LIVES.index(life), K, None)
            ranked[place, row, : len(best)] = best
    targets = Lists.of(wanted)
    gains = [ndcg(hits(one, targets), targets.lengths, K).mean() for one in ranked]
    return list(TRENDING)[int(np.argmax(gains))]


def newcomer(rows: Rows, ranked: Floats | None, popular: str, share: float) -> tuple[str, bool]:
    """Return the popularity source that answers people without history, and whether alone.

    "" says that the ranker answers. `ranked` are its scores of the last `share` of the requests:
    the sum of both answers unless one of them alone is better outside the interval. `popular` is
    the best source by itself, a month's where "" says that nobody knows.
    """
    if "trending_30d" not in rows.names[: rows.n_sources]:
        return "", True
    best = popular or "trending_30d"
    _, late = rows.split(share)
    new = _newcomers(late)
    if ranked is None or new.sum() < LEAST:
        return best, True
    crowd = np.nan_to_num(late.features[:, rows.names.index(best)], nan=-1.0)
    both = late.summed(np.stack((ranked, crowd), axis=1))
    together, popularity, trees = (late.ndcg(one)[new] for one in (both, crowd, ranked))
    if paired(popularity, together, late.users[new]).low > 0:
        return best, True
    if paired(trees, together, late.users[new]).low > 0:
        return "", True
    return best, False


def _newcomers(rows: Rows) -> npt.NDArray[np.bool_]:
    """Return which requests were of somebody without history."""
    column = rows.names.index("history") if "history" in rows.names else -1
    out = np.zeros(len(rows), dtype=np.bool_)
    if column >= 0:
        some = np.flatnonzero(np.diff(rows.starts) > 0)
        out[some] = rows.features[rows.starts[some], column] == 0
    return out
