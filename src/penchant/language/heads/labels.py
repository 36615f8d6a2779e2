"""Several labels at once: a sigmoid each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from penchant.language.heads.familiarity import Familiarity
from penchant.language.heads.folder import write
from penchant.language.heads.linear import HeadDamaged, Linear, sigmoid
from penchant.language.heads.predictions import Kind, Predictions
from penchant.language.heads.rows import directions
from penchant.types import Floats


@dataclass(frozen=True)
class LabelsHead:
    """Says which of `names` apply to a text: those whose probability reaches `cuts` float32[m]."""

    encoder: str
    names: tuple[str, ...]
    linear: Linear
    cuts: Floats
    familiarity: Familiarity
    learned: Mapping[str, Any] = field(default_factory=dict, compare=False)
    kind: ClassVar[Kind] = "labels"

    @property
    def dimension(self) -> int:
        """The length of a row."""
        return int(self.linear.weights.shape[0])

    def predict(self, vectors: Floats) -> Predictions:
        """Return the probabilities of the names, each for itself, for float32[n, dimension]."""
        rows, told = directions(vectors, self.dimension)
        values = sigmoid(self.linear(rows)).astype(np.float32)
        # A text to which no label applies may be well known: only what is near counts.
        score = self.familiarity.score(rows)
        known = self.familiarity.known(score, told)
        return Predictions(self.kind, self.names, values, score, known, self.cuts)

    def written(self) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
        """Return what `read` takes: content for JSON, and arrays."""
        content = {
            "kind": self.kind,
            "encoder": self.encoder,
            "dimension": self.dimension,
            "names": self.names,
            "least": self.familiarity.least,
            "learned": dict(self.learned),
        }
        return content, self.linear.arrays() | self.familiarity.arrays() | {"cuts": self.cuts}

    def save(self, folder: str | Path) -> None:
        """Write it to `folder`."""
        write(folder, *self.written())

    @classmethod
    def read(cls, content: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> LabelsHead:
        """Return the head that `save` wrote."""
        names, dimension = tuple(content["names"]), int(content["dimension"])
        if arrays["cuts"].shape != (len(names),):
            raise HeadDamaged(f"expected {len(names)} cuts, got {arrays['cuts'].shape}")
        return cls(
            content["encoder"],
            names,
            Linear.read(arrays, dimension, len(names)),
            arrays["cuts"].astype(np.float32),
            Familiarity.read(content, arrays, dimension),
            content["learned"],
        )
