"""Categories derived from texts, for items that were given none: a linear reading of text vectors.

A derived category is never written into the catalogue: it is kept beside it, in the snapshot that
knows how to derive it, and gives way to a category that somebody gives.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from penchant.store.artefacts import Artefacts
from penchant.store.columns import ItemColumns
from penchant.types import Floats, Ids

NAME = "categories"
KNOWN = "categories.known"  # of each item of a snapshot the place in the names, -1 for none


@dataclass(frozen=True, eq=False)
class Categories:
    """p = softmax(x @ matrix + bias): `matrix` float32[d, c], `bias` float32[c], c `names`.

    Nothing is said where the largest p is below `least`. `counts` says whether what is derived may
    stand for a category where features read one.
    """

    names: tuple[str, ...]
    matrix: Floats
    bias: Floats
    least: float
    counts: bool = False

    def __call__(self, raw: Floats) -> tuple[Ids, Floats]:
        """Return of each row of float32[n, d] the place in `names` and its p; -1 for none.

        Rows of NaN or zeros, which no text made, have none.
        """
        place, p = self.best(raw)
        return np.where(p >= self.least, place, -1).astype(np.int32), p

    def best(self, raw: Floats) -> tuple[Ids, Floats]:
        """Return the likeliest category of each row whatever its p, which is 0 without a text."""
        said = np.isfinite(raw).all(axis=1) & (np.abs(raw).max(axis=1, initial=0.0) > 0)
        logits = np.where(said[:, None], raw, 0.0) @ self.matrix + self.bias
        logits -= logits.max(axis=1, keepdims=True)
        p = np.exp(logits)
        p /= p.sum(axis=1, keepdims=True)
        best = p.argmax(axis=1).astype(np.int32)
        return best, np.where(said, p[np.arange(len(p)), best], 0.0).astype(np.float32)

    def save(self, folder: Artefacts) -> None:
        """Write it into the folder of a snapshot."""
        content = {"names": list(self.names), "least": self.least, "counts": self.counts}
        folder.write_json(NAME, content)
        folder.write_array(f"{NAME}.matrix", self.matrix)
        folder.write_array(f"{NAME}.bias", self.bias)

    @classmethod
    def load(cls, folder: Artefacts) -> Categories | None:
        """Return what a snapshot derives by, None where it derives nothing."""
        if not folder.has(f"{NAME}.json"):
            return None
        content = folder.json(NAME)
        return cls(
            tuple(content["names"]),
            np.asarray(folder.array(f"{NAME}.matrix")),
            np.asarray(folder.array(f"{NAME}.bias")),
            float(content["least"]),
            bool(content["counts"]),
        )


class Derived:
    """The category of each item, given or derived, in the numbers of `columns.categories`.

    Safe to read while it learns. With no `model` only the given ones are known.
    """

    def __init__(
        self, columns: ItemColumns, model: Categories | None = None, known: Ids | None = None
    ) -> None:
        self._columns, self._model = columns, model
        self._lock = threading.Lock()
        names: Sequence[str] = () if model is None else model.names
        # Of -1, none, too: it is the last.
        self._codes = np.array([*(columns.code(name) for name in names), -1], dtype=np.int32)
        self._of: Ids = np.full(0, -1, dtype=np.int32) if known is None else self._codes[known]

    def learn(self, numbers: Ids, raw: Floats) -> None:
        """Derive the categories of items whose text vectors float32[len(numbers), d] are new."""
        if self._model is None or not len(numbers):
            return
        found = self._codes[self._model(raw)[0]]
        with self._lock:
            of = np.full(max(len(self._of), int(numbers.max()) + 1), -1, dtype=np.int32)
            of[: len(self._of)] = self._of
            of[numbers] = found
            self._of = of

    def counted(self, items: Ids) -> Ids:
        """Return the category of each item as features read it, -1 for none."""
        given = self._columns.category[items]
        if self._model is None or not self._model.counts or (given >= 0).all():
            return given
        return np.where(given >= 0, given, self._derived(items)).astype(np.int32)

    def named(self, item: int) -> str | None:
        """Return an item's derived category where it counts, None where one was given, or none."""
        if self._model is None or not self._model.counts or self._columns.category[item] >= 0:
            return None
        code = int(self._derived(np.array([item], dtype=np.int32))[0])
        return self._columns.categories[code] if code >= 0 else None

    def _derived(self, items: Ids) -> npt.NDArray[np.int32]:
        of = self._of
        out = np.full(len(items), -1, dtype=np.int32)
        known = items < len(of)
        out[known] = of[items[known]]
        return out
