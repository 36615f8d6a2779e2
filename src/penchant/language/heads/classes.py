"""One label of several: a softmax over a linear layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from penchant.language.heads.familiarity import Familiarity
from penchant.language.heads.folder import write
from penchant.language.heads.linear import Linear, softmax
from penchant.language.heads.predictions import Kind, Predictions
from penchant.language.heads.rows import directions
from penchant.types import Floats


@dataclass(frozen=True)
class ClassHead:
    """Says which of `names` a text is, with a calibrated probability, or that it is unknown.

    The temperature (Guo et al. 2017) is inside the layer's numbers. `learned` is what was measured
    on held-out texts when it was learned.
    """

    encoder: str
    names: tuple[str, ...]
    linear: Linear
    familiarity: Familiarity
    learned: Mapping[str, Any] = field(default_factory=dict, compare=False)
    kind: ClassVar[Kind] = "class"

    @property
    def dimension(self) -> int:
        """The length of a row."""
        return int(self.linear.weights.shape[0])

    def predict(self, vectors: Floats) -> Predictions:
        """Return the probabilities of the names for float32[n, dimension]."""
        rows, told = directions(vectors, self.dimension)
        values = softmax(self.linear(rows))
        score = self.familiarity.score(rows, values.max(axis=1))
        known = self.familiarity.known(score, told)
        return Predictions(self.kind, self.names, values.astype(np.float32), score, known)

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
        return content, self.linear.arrays() | self.familiarity.arrays()

    def save(self, folder: str | Path) -> None:
        """Write it to `folder`."""
        write(folder, *self.written())

    @classmethod
    def read(cls, content: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> ClassHead:
        """Return the head that `save` wrote."""
        names, dimension = tuple(content["names"]), int(content["dimension"])
        return cls(
            content["encoder"],
            names,
            Linear.read(arrays, dimension, len(names)),
            Familiarity.read(content, arrays, dimension),
            content["learned"],
        )
