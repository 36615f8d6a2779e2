"""A space of meanings bent by behaviour: whitened sentence vectors through a small learned layer.

    z = whiten(x),  v = unit(z A + silu(z B + b) C)

x is what the frozen encoder made of a text. A, B, b and C are learned from what people wanted
together (`learn/tuning/projection.py`), so that texts are near when the same people want what they
describe, and not only when they say the same. A new item needs its text and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from penchant.language.whitening import Whitening
from penchant.store.artefacts import Artefacts
from penchant.types import Floats

PARTS = ("mean", "matrix", "linear", "hidden", "offset", "out")


@dataclass(frozen=True, slots=True)
class Projection:
    """x float32[n, d] -> unit rows float32[n, k].

    `whitening` leads to z float32[n, w], rows of length sqrt(w); `linear` is
    float32[w, k], `hidden` float32[w, h], `offset` float32[h], `out` float32[h, k].
    """

    whitening: Whitening
    linear: Floats
    hidden: Floats
    offset: Floats
    out: Floats

    @property
    def dimension(self) -> int:
        """The length of a row that comes out."""
        return int(self.linear.shape[1])

    def __call__(self, vectors: Floats) -> Floats:
        """Return unit rows float32[n, k]; rows of NaN or zeros give rows of NaN."""
        z = self.whitening(vectors)
        z *= np.float32(np.sqrt(z.shape[1]))
        inner = z @ self.hidden + self.offset
        inner /= 1.0 + np.exp(-np.maximum(inner, np.float32(-80.0)))
        v = z @ self.linear + inner @ self.out
        norm = np.linalg.norm(v, axis=1, keepdims=True)
        unit: Floats = (v / np.maximum(norm, 1e-9)).astype(np.float32)
        return unit

    def turned(self, rows: Floats) -> Projection:
        """Return the same space, turned to the principal directions of its own unit `rows`."""
        known = rows[np.isfinite(rows[:, 0])].astype(np.float64)
        _, directions = np.linalg.eigh(known.T @ known)
        turn = directions[:, ::-1].astype(np.float32)
        return replace(self, linear=self.linear @ turn, out=self.out @ turn)

    def save(self, folder: Artefacts, name: str) -> None:
        """Write the arrays as `name`.mean, `name`.matrix and so on."""
        learned = (self.linear, self.hidden, self.offset, self.out)
        arrays = (self.whitening.mean, self.whitening.matrix, *learned)
        for part, array in zip(PARTS, arrays, strict=True):
            folder.write_array(f"{name}.{part}", array)

    @classmethod
    def load(cls, folder: Artefacts, name: str) -> Projection:
        """Return what `save` wrote."""
        mean, matrix, *rest = (np.asarray(folder.array(f"{name}.{part}")) for part in PARTS)
        return cls(Whitening(mean, matrix), *rest)
