"""Who reads texts for a snapshot: the configured encoder, or the one that was tuned for it.

What an encoder makes of a text means something in its own space alone. So whoever encodes for a
snapshot, items or the words of a person, asks the encoder that this snapshot was learned with.
"""

from __future__ import annotations

import threading
import weakref
from dataclasses import dataclass
from pathlib import Path

from penchant.language.encoder.cache import CachedEncoder
from penchant.language.encoder.encoder import Encoder
from penchant.language.encoder.exported import META
from penchant.language.encoder.open import OWN, EncoderConfig, open_encoder, own_encoder
from penchant.recall.asked import Asked
from penchant.recall.led import Led
from penchant.recall.source import Source


@dataclass(frozen=True, eq=False)
class Reader:
    """An encoder, None where no texts are read, and the sources that what was said leads to."""

    encoder: Encoder | None
    worded: tuple[Source, ...]


class Readers:
    """Opens the encoder of a snapshot when one is loaded that needs it; equal ones are shared.

    `lexical` finds items by their words, with and without an encoder; `led` is what words led to.
    """

    def __init__(
        self,
        config: EncoderConfig,
        cache: Path,
        lexical: Source,
        led: Led,
        *,
        read_only: bool = False,
    ) -> None:
        self._config, self._cache, self._read_only = config, cache, read_only
        self._lexical, self._led = lexical, led
        self._guard = threading.Lock()
        self._opened: weakref.WeakValueDictionary[bytes, Reader] = weakref.WeakValueDictionary()
        self.configured = self._open(config)

    def of(self, snapshot: Path) -> Reader:
        """Return who reads for the snapshot in this folder.

        Raises what `open_encoder` raises where the folder has an encoder that cannot be opened.
        """
        config = own_encoder(self._config, snapshot)
        if config is self._config:
            return self.configured
        with self._guard:
            mark = (snapshot / OWN / META).read_bytes()
            reader = self._opened.get(mark)
            if reader is None:
                reader = self._opened[mark] = self._open(config)
            return reader

    def close(self) -> None:
        """Close the files that vectors are remembered in."""
        for reader in (self.configured, *self._opened.values()):
            if isinstance(reader.encoder, CachedEncoder):
                reader.encoder.close()

    def _open(self, config: EncoderConfig) -> Reader:
        if config.model == "none":
            return Reader(None, (self._lexical,))
        encoder = open_encoder(config, self._cache, read_only=self._read_only)
        return Reader(encoder, (self._lexical, Asked("asked", self._led, encoder.encode)))
