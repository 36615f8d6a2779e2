"""The contract of an encoder: text in, unit vectors out, and an id that names the exact weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt


class Encoder(Protocol):
    """Turns texts into unit vectors. `id` is a content address: equal ids mean equal vectors.

    `encode` returns float32[n, dimension], never NaN: a row of length one for each text, or a row
    of zeros for a text in which there is nothing to read (empty, blank, only unknown symbols), so
    that it is similar to nothing rather than to every other empty text. A row does not depend on
    what else is in the batch.
    """

    @property
    def id(self) -> str:
        """The content address of everything a vector depends on besides the text."""
        ...

    @property
    def dimension(self) -> int:
        """The length of a vector."""
        ...

    def reads(self, text: str) -> bool:
        """Return whether the encoder knows what a text is written in, so that a vector says it."""
        ...

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return the vectors of `texts`, float32[n, dimension], in their order."""
        ...
