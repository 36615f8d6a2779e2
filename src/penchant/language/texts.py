"""What an item says, as text and as a vector: one definition for serving and for training."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from penchant.language.encoder.cache import CachedEncoder, Progress
from penchant.language.encoder.encoder import Encoder
from penchant.language.normal import normal
from penchant.language.reviews import READ, Reviews
from penchant.language.template import REVIEWS, Template, TextConfig
from penchant.store.said import Said


class ItemTexts:
    """The texts of items as they are now: the template over their columns and newest reviews."""

    def __init__(self, config: TextConfig, said: Said) -> None:
        self.reviews = Reviews(config, said)
        self._template = Template(config)
        self._said = said

    def __call__(self, rows: pl.DataFrame) -> list[str]:
        """Return one text per row of a frame with the columns of ITEMS and `number`."""
        return self._template(self.reviewed(rows))

    def reviewed(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Return the rows with a column of their reviews, where texts hold any.

        A review that has just gone from the log is left out.
        """
        if not self.reviews.wanted or "number" not in rows.columns or not len(rows):
            return rows
        offsets = self.reviews.of(rows["number"].to_numpy())
        limit = self.reviews.config.review_characters
        found = self._said.texts(np.unique(offsets[offsets >= 0]).tolist(), READ * limit)
        words = [[normal(found[o], limit) for o in row if o in found] for row in offsets.tolist()]
        return rows.with_columns(pl.Series(REVIEWS, words, dtype=pl.List(pl.String)))

    def encoded(
        self, encoder: Encoder, rows: pl.DataFrame, progress: Progress | None = None
    ) -> npt.NDArray[np.float32]:
        """Return the raw vectors float32[len(rows), d] of items, rows of zeros without a text.

        Where vectors are remembered, of a text with reviews only the newest is (`CachedEncoder`).
        """
        texts = self(rows)
        if not isinstance(encoder, CachedEncoder):
            return encoder.encode(texts)
        if self.reviews.wanted and "number" in rows.columns:
            numbers = rows["number"].to_numpy()
            marks = [_mark(row) for row in self.reviews.of(numbers)]
            encoder.hold(numbers.tolist(), marks, texts)
        return encoder.encode(texts, progress)

    def sweep(self, encoder: Encoder | None) -> None:
        """Have the encoder forget texts with reviews that are not those of their items now."""
        if isinstance(encoder, CachedEncoder):
            items = self.reviews.reviewed()
            marks = map(_mark, self.reviews.of(items))
            encoder.sweep(dict(zip(items.tolist(), marks, strict=True)))


def _mark(offsets: npt.NDArray[np.int64]) -> bytes:
    return offsets.tobytes() if (offsets >= 0).any() else b""
