"""Vectors of what people want and ask for: by the shelf's own language model, or without one.

Without a model an item is its category, and words are hashed: less fine, and enough to see that
people turned to something else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from penchant.language.encoder.cache import CachedEncoder
from penchant.language.encoder.encoder import Encoder
from penchant.language.encoder.open import EncoderConfig, open_encoder
from penchant.language.template import Template, TextConfig
from penchant.store.open import Store
from penchant.types import Floats

CACHE = "vectors.db"
HASHED = 64  # dimensions of hashed words and categories


class Meaning:
    """Turns item numbers and words into unit vectors, rows of NaN where nothing is said.

    The model is opened when the first vector is asked for.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._config = store.settings.section("encoder", EncoderConfig)
        self._template = Template(store.settings.section("text", TextConfig))
        self._encoder: Encoder | None = None
        self._known: dict[int, Floats] = {}

    def changed(self) -> None:
        """Forget what items meant: some have changed."""
        self._known.clear()

    def things(self, numbers: Sequence[int]) -> Floats:
        """Return the vectors of items, float32[len(numbers), d]."""
        missing = sorted({int(n) for n in numbers} - self._known.keys())
        if missing:
            frame = self._store.catalogue.get(missing)
            if self._config.model == "none":
                said = [str(category or "") for category in frame["category"].to_list()]
                rows = self._hashed([[one] if one else [] for one in said])
            else:
                rows = self._encoded(self._template(frame))
            self._known |= dict(zip(frame["number"].to_list(), rows, strict=True))
        width = next((len(row) for row in self._known.values()), HASHED)
        unknown = np.full(width, np.nan, dtype=np.float32)
        return np.array([self._known.get(int(n), unknown) for n in numbers], dtype=np.float32)

    def words(self, texts: Sequence[str]) -> Floats:
        """Return the vectors of what people said, float32[len(texts), d]."""
        if self._config.model == "none":
            return self._hashed([text.casefold().split() for text in texts])
        return self._encoded(list(texts))

    def close(self) -> None:
        """Let go of the model."""
        if isinstance(self._encoder, CachedEncoder):
            self._encoder.close()
        self._encoder = None

    def _encoded(self, texts: list[str]) -> Floats:
        if self._encoder is None:
            cache = self._store.directory / CACHE
            self._encoder = open_encoder(self._config, cache, read_only=True)
        rows = self._encoder.encode(texts).astype(np.float32)
        rows[np.abs(rows).max(axis=1, initial=0) == 0] = np.nan
        return rows

    def _hashed(self, rows: list[list[str]]) -> Floats:
        out = np.zeros((len(rows), HASHED), dtype=np.float32)
        for place, words in enumerate(rows):
            for word in words:
                digest = hashlib.blake2b(word.encode(), digest_size=4).digest()
                number = int.from_bytes(digest, "little")
                out[place, number % HASHED] += 1.0 if number >> 16 & 1 else -1.0
        size = np.linalg.norm(out, axis=1, keepdims=True)
        unit: Floats = np.divide(out, size, out=np.full_like(out, np.nan), where=size > 0)
        return unit
