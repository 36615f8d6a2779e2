"""A space of meanings bent by behaviour: whitened vectors of items through a small learned layer.

    z = whiten(x),  v = unit(z A + silu(z B + b) C)

x is what the frozen encoder made of a text. A, B, b and C are learned from what people wanted
together (`learn/tuning/projection.py`), so that texts are near when the same people want what they
describe, and not only when they say the same. A new item needs its text and nothing else.

Where items are more than their text, x has a part for each modality, each is whitened by itself, a
part that is missing is zero, and each but the text is multiplied by a gate between 0 and 1 that is
read off all of them (Arevalo et al. 2017, "Gated Multimodal Units"): z = (z_0, g_1 z_1, ...),
g = sigmoid(z G + c).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from penchant.language.whitening import Whitening
from penchant.store.artefacts import Artefacts
from penchant.types import Floats

LEARNED = ("linear", "hidden", "offset", "out")
TEXT = "text"
Layout = tuple[tuple[str, int], ...]
"""The parts of a raw row in their order, each by its name and length; () for a text alone."""


@dataclass(frozen=True, slots=True)
class Projection:
    """x float32[n, d] -> unit rows float32[n, k].

    `parts` lead to z float32[n, w], one whitening for each part of x, in their order; each part has
    the length of the root of its width. `linear` is float32[w, k], `hidden` float32[w, h], `offset`
    float32[h], `out` float32[h, k]; `gate` float32[w, m] and `openness` float32[m] are those of the
    m parts beside the text. `names` say what the parts are, the text first.
    """

    parts: tuple[Whitening, ...]
    linear: Floats
    hidden: Floats
    offset: Floats
    out: Floats
    gate: Floats
    openness: Floats
    names: tuple[str, ...] = (TEXT,)

    @property
    def dimension(self) -> int:
        """The length of a row that comes out."""
        return int(self.linear.shape[1])

    def __call__(self, vectors: Floats) -> Floats:
        """Return unit rows float32[n, k]; rows of which every part is NaN or zero give NaN.

        Rows that end after the text, as words do, lack the other parts.
        """
        z = whitened(self.parts, vectors)
        empty = ~z.any(axis=1)
        if len(self.parts) > 1:
            z = z * self._opened(z)
        inner = z @ self.hidden + self.offset
        inner /= 1.0 + np.exp(-np.maximum(inner, np.float32(-80.0)))
        v = z @ self.linear + inner @ self.out
        norm = np.linalg.norm(v, axis=1, keepdims=True)
        unit: Floats = (v / np.maximum(norm, 1e-9)).astype(np.float32)
        unit[empty] = np.nan
        return unit

    def reading(self, layout: Layout) -> Callable[[Floats], Floats]:
        """Return what reads rows of another layout: parts go by their names, not by their place.

        What this was learned without is not looked at, and what a row has no more is missing.
        """
        own = tuple(
            (name, len(part.mean)) for name, part in zip(self.names, self.parts, strict=True)
        )
        if not layout or layout == own:
            return self
        begins = dict(zip((name for name, _ in layout), _begins(layout), strict=True))

        def read(vectors: Floats) -> Floats:
            columns = []
            for name, width in own:
                begin = begins.get(name, -1)
                inside = begin >= 0 and begin + width <= vectors.shape[1]
                part = vectors[:, begin : begin + width] if inside else np.nan
                columns.append(np.broadcast_to(part, (len(vectors), width)))
            return self(np.concatenate(columns, axis=1).astype(np.float32))

        return read

    def turned(self, rows: Floats) -> Projection:
        """Return the same space, turned to the principal directions of its own unit `rows`."""
        known = rows[np.isfinite(rows[:, 0])].astype(np.float64)
        _, directions = np.linalg.eigh(known.T @ known)
        turn = directions[:, ::-1].astype(np.float32)
        return replace(self, linear=self.linear @ turn, out=self.out @ turn)

    def save(self, folder: Artefacts, name: str) -> None:
        """Write the arrays as `name`.mean, `name`.matrix and so on."""
        for number, part in enumerate(self.parts):
            folder.write_array(_numbered(f"{name}.mean", number), part.mean)
            folder.write_array(_numbered(f"{name}.matrix", number), part.matrix)
        for array in LEARNED:
            folder.write_array(f"{name}.{array}", getattr(self, array))
        if len(self.parts) > 1:
            folder.write_array(f"{name}.gate", self.gate)
            folder.write_array(f"{name}.openness", self.openness)

    @classmethod
    def load(cls, folder: Artefacts, name: str) -> Projection:
        """Return what `save` wrote."""

        def array(what: str) -> Floats:
            return np.asarray(folder.array(f"{name}.{what}"))

        parts: list[Whitening] = []
        while folder.has(f"{_numbered(f'{name}.mean', len(parts))}.npy"):
            number = len(parts)
            mean, matrix = (array(_numbered(what, number)) for what in ("mean", "matrix"))
            parts.append(Whitening(mean, matrix))
        linear, hidden, offset, out = (array(what) for what in LEARNED)
        gate, openness = np.zeros((len(linear), 0), np.float32), np.zeros(0, np.float32)
        if len(parts) > 1:
            gate, openness = array("gate"), array("openness")
        names: tuple[str, ...] = (TEXT,)
        if len(parts) > 1:
            names = tuple(folder.json(name)["parts"])
        return cls(tuple(parts), linear, hidden, offset, out, gate, openness, names)

    def _opened(self, z: Floats) -> Floats:
        """Return how far each number of z is let through, float32[n, w]."""
        gates = 1.0 / (1.0 + np.exp(-np.clip(z @ self.gate + self.openness, -60.0, 60.0)))
        widths = [part.matrix.shape[1] for part in self.parts]
        open_ = np.concatenate((np.ones((len(z), 1), np.float32), gates), axis=1)
        out: Floats = np.repeat(open_, widths, axis=1).astype(np.float32)
        return out


def whitened(parts: tuple[Whitening, ...], vectors: Floats) -> Floats:
    """Return z float32[n, w] of raw rows: each part whitened, zeros where it is missing."""
    out, begin = [], 0
    for part in parts:
        end = begin + len(part.mean)
        w = part.matrix.shape[1]
        if end <= vectors.shape[1]:
            rows = np.nan_to_num(part(vectors[:, begin:end]))
            out.append(rows * np.float32(np.sqrt(w)))
        else:
            out.append(np.zeros((len(vectors), w), dtype=np.float32))
        begin = end
    return np.concatenate(out, axis=1)


def _begins(layout: Layout) -> list[int]:
    return [sum(width for _, width in layout[:part]) for part in range(len(layout))]


def _numbered(name: str, number: int) -> str:
    return name if number == 0 else f"{name}.{number}"
