"""What no single row shows: double clicks, bot-like bursts, and values far outside their kind.

A burst is many distinct moments, never many items at one moment: a basket, a page of search results
or a playlist is one thing a person did.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from penchant.ingest.cleaning import CleaningConfig
from penchant.ingest.kinds import Kinds, plain
from penchant.ingest.times import MICROS
from penchant.types import Mask


def near_duplicates(frame: pl.DataFrame, cleaning: CleaningConfig) -> Mask:
    """Return which events repeat an earlier one within `near_duplicate_within` seconds, bool[n].

    Same person, item, kind, value, text and slate; a chain of such events keeps its first. Kinds
    that mean something each time (purchases, ratings, searches) are exempt.
    """
    same = ("user_id", "item_id", "event", "value", "text", "slate_id")
    code = _codes(frame, same)
    times = frame["timestamp"].to_numpy()
    order = np.lexsort((times, code))
    repeat: Mask = np.zeros(len(times), dtype=np.bool_)
    close = np.diff(times[order]) <= cleaning.near_duplicate_within * MICROS
    repeat[order[1:]] = close & (np.diff(code[order]) == 0)
    exempt = [
        k
        for k in frame["event"].unique().to_list()
        if plain(k) in set(cleaning.near_duplicate_exempt)
    ]
    repeat &= ~frame["event"].is_in(exempt).to_numpy()
    repeat &= frame["item_id"].is_not_null().to_numpy()
    return repeat


def _codes(frame: pl.DataFrame, columns: tuple[str, ...]) -> npt.NDArray[np.int64]:
    """Return a number for each distinct combination of the columns, int64[n]."""
    return frame.select(pl.struct(columns).rank("dense").cast(pl.Int64)).to_series().to_numpy()


def bursts(frame: pl.DataFrame, cleaning: CleaningConfig) -> Mask:
    """Return which events lie in a stretch of too many moments of one person, bool[n].

    A stretch is `burst_within` seconds with more than `burst_moments` distinct seconds in it.
    """
    span = max(int(cleaning.burst_within), 1)
    seconds = frame["timestamp"].to_numpy() // MICROS
    people = frame["user_id"].rank("dense").cast(pl.Int64).to_numpy()
    # One sorted line of (person, second), people further apart than any stretch is long.
    width = int(seconds.max(initial=0)) + span + 1
    line = people * width + seconds
    moments, place = np.unique(line, return_inverse=True)
    first = np.searchsorted(moments, moments - span + 1)
    crowded = np.flatnonzero(np.arange(len(moments)) - first + 1 > cleaning.burst_moments)
    edges = np.zeros(len(moments) + 1, dtype=np.int64)
    np.add.at(edges, first[crowded], 1)
    np.add.at(edges, crowded + 1, -1)
    inside: Mask = np.cumsum(edges[:-1]) > 0
    return inside[place]


def value_limits(
    frame: pl.DataFrame, kinds: Kinds, cleaning: CleaningConfig
) -> dict[str, tuple[float, float]]:
    """Return for each kind the lowest and highest value that is not clipped.

    Ratings end with their scale, where it is known. Other values end where Tukey's outer fence on
    log(1 + |value|) does, q75 + `outlier_spread` x IQR, or at ten times the 99th percentile if
    that is larger (where nearly all values are equal, any fence would cut the rest). Kinds with
    fewer than `outlier_rows` values have no limit, nor have those that become a share anyway.
    """
    size = pl.col("value").abs().log1p()
    spread = (
        frame.filter(pl.col("value").is_not_null())
        .group_by("event")
        .agg(
            rows=pl.len(),
            low=size.quantile(0.25),
            high=size.quantile(0.75),
            last=size.quantile(0.99),
        )
    )
    limits = {}
    for kind, rows, low, high, last in spread.iter_rows():
        unit = kinds.unit(kind)
        if unit == "stars":
            if kinds.knows_scale(kind):
                limits[kind] = kinds.scale(kind)
        elif unit is None and rows >= cleaning.outlier_rows:
            fence = float(
                np.expm1(max(high + cleaning.outlier_spread * (high - low), last + np.log(10)))
            )
            limits[kind] = (-fence, fence)
    return limits
