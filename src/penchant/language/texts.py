"""What an item says, as a vector: one definition for serving and for training."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from penchant.language.encoder.cache import CachedEncoder, Progress
from penchant.language.encoder.encoder import Encoder
from penchant.language.media.media import Media
from penchant.language.normal import normal
from penchant.language.reviews import READ, Reviews
from penchant.language.template import REVIEWS, Template, TextConfig
from penchant.store.said import Said

_READ = 600  # characters that count: an encoder reads some hundred words


class ItemTexts:
    """The vectors of items as they are now: of their own words, and of their newest reviews.

    The two are encoded apart and added by their lengths, the reviews' times `review_weight`. In one
    text reviews took the place of what only this item is about, and were cut where its own words
    are long (`docs/language-items.md` has what was compared). `media` are parts of their own.
    """

    def __init__(self, config: TextConfig, said: Said, media: Media | None = None) -> None:
        self.media = media
        self.reviews = Reviews(config, said)
        own, written = config.split()
        self._own, self._written = Template(own), Template(written)
        self._weight = np.float32(config.review_weight)
        self._said = said

    def own(self, rows: pl.DataFrame) -> list[str]:
        """Return what each item says itself, for a frame with the columns of ITEMS."""
        return self._own(rows)

    def written(self, rows: pl.DataFrame) -> list[str]:
        """Return what is written of each item, for a frame that has their `number` too."""
        return self._written(self.reviewed(rows))

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
        self,
        encoder: Encoder,
        rows: pl.DataFrame,
        progress: Progress | None = None,
        *,
        passing: bool = False,
    ) -> npt.NDArray[np.float32]:
        """Return the raw vectors float32[len(rows), d] of items, zeros for those without a text.

        Where there are `media`, their parts follow the d numbers of the text, NaN where an item has
        none. Where vectors are remembered, of the reviews of an item only the newest are
        (`CachedEncoder`); none of those that are `passing`, as they were at some moment.
        """
        said = self._said_of(encoder, rows, progress, passing)
        return said if self.media is None else np.concatenate((said, self.media(rows)), axis=1)

    def _said_of(
        self, encoder: Encoder, rows: pl.DataFrame, progress: Progress | None, passing: bool
    ) -> npt.NDArray[np.float32]:
        own = self.own(rows)
        cached = encoder if isinstance(encoder, CachedEncoder) else None
        out = encoder.encode(own) if cached is None else cached.encode(own, progress)
        if not self.reviews.wanted or not self._weight or "number" not in rows.columns:
            return out
        written = self.written(rows)
        if cached is not None and passing:
            encoder = cached.encoder
        elif cached is not None:
            numbers = rows["number"].to_numpy()
            cached.hold(numbers.tolist(), [_mark(row) for row in self.reviews.of(numbers)], written)
        some = [place for place, text in enumerate(written) if text]
        if some:
            # By their lengths, as far as an encoder reads: beside a bare title they say the most.
            lengths = [[min(len(text[place]), _READ) for place in some] for text in (written, own)]
            share = np.array(lengths[0], np.float32) / np.maximum(lengths[1], 1)
            said = encoder.encode([written[place] for place in some])
            both = out[some] + (self._weight * share).astype(np.float32)[:, None] * said
            norms = np.linalg.norm(both, axis=1, keepdims=True)
            out[some] = both / np.where(norms > 0, norms, 1)
        return out

    def sweep(self, encoder: Encoder | None) -> None:
        """Have the encoder forget texts with reviews that are not those of their items now."""
        if isinstance(encoder, CachedEncoder):
            items = self.reviews.reviewed()
            marks = map(_mark, self.reviews.of(items))
            encoder.sweep(dict(zip(items.tolist(), marks, strict=True)))


def _mark(offsets: npt.NDArray[np.int64]) -> bytes:
    return offsets.tobytes() if (offsets >= 0).any() else b""
