"""The contract of a head: vectors of one encoder in, calibrated answers out."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import numpy.typing as npt

from penchant.language.heads.predictions import Kind, Predictions
from penchant.types import Floats


class Head(Protocol):
    """Answers vectors float32[n, dimension] of the encoder that it was learned on, and no other.

    A row is answered alone, whatever else is in the batch, and by its direction only: its length
    does not matter. A row of zeros or with a NaN is a text in which there was nothing to read; its
    answer is "unknown", never NaN. Of pairs of texts, the two vectors lie side by side in a row.
    """

    @property
    def kind(self) -> Kind:
        """What it answers: "class", "labels", "value" or "relevance"."""
        ...

    @property
    def encoder(self) -> str:
        """The id of the encoder whose vectors it reads."""
        ...

    @property
    def dimension(self) -> int:
        """The length of a row."""
        ...

    def predict(self, vectors: Floats) -> Predictions:
        """Return the answers to float32[n, dimension], in their order."""
        ...

    def written(self) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
        """Return all that it is made of: content for JSON, with its `kind`, and arrays."""
        ...

    def save(self, folder: str | Path) -> None:
        """Write it to `folder`, which `penchant.language.heads.open.read_head` reads."""
        ...
