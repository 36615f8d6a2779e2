"""What an item is worth to a person: biases and factors, with the person read live.

    value = mean + b_i + b_u + p_u . q_i

Items' parts are learned (`learn/response/worth.py`); those of the person are the ridge regression
on what their own events were worth, so that every rating changes the next answer (the folding-in of
matrix factorisation; Koren, Bell and Volinsky, 2009, for the model).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from penchant.interests.state import State
from penchant.language.categories import Derived
from penchant.store.artefacts import Artefacts
from penchant.types import Floats, Ids

COLUMNS = ("worth", "worth_own", "worth_count", "worth_item", "worth_item_count", "worth_kind")
"""What `Worth.columns` says of a candidate: the value above; the person's mean beyond that of
their items and how many events it is of; the item's, and of how many; the person's in the item's
category."""

_KIND = 2.0  # events in a category before their mean is half of what is believed
_NAME = "worth"


@dataclass(frozen=True)
class Worth:
    """Of events of one kind: their mean, and by item `bias` float32[n], `count` float32[n] and
    `rows` float32[n, d]; `ridge` and `ridge_bias` hold the person's parts back."""

    kind: str
    mean: float
    bias: Floats
    count: Floats
    rows: Floats
    ridge: float
    ridge_bias: float

    def person(self, items: Ids, values: Floats) -> tuple[float, Floats]:
        """Return b_u and p_u float32[d] of somebody whose events with items were worth this."""
        d = self.rows.shape[1]
        known = items < len(self.bias)
        items, values = items[known], values[known]
        if not len(items):
            return 0.0, np.zeros(d, dtype=np.float32)
        x = np.ones((len(items), d + 1), dtype=np.float64)
        x[:, 1:] = self.rows[items]
        gram = x.T @ x
        gram[np.diag_indices(d + 1)] += np.array([self.ridge_bias, *[self.ridge] * d])
        own = np.linalg.solve(gram, x.T @ (values - self.mean - self.bias[items]))
        return float(own[0]), own[1:].astype(np.float32)

    def columns(self, state: State, items: Ids, categories: Derived) -> Floats:
        """Return float32[n, len(COLUMNS)] for candidates."""
        had, values = (items[:0], np.zeros(0, dtype=np.float32))
        if state.values is not None:
            had, values = state.values.of(self.kind)
        own, taste = self.person(had, values)
        known = np.minimum(items, len(self.bias) - 1)
        inside = items < len(self.bias)
        bias = np.where(inside, self.bias[known], 0.0)
        out = np.empty((len(items), len(COLUMNS)), dtype=np.float32)
        out[:, 0] = self.mean + bias + own + np.where(inside, self.rows[known] @ taste, 0.0)
        out[:, 1], out[:, 2] = own, np.log1p(len(had))
        out[:, 3] = bias
        out[:, 4] = np.log1p(np.where(inside, self.count[known], 0.0))
        out[:, 5] = self._kinds(had, values, items, categories, own)
        return out

    def _kinds(
        self, had: Ids, values: Floats, items: Ids, categories: Derived, own: float
    ) -> Floats:
        out = np.full(len(items), np.nan, dtype=np.float32)
        inside = had < len(self.bias)
        had, values = had[inside], values[inside]
        if not len(had):
            return out
        mine, theirs = categories.counted(had), categories.counted(items)
        beyond = values - self.mean - self.bias[had] - own
        some = mine >= 0
        width = int(max(mine.max(initial=-1), theirs.max(initial=-1))) + 1
        total = np.bincount(mine[some], beyond[some], minlength=width)
        count = np.bincount(mine[some], minlength=width)
        shift = (total / (count + _KIND)).astype(np.float32)
        return np.where(theirs >= 0, shift[theirs], np.nan) if width else out

    def save(self, folder: Artefacts) -> None:
        """Write what was learned of the items."""
        parts = {"bias": self.bias, "count": self.count, "rows": self.rows}
        folder.write_arrays({f"{_NAME}.{part}": array for part, array in parts.items()})
        folder.write_json(
            _NAME,
            {
                "kind": self.kind,
                "mean": self.mean,
                "ridge": self.ridge,
                "ridge_bias": self.ridge_bias,
            },
        )

    @classmethod
    def load(cls, folder: Artefacts) -> Worth | None:
        """Return what a folder holds, None where it has none."""
        if not folder.has(f"{_NAME}.json"):
            return None
        bias, count, rows = (
            np.asarray(folder.array(f"{_NAME}.{part}")) for part in ("bias", "count", "rows")
        )
        return cls(bias=bias, count=count, rows=rows, **folder.json(_NAME))
