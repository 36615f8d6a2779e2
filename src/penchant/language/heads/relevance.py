"""Whether a text answers a query: a logistic law over how their two vectors compare."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from penchant.language.heads.familiarity import Familiarity
from penchant.language.heads.folder import write
from penchant.language.heads.linear import Linear, sigmoid
from penchant.language.heads.predictions import RELEVANT, Kind, Predictions
from penchant.language.heads.rows import compared, pairs
from penchant.types import Floats


@dataclass(frozen=True)
class RelevanceHead:
    """Says with which probability a text answers a query.

    A row is the query's vector and the text's, side by side. What is unknown is a pair of which
    neither half is like those of the training.
    """

    encoder: str
    linear: Linear
    familiarity: Familiarity
    learned: Mapping[str, Any] = field(default_factory=dict, compare=False)
    kind: ClassVar[Kind] = "relevance"

    @property
    def dimension(self) -> int:
        """The length of a row: twice the encoder's dimension."""
        return int(self.linear.weights.shape[0]) - 1

    def predict(self, vectors: Floats) -> Predictions:
        """Return the probability of each pair float32[n, dimension]."""
        rows, told = pairs(vectors, self.dimension)
        values = sigmoid(self.linear(compared(rows))).astype(np.float32)
        score = self.familiarity.score(rows / np.float32(np.sqrt(2.0)))
        known = self.familiarity.known(score, told)
        return Predictions(self.kind, (RELEVANT,), values, score, known)

    def written(self) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
        """Return what `read` takes: content for JSON, and arrays."""
        content = {
            "kind": self.kind,
            "encoder": self.encoder,
            "dimension": self.dimension,
            "least": self.familiarity.least,
            "learned": dict(self.learned),
        }
        return content, self.linear.arrays() | self.familiarity.arrays()

    def save(self, folder: str | Path) -> None:
        """Write it to `folder`."""
        write(folder, *self.written())

    @classmethod
    def read(
        cls, content: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]
    ) -> RelevanceHead:
        """Return the head that `save` wrote."""
        dimension = int(content["dimension"])
        return cls(
            content["encoder"],
            Linear.read(arrays, dimension + 1, 1),
            Familiarity.read(content, arrays, dimension),
            content["learned"],
        )
