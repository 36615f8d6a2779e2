"""A number with an interval: ridge regression and the quantile of what it got wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from penchant.language.heads.familiarity import Familiarity
from penchant.language.heads.folder import write
from penchant.language.heads.linear import Linear
from penchant.language.heads.predictions import Kind, Predictions
from penchant.language.heads.rows import directions
from penchant.types import Floats


@dataclass(frozen=True)
class ValueHead:
    """Says which number a text stands for, between `low` and `high` of what was learned.

    The interval is the estimate plus and minus `width`, the quantile of the errors on texts that
    were held out (split conformal; Vovk et al. 2005, Barber et al. 2021).
    """

    encoder: str
    linear: Linear
    width: float
    low: float
    high: float
    familiarity: Familiarity
    learned: Mapping[str, Any] = field(default_factory=dict, compare=False)
    kind: ClassVar[Kind] = "value"

    @property
    def dimension(self) -> int:
        """The length of a row."""
        return int(self.linear.weights.shape[0])

    def predict(self, vectors: Floats) -> Predictions:
        """Return estimate, lower and upper bound for float32[n, dimension], float32[n, 3]."""
        rows, told = directions(vectors, self.dimension)
        value = np.clip(self.linear(rows)[:, 0], self.low, self.high)
        values = np.stack([value, value - self.width, value + self.width], axis=1)
        score = self.familiarity.score(rows)
        known = self.familiarity.known(score, told)
        names = ("value", "low", "high")
        return Predictions(self.kind, names, values.astype(np.float32), score, known)

    def written(self) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
        """Return what `read` takes: content for JSON, and arrays."""
        content = {
            "kind": self.kind,
            "encoder": self.encoder,
            "dimension": self.dimension,
            "width": self.width,
            "low": self.low,
            "high": self.high,
            "least": self.familiarity.least,
            "learned": dict(self.learned),
        }
        return content, self.linear.arrays() | self.familiarity.arrays()

    def save(self, folder: str | Path) -> None:
        """Write it to `folder`."""
        write(folder, *self.written())

    @classmethod
    def read(cls, content: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> ValueHead:
        """Return the head that `save` wrote."""
        dimension = int(content["dimension"])
        return cls(
            content["encoder"],
            Linear.read(arrays, dimension, 1),
            float(content["width"]),
            float(content["low"]),
            float(content["high"]),
            Familiarity.read(content, arrays, dimension),
            content["learned"],
        )
