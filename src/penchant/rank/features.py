"""Features: what is known of each candidate for this person now, one definition for both sides.

The pool arrives with one column per source score. Added here: the rank of each candidate within
each source, how popular it is at four speeds and where that is going, its age, how it sits with the
person's categories, prices and text, and a few facts of the request that let a tree tell somebody
who returns from somebody who is filling a basket.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from penchant.interests.state import DAY, SAME_SESSION, State
from penchant.recall.popularity import Popularity
from penchant.store.columns import ItemColumns
from penchant.store.vectors import Vectors
from penchant.types import Candidates, Floats, Query

ITEM = (
    "popular_1d",
    "popular_7d",
    "popular_30d",
    "popular_ever",
    "popular_7d_rank",
    "popular_30d_rank",
    "slope_1d_7d",
    "slope_7d_30d",
    "days_since_first",
    "days_since_last",
    "days_since_release",
)
PERSON = (
    "history",
    "moments",
    "gap_days",
    "same_moment",
    "moment_size",
    "session_size",
    "history_popularity",
)
MATCH = (
    "category_share",
    "category_share_recent",
    "price_ratio",
    "price",
    "text_last",
    "text_recent",
    "text_best",
)


class FeatureBuilder:
    """Adds the columns above to a pool. It reads shared folds and the state, and nothing else."""

    name = "features"

    def __init__(
        self,
        sources: tuple[str, ...],
        popularity: Popularity,
        columns: ItemColumns,
        vectors: Vectors,
    ) -> None:
        self.names = _named(sources)
        self._named = {sources: self.names}
        self._popularity = popularity
        self._columns = columns
        self._vectors = vectors

    def __call__(self, query: Query, state: State, candidates: Candidates) -> Candidates:
        """Return the same candidates with `features` float32[n, len(self.names)]."""
        scores = candidates.features
        # A question in words is answered by one source more.
        names = self._named.get(candidates.names)
        if names is None:
            names = self._named[candidates.names] = _named(candidates.names)
        features = np.concatenate(
            (
                scores,
                _ranks(scores),
                _gaps(scores),
                self._items(query, candidates.items),
                self._person(query, state, len(candidates)),
                self._match(state, candidates.items),
            ),
            axis=1,
        )
        return Candidates(
            items=candidates.items,
            scores=candidates.scores,
            features=features.astype(np.float32, copy=False),
            names=names,
            origin=candidates.origin,
            sources=candidates.sources,
        )

    def _items(self, query: Query, items: npt.NDArray[np.int32]) -> Floats:
        now = query.now
        moment = self._popularity.moment(now, query.n_items)
        day, week, month, ever = moment.counts(items)
        first, last = moment.first(items), moment.last(items)
        released = self._columns.released[items]
        order = [np.log2(1.0 + moment.above(row, items)) for row in (1, 2)]
        return np.stack(
            (
                np.log1p(day),
                np.log1p(week),
                np.log1p(month),
                np.log1p(ever),
                order[0],
                order[1],
                np.log((day * 7 + 1) / (week + 1)),
                np.log((week * 4 + 1) / (month + 1)),
                _days(now - first),
                _days(now - last),
                _days(now - released),
            ),
            axis=1,
        ).astype(np.float32)

    def _person(self, query: Query, state: State, n: int) -> Floats:
        liked = state.liked
        row = np.full(len(PERSON), np.nan, dtype=np.float32)
        row[0] = np.log1p(len(liked))
        if len(liked):
            row[1] = np.log1p(liked.moments[0] + 1)
            row[2] = np.log1p(max(query.now - liked.times[-1], 0.0) / DAY * 24)
            row[3] = float(liked.same_moment)
            row[4] = np.log1p(np.count_nonzero(liked.moments == 0))
            row[5] = np.log1p(np.count_nonzero(liked.times >= liked.times[-1] - SAME_SESSION))
            moment = self._popularity.moment(query.now, query.n_items)
            row[6] = np.log1p(moment.counts(liked.items[-20:])[-1]).mean()
        return np.broadcast_to(row, (n, len(PERSON)))

    def _match(self, state: State, items: npt.NDArray[np.int32]) -> Floats:
        liked, columns = state.liked, self._columns
        out = np.full((len(items), len(MATCH)), np.nan, dtype=np.float32)
        price = columns.price[items]
        out[:, 3] = np.log1p(np.maximum(price, 0))
        if not len(liked):
            return out
        category, mine = columns.category[items], columns.category[liked.items]
        known = category >= 0
        recent = np.exp2(-liked.moments / 2.0)
        for place, weight in ((0, np.ones(len(mine))), (1, recent)):
            share = np.bincount(mine[mine >= 0], weights=weight[mine >= 0])
            if share.sum() > 0:
                share = np.append(share / share.sum(), 0.0)
                out[known, place] = share[np.minimum(category[known], len(share) - 1)]
        paid = columns.price[liked.items[-30:]]
        if np.isfinite(paid).any():
            typical = float(np.exp(np.nanmean(np.log(np.maximum(paid, 0.01)))))
            out[:, 2] = np.log(np.maximum(price, 0.01) / typical)
        if self._vectors.dimension:
            # Whatever has no text has no row here, and is NaN in what it is compared with.
            last = self._vectors.rows(liked.items[-10:])
            with_text = np.isfinite(last[:, 0])
            if with_text.any():
                near = self._vectors.rows(items) @ last[with_text].T
                if with_text[-1]:
                    out[:, 4] = near[:, -1]
                out[:, 5] = near.mean(axis=1)
                out[:, 6] = near.max(axis=1)
        return out


def _named(sources: tuple[str, ...]) -> tuple[str, ...]:
    ranks = (f"{source}_rank" for source in sources)
    gaps = (f"{source}_gap" for source in sources)
    return (*sources, *ranks, *gaps, *ITEM, *PERSON, *MATCH)


def _ranks(scores: Floats) -> Floats:
    """Return 1 / rank of each candidate within each source's opinions, 0 for no opinion.

    Of equal scores the earlier candidate is first: the sign, exponent and fraction of a float32
    order it like a whole number, and below them stands the place. Sorting those takes less than
    half the time of a stable sort of the scores.
    """
    known = np.isfinite(scores.T)
    bits = np.where(known, 0.0 - scores.T, np.inf).astype(np.float32).view(np.int32)
    bits ^= (bits >> 31) & 0x7FFFFFFF
    order = np.sort((bits.astype(np.int64) << 32) + np.arange(len(scores)), axis=1) & 0xFFFFFFFF
    inverse = (1.0 / np.arange(1, len(scores) + 1)).astype(np.float32)
    out = np.empty(known.shape, dtype=np.float32)
    np.put_along_axis(out, order, inverse[None], axis=1)
    out[~known] = 0.0
    return out.T


def _gaps(scores: Floats) -> Floats:
    """Return how far each score lies below the source's best, in standard deviations."""
    known = np.isfinite(scores)
    count = np.maximum(known.sum(axis=0), 1)
    values = np.where(known, scores, 0.0).astype(np.float64)
    apart = np.where(known, values - values.sum(axis=0) / count, 0.0)
    spread = np.sqrt((apart**2).sum(axis=0) / count)
    best = np.where(known, scores, -np.inf).max(axis=0, initial=-np.inf)
    with np.errstate(invalid="ignore"):
        gaps = (values - best) / (spread + 1e-6)
    return np.where(known, gaps, np.nan).astype(np.float32)


def _days(seconds: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return log(1 + days), NaN where the moment is unknown."""
    return np.where(np.isfinite(seconds), np.log1p(np.maximum(seconds, 0) / DAY), np.nan)
