"""Features: what is known of each candidate for this person now, one definition for both sides.

The pool arrives with one column per source score. Added here: the rank of each candidate within
each source, how popular it is at four speeds and where that is going, its age, how it sits with the
person's categories, prices and text, how often they had it where that may come again, and a few
facts of the request that let a tree tell somebody who returns from somebody who is filling a
basket.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from penchant.interests.state import DAY, SAME_SESSION, State
from penchant.interests.windows import NAMES, Windows, windows
from penchant.language.categories import Derived
from penchant.recall.popularity import Popularity
from penchant.store.columns import ItemColumns
from penchant.store.vectors import Vectors
from penchant.types import Candidates, Floats, Query

# The last session and the week: what all of a history points at told trees nothing but noise.
WINDOWS = NAMES[:2]
OF_WINDOWS = tuple(f"{window}_{figure}" for figure in ("sure", "turned") for window in WINDOWS)
NEAR_WINDOWS = tuple(f"{window}_near" for window in WINDOWS)
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
    *OF_WINDOWS,
)
MATCH = (
    "category_share",
    "category_share_recent",
    "price_ratio",
    "price",
    "text_last",
    "text_recent",
    "text_best",
    *NEAR_WINDOWS,
    "had",
    "had_days",
)
_ITEM = slice(len(ITEM))
_PERSON = slice(len(ITEM), len(ITEM) + len(PERSON))
_MATCH = slice(len(ITEM) + len(PERSON), None)
_LONGER = np.array([[7], [4]], dtype=np.float32)


class FeatureBuilder:
    """Adds the columns above to a pool. It reads shared folds and the state, and nothing else."""

    name = "features"

    def __init__(
        self,
        sources: tuple[str, ...],
        popularity: Popularity,
        columns: ItemColumns,
        vectors: Vectors,
        derived: Derived | None = None,
    ) -> None:
        self.names = _named(sources)
        self._named = {sources: self.names}
        self._popularity = popularity
        self._columns = columns
        self._vectors = vectors
        self._categories = Derived(columns) if derived is None else derived

    def __call__(self, query: Query, state: State, candidates: Candidates) -> Candidates:
        """Return the same candidates with `features` float32[n, len(self.names)]."""
        sources, n = candidates.features.shape[1], len(candidates)
        # A question in words is answered by one source more.
        names = self._named.get(candidates.names)
        if names is None:
            names = self._named[candidates.names] = _named(candidates.names)
        # A row for each feature: written, and read by the trees, as one piece.
        rows = np.empty((len(names), n), dtype=np.float32)
        scores, ranks, gaps = rows[: 3 * sources].reshape(3, sources, n)
        item, person, match = (rows[3 * sources :][part] for part in (_ITEM, _PERSON, _MATCH))
        scores[:] = candidates.features.T
        _compare(scores, ranks, gaps)
        self._item(query, candidates.items, item)
        pointed = self._windows(state)
        person[:] = self._person(query, state, pointed)[:, None]
        self._match(state, candidates.items, match, pointed)
        _had(query, state, candidates.items, match[-2:])
        return Candidates(
            items=candidates.items,
            scores=candidates.scores,
            features=rows.T,
            names=names,
            origin=candidates.origin,
            sources=candidates.sources,
        )

    def _item(self, query: Query, items: npt.NDArray[np.int32], out: Floats) -> None:
        moment = self._popularity.moment(query.now, query.n_items)
        counts = moment.counts(items)
        np.log1p(counts, out=out[:4])
        for place, life in ((4, 1), (5, 2)):
            out[place] = np.log2(1.0 + moment.above(life, items))
        # What the shorter of two lives would count if it were as long as the other.
        np.log((counts[:2] * _LONGER + 1) / (counts[1:3] + 1), out=out[6:8])
        since = np.empty((3, len(items)))
        since[0], since[1] = moment.first(items), moment.last(items)
        since[2] = self._columns.released[items]
        np.subtract(query.now, since, out=since)
        since[np.isinf(since)] = np.nan
        out[8:] = np.log1p(np.maximum(since, 0.0) / DAY)

    def _windows(self, state: State) -> Windows | None:
        """Return where the person's interest points, None where no text tells."""
        if not self._vectors.dimension or not len(state.liked):
            return None
        return windows(state, self._vectors.rows(state.items))

    def _person(self, query: Query, state: State, pointed: Windows | None) -> Floats:
        liked = state.liked
        row = np.full(len(PERSON), np.nan, dtype=np.float32)
        row[0] = math.log1p(len(liked))
        if len(liked):
            last = float(liked.times[-1])
            row[1] = math.log1p(liked.moments[0] + 1)
            row[2] = math.log1p(max(query.now - last, 0.0) / DAY * 24)
            row[3] = float(liked.same_moment)
            row[4] = math.log1p(np.count_nonzero(liked.moments == 0))
            row[5] = math.log1p(np.count_nonzero(liked.times >= last - SAME_SESSION))
            moment = self._popularity.moment(query.now, query.n_items)
            row[6] = np.log1p(moment.counts(liked.items[-20:])[-1]).mean()
        if pointed is not None:
            row[7:9], row[9:11] = pointed.sure[:2], pointed.turned[:2]
        return row

    def _match(
        self, state: State, items: npt.NDArray[np.int32], out: Floats, pointed: Windows | None
    ) -> None:
        liked, columns = state.liked, self._columns
        price = columns.price[items]
        out[3] = np.log1p(np.maximum(price, 0))
        if not len(liked):
            out[:3] = out[4:] = np.nan
            return
        out[:2] = category_shares(state, items, self._categories)
        paid = columns.price[liked.items[-30:]]
        paid = paid[~np.isnan(paid)]
        out[2] = np.nan
        if len(paid):
            typical = math.exp(np.log(np.maximum(paid, 0.01)).mean())
            out[2] = np.log(np.maximum(price, 0.01) / typical)
        out[4:] = np.nan
        if self._vectors.dimension:
            # Whatever has no text has no row here, and is NaN in what it is compared with.
            last = self._vectors.rows(liked.items[-10:])
            with_text = np.isfinite(last[:, 0])
            if with_text.any():
                near = last[with_text] @ self._vectors.rows(items).T
                if with_text[-1]:
                    out[4] = near[-1]
                out[5] = np.add.reduce(near) / len(near)
                np.maximum.reduce(near, out=out[6])
            if pointed is not None:
                np.matmul(pointed.directions[:2], self._vectors.rows(items).T, out=out[7:9])


def category_shares(
    state: State, items: npt.NDArray[np.int32], categories: Derived
) -> npt.NDArray[np.float64]:
    """Return float64[2, n]: the first two columns of `MATCH` for these candidates."""
    liked = state.liked
    if not len(liked):
        return np.full((2, len(items)), np.nan)
    mine, theirs = categories.counted(liked.items), categories.counted(items)
    return _shares(mine, liked.moments, theirs)


def _had(query: Query, state: State, items: npt.NDArray[np.int32], out: Floats) -> None:
    """Write how often the person had each candidate, and how long ago last: float32[2, n].

    NaN where what was had is not shown again: there it would be one value for all.
    """
    out[:] = np.nan
    if query.seen != "keep":
        return
    out[0] = 0.0
    liked = np.flatnonzero(state.strengths > 0)
    had = state.items[liked]
    if not len(had) or not len(items):
        return
    order = np.argsort(items, kind="stable")
    place = order[np.minimum(np.searchsorted(items, had, sorter=order), len(items) - 1)]
    there = items[place] == had
    out[0] = np.log1p(np.bincount(place[there], minlength=len(items)))
    last = np.full(len(items), -np.inf)
    np.maximum.at(last, place[there], state.times[liked][there])
    days = np.maximum(query.now - last, 0.0) / DAY
    out[1] = np.where(np.isfinite(days), np.log1p(days), np.nan)


def _named(sources: tuple[str, ...]) -> tuple[str, ...]:
    ranks = (f"{source}_rank" for source in sources)
    gaps = (f"{source}_gap" for source in sources)
    return (*sources, *ranks, *gaps, *ITEM, *PERSON, *MATCH)


def _compare(scores: Floats, ranks: Floats, gaps: Floats) -> None:
    """Write how each candidate stands among the opinions of each source, float32[sources, n] all.

    `ranks` are 1 / rank, 0 for no opinion; `gaps` how far each score lies below the source's best,
    in standard deviations. Of equal scores the earlier candidate is first: the sign, exponent and
    fraction of a float32 order it like a whole number, and below them stands the place. Sorting
    those takes less than half the time of a stable sort of the scores.
    """
    known = np.isfinite(scores)
    below = np.where(known, np.float32(0.0) - scores, np.float32(np.inf))
    bits = below.view(np.int32)
    keys = (bits ^ ((bits >> 31) & 0x7FFFFFFF)).astype(np.int64)
    keys <<= 32
    keys += np.arange(scores.shape[1])
    keys.sort(axis=1)
    keys &= 0xFFFFFFFF
    keys += scores.shape[1] * np.arange(len(scores))[:, None]
    ranks.reshape(-1)[keys] = 1.0 / np.arange(1, scores.shape[1] + 1)
    ranks *= known
    unknown = ~known
    best = below.min(axis=1, keepdims=True, initial=np.inf)
    best[np.isinf(best)] = 0.0
    np.subtract(best, below, out=gaps)
    gaps[unknown] = 0.0
    # Of distances from the best, which are small numbers, not of the scores.
    count = np.maximum(known.sum(axis=1), 1)
    mean = gaps.sum(axis=1, dtype=np.float64) / count
    squares = np.einsum("sn,sn->s", gaps, gaps, dtype=np.float64) / count
    spread = np.sqrt(np.maximum(squares - mean**2, 0.0))
    gaps /= (spread + 1e-6).astype(np.float32)[:, None]
    gaps[unknown] = np.nan


def _shares(
    mine: npt.NDArray[np.int32], moments: npt.NDArray[np.int32], theirs: npt.NDArray[np.int32]
) -> npt.NDArray[np.float64]:
    """Return float64[2, n]: the share of a history in the category of each candidate.

    Of all of it, and of what is recent. NaN for a candidate without a category, and everywhere
    where the history has none.
    """
    some = mine >= 0
    mine, recent = mine[some], np.exp2(moments[some] / -2.0)
    width = int(mine.max(initial=-1)) + 1
    # Then 0 for all categories beyond, and NaN, which is last, for number -1.
    shares = np.zeros((2, width + 2))
    shares[:, -1] = np.nan
    for row, weight in zip(shares, (None, recent), strict=True):
        counts = np.bincount(mine, weight, minlength=width)
        total = counts.sum()
        row[:width] = counts / total if total > 0 else np.nan
        row[width] = 0.0 if total > 0 else np.nan
    return shares[:, np.minimum(theirs, width)]
