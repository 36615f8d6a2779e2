"""Whether a text is of a kind that was learned: sureness, and the nearest text of the training.

Of what was compared on intents that were left out of the training (`benchmarks/heads.py unknown`),
the sum of the two is best: log p of the likeliest label, plus four times the cosine to the nearest
labelled text. The probability alone is fooled by texts that are far from everything, the distance
alone by texts between two labels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from penchant.language.heads.linear import HeadDamaged
from penchant.types import Floats, Mask

NEAR = 4.0
"""What a cosine of one counts for, in units of log p."""
_BLOCK = 256


@dataclass(frozen=True, slots=True)
class Familiarity:
    """Unit rows float32[m, d] of the training, and the score from which a text is known."""

    rows: Floats
    least: float

    def score(self, rows: Floats, sure: npt.NDArray[np.float64] | None = None) -> Floats:
        """Return how familiar unit rows float32[n, d] are, float32[n], the higher the more.

        `sure` float64[n] is the probability of the likeliest label, where there are labels.
        """
        near = NEAR * nearest(rows, self.rows)
        if sure is not None:
            near = near + np.log(np.maximum(sure, 1e-12))
        return near.astype(np.float32)

    def known(self, score: Floats, told: Mask) -> Mask:
        """Return bool[n]: which texts said anything (`told`) and are familiar enough."""
        return np.asarray(told & (score >= self.least))

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return what is to be written: half precision is ample for a cosine."""
        return {"familiar": self.rows.astype(np.float16)}

    @classmethod
    def read(
        cls, content: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]], dimension: int
    ) -> Familiarity:
        """Return what `arrays` wrote; HeadDamaged where it does not fit."""
        rows = arrays["familiar"]
        if rows.ndim != 2 or rows.shape[1] != dimension:
            raise HeadDamaged(
                f"expected familiar rows of {dimension} components, got {rows.shape}: learn the "
                "head again"
            )
        return cls(rows.astype(np.float32), float(content["least"]))


def nearest(rows: Floats, among: Floats) -> Floats:
    """Return the largest cosine of each unit row with a row of `among`, float32[n]; -1 for none."""
    out = np.full(len(rows), -1.0, np.float32)
    for start in range(0, len(rows) if len(among) else 0, _BLOCK):
        part = slice(start, start + _BLOCK)
        out[part] = (rows[part] @ among.T).max(axis=1)
    return out
