"""Reading the texts of a catalogue as vectors: as they are, and as they were at a moment.

A review that was written in the window which the ranker learns from says what was wanted there. So
what is learned out of time reads the texts as they were before that window.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from penchant.ingest.kinds import Kinds
from penchant.interests.history import others_learn
from penchant.language.encoder.encoder import Encoder
from penchant.language.encoder.open import EncoderConfig, open_encoder, own_encoder
from penchant.language.projection import TEXT, Layout
from penchant.language.reviews import chosen
from penchant.language.template import TextConfig
from penchant.language.texts import ItemTexts
from penchant.learn.view import Earlier
from penchant.rank.answer.loading import VECTORS, open_media
from penchant.recall.led import Led
from penchant.store.open import Store
from penchant.store.tail import Tail
from penchant.types import Floats


@dataclass(frozen=True, slots=True)
class KnownTexts:
    """`raw` float32[n, d], NaN for items without text; `bare` gives that part without categories.

    Where items are more than their text, `layout` names the parts of a row and their lengths. Where
    texts hold reviews, `reviewed` is which (`Reviews.table`), and `earlier` gives `raw` as of a
    moment. `texts` gives what items say themselves, "" for those without a text.
    """

    raw: Floats
    bare: Callable[[], Floats]
    texts: Callable[[], list[str]]
    layout: Layout = ()
    reviewed: npt.NDArray[np.int64] | None = None
    earlier: Earlier | None = None


def read_texts(store: Store, tail: Tail, n: int, snapshot: Path | None = None) -> KnownTexts | None:
    """Return the text vectors of all items, None where section [encoder] says model = "none".

    Where the folder of a `snapshot` holds an encoder of its own, that one reads.
    """
    config = store.settings.section("encoder", EncoderConfig)
    if snapshot is not None:
        config = own_encoder(config, snapshot)
    items = tail.items
    if config.model == "none" or not len(items):
        return None
    encoder = open_encoder(config, store.directory / VECTORS)
    section = store.settings.section("text", TextConfig)
    _remember(encoder, store, tail)
    media = open_media(store)
    texts = ItemTexts(section, store.said, media)
    texts.reviews.fold(tail.events)
    first, d = texts.encoded(encoder, items), encoder.dimension
    raw: Floats = np.full((n, first.shape[1]), np.nan, dtype=np.float32)
    raw[items["number"].to_numpy()] = _named(first, d)

    def bare() -> Floats:
        out = raw[:, :d].copy()
        nameless = items.with_columns(category=pl.lit(None, pl.String))
        unseen = ItemTexts(section, store.said)
        unseen.reviews = texts.reviews
        out[items["number"].to_numpy()] = _named(unseen.encoded(encoder, nameless), d)
        return out

    def own() -> list[str]:
        out = [""] * n
        for number, text in zip(items["number"].to_list(), texts.own(items), strict=True):
            out[number] = text
        return out

    layout = () if media is None else ((TEXT, d), *media.layout)
    if not texts.reviews.wanted:
        return KnownTexts(raw, bare, own, layout)
    table, reviews = texts.reviews.table(), texts.reviews.among(tail.events)

    def earlier(moment: float) -> Floats:
        then = ItemTexts(section, store.said, media)
        then.reviews.fold(chosen(reviews, np.flatnonzero(reviews.times < moment)))
        rows = items.filter(pl.col("number").is_in(then.reviews.differ(table).tolist()))
        out = raw.copy()
        if len(rows):
            # What nobody reads twice is not remembered.
            out[rows["number"].to_numpy()] = _named(then.encoded(encoder, rows, passing=True), d)
        return out

    return KnownTexts(raw, bare, own, layout, table, earlier)


def _remember(encoder: Encoder, store: Store, tail: Tail) -> None:
    """Have the questions that led to something encoded, so that no request has to wait for it."""
    kinds = Kinds.from_settings(store.settings)
    led = Led(lambda events: others_learn(kinds, events))
    led.fold(tail.events)
    encoder.encode(led.texts())


def _named(found: npt.NDArray[np.float32], d: int) -> Floats:
    rows: Floats = found.astype(np.float32)
    rows[np.abs(rows[:, :d]).max(axis=1) == 0, :d] = np.nan
    return rows
