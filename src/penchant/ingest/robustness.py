"""What no single row shows: double clicks and bot-like bursts.

A burst is many distinct moments, never many items at one moment: a basket, a page of search results
or a playlist is one thing a person did.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from penchant.ingest.cleaning import CleaningConfig
from penchant.ingest.kinds import plain
from penchant.ingest.times import MICROS
from penchant.types import Mask


def near_duplicates(frame: pl.DataFrame, cleaning: CleaningConfig) -> Mask:
    """Return which events repeat an earlier one within `near_duplicate_within` seconds, bool[n].

    Same person, item, kind, value, text and slate; a chain of such events keeps its first. Kinds
    that mean something each time (purchases, ratings, searches) are exempt.
    """
    same = ("user_id", "item_id", "event", "value", "text", "slate_id")
    code = frame.select(pl.struct(same).hash()).to_series().to_numpy()
    times = frame["timestamp"].to_numpy()
    order = np.lexsort((times, code))
    close = (np.diff(times[order]) <= cleaning.near_duplicate_within * MICROS) & (
        code[order[1:]] == code[order[:-1]]
    )
    repeat: Mask = np.zeros(len(times), dtype=np.bool_)
    # Equal hashes are almost always, and equal columns always, the same act.
    later, earlier = frame.select(same)[order[1:][close]], frame.select(same)[order[:-1][close]]
    if later.height:
        alike = [later[name].eq_missing(earlier[name]) for name in same]
        exempt = {plain(k) for k in cleaning.near_duplicate_exempt}
        free = [k for k in later["event"].unique().to_list() if plain(k) in exempt]
        alike += [later["item_id"].is_not_null(), ~later["event"].is_in(free)]
        repeat[order[1:][close]] = np.logical_and.reduce([one.to_numpy() for one in alike])
    return repeat


def bursts(frame: pl.DataFrame, cleaning: CleaningConfig) -> Mask:
    """Return which events lie in a stretch of too many moments of one person, bool[n].

    A stretch is `burst_within` seconds with more than `burst_moments` distinct seconds in it.
    """
    span = max(int(cleaning.burst_within), 1)
    seconds = frame["timestamp"].to_numpy() // MICROS
    people = np.unique(frame["user_id"].hash().to_numpy(), return_inverse=True)[1]
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
