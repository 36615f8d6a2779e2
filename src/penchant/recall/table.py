"""The item table of a network: a row and a bias for each item, and how new items get theirs."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

from penchant.store.artefacts import Artefacts
from penchant.store.vectors import Vectors
from penchant.types import Floats, Ids


class Table:
    """Rows float32[n, d] and bias float32[n] of items; a question is answered by their product.

    `project` and `offset` make the row of a new item of its text vector, None where the network
    does not read texts; `new_bias` is its bias. Safe for threads.
    """

    def __init__(
        self,
        rows: Vectors,
        bias: Floats,
        *,
        project: Floats | None = None,
        offset: Floats | None = None,
        new_bias: float = 0.0,
    ) -> None:
        self._rows, self._bias = rows, bias
        self._project, self._offset = project, offset
        self._new_bias = new_bias
        self._lock = threading.Lock()

    @classmethod
    def load(cls, folder: Artefacts, name: str, meta: dict[str, Any]) -> Table:
        """Return the table of a network in a folder, told of in its `meta`."""
        project = offset = None
        if meta["text"]:
            project = np.asarray(folder.array(f"{name}.project"))
            offset = np.asarray(folder.array(f"{name}.offset"))
        return cls(
            Vectors(folder.array(f"{name}.table")),
            np.asarray(folder.array(f"{name}.bias")),
            project=project,
            offset=offset,
            new_bias=float(meta.get("new_bias", 0.0)),
        )

    def rows(self, items: Ids) -> Floats:
        """Return float32[len(items), d], NaN for items without a row."""
        return self._rows.rows(items)

    def scores(self, wanted: Floats, n: int) -> Floats:
        """Return float32[n]: the product of each row with `wanted` float32[d], and the bias."""
        values = self._rows.dot(wanted, n)
        bias = self._bias[:n]
        values[: len(bias)] += bias
        return values

    def learn_items(self, numbers: Ids, vectors: Floats) -> None:
        """Give new items a row from their text vector, where the network reads texts."""
        known = np.isfinite(vectors[:, 0]) if len(vectors) else np.zeros(0, dtype=np.bool_)
        if self._project is None or self._offset is None or not known.any():
            return
        numbers = numbers[known]
        rows = vectors[known] @ self._project.T + self._offset
        with self._lock:
            missing = int(numbers.max()) + 1 - len(self._bias)
            if missing > 0:
                more = max(missing, len(self._bias) // 10)
                self._bias = np.pad(self._bias, (0, more), constant_values=self._new_bias)
            # After the bias: who finds a row finds what to add to it.
            self._rows.set(numbers, rows)
