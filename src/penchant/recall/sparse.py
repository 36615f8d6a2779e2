"""Rows of a sparse item-by-item matrix in three arrays, so that serving needs no scipy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from penchant.types import Floats, Ids


@dataclass(frozen=True, slots=True)
class SparseRows:
    """A matrix by compressed rows: row r holds `columns[starts[r]:starts[r+1]]` and `values`."""

    starts: npt.NDArray[np.int64]
    columns: Ids
    values: Floats

    @classmethod
    def from_dense(cls, matrix: Floats, keep: int) -> SparseRows:
        """Return the `keep` largest entries by magnitude of each row of float32[n, m]."""
        n, m = matrix.shape
        keep = min(keep, m)
        starts, all_columns, all_values = [np.zeros(1, dtype=np.int64)], [], []
        for begin in range(0, n, 256):  # in blocks: the indices of a whole matrix weigh twice it
            block = matrix[begin : begin + 256]
            if keep < m:
                columns = np.argpartition(-np.abs(block), keep - 1, axis=1)[:, :keep]
                columns = np.sort(columns, axis=1)
            else:
                columns = np.broadcast_to(np.arange(m), block.shape)
            values = np.take_along_axis(block, columns, axis=1)
            nonzero = values != 0
            starts.append(starts[-1][-1] + np.cumsum(nonzero.sum(axis=1)))
            all_columns.append(columns[nonzero].astype(np.int32))
            all_values.append(values[nonzero].astype(np.float32))
        return cls(
            np.concatenate(starts).astype(np.int64),
            np.concatenate([*all_columns, np.zeros(0, dtype=np.int32)]),
            np.concatenate([*all_values, np.zeros(0, dtype=np.float32)]),
        )

    @classmethod
    def from_pairs(
        cls,
        rows: Ids,
        columns: Ids,
        values: npt.NDArray[np.floating],
        n_rows: int,
        keep: int | None = None,
    ) -> SparseRows:
        """Return the matrix that sums `values` over equal (row, column), `keep` largest a row."""
        code = rows.astype(np.int64) * (int(columns.max()) + 1 if len(columns) else 1)
        code += columns
        unique, first, inverse = np.unique(code, return_index=True, return_inverse=True)
        total = np.bincount(inverse, weights=values, minlength=len(unique))
        r, c = rows[first], columns[first]
        if keep is not None and len(r):
            order = np.lexsort((-total, r))
            r, c, total = r[order], c[order], total[order]
            begin = np.searchsorted(r, r, side="left")
            best = np.arange(len(r)) - begin < keep
            r, c, total = r[best], c[best], total[best]
            order = np.lexsort((c, r))
            r, c, total = r[order], c[order], total[order]
        starts = np.searchsorted(r, np.arange(n_rows + 1)).astype(np.int64)
        return cls(starts, c.astype(np.int32), total.astype(np.float32))

    def largest(self, keep: int) -> SparseRows:
        """Return the matrix with the `keep` largest entries by magnitude of each row."""
        row = np.repeat(np.arange(self.n_rows), np.diff(self.starts))
        order = np.lexsort((-np.abs(self.values), row))
        rank = np.empty(len(order), dtype=np.int64)
        rank[order] = np.arange(len(order)) - self.starts[row]
        kept = rank < keep
        starts = np.concatenate(([0], np.cumsum(np.minimum(np.diff(self.starts), keep))))
        return SparseRows(starts.astype(np.int64), self.columns[kept], self.values[kept])

    @property
    def n_rows(self) -> int:
        """The number of rows; a row number at or above it is an empty row."""
        return len(self.starts) - 1

    def entries(self, rows: Ids, weights: Floats) -> tuple[Ids, Floats]:
        """Return the columns and values of all given rows, each value times the weight of its row.

        A column comes once for each row that has it.
        """
        if len(rows) and int(rows.max()) >= self.n_rows:
            inside = rows < self.n_rows
            rows, weights = rows[inside], weights[inside]
        begin = self.starts[rows]
        lengths = self.starts[rows + 1] - begin
        # Positions of all entries of all rows, without a Python loop over rows.
        of = np.repeat(np.arange(len(rows)), lengths)
        ahead = begin - np.cumsum(lengths) + lengths
        place = np.arange(len(of)) + ahead[of]
        return self.columns[place], self.values[place] * weights[of]

    def weighted_sum(self, rows: Ids, weights: Floats, width: int) -> Floats:
        """Return float32[width]: the sum over the given rows, each times its weight."""
        columns, values = self.entries(rows, weights)
        if not len(columns):
            return np.zeros(width, dtype=np.float32)
        out = np.bincount(columns, weights=values, minlength=width)
        return out[:width].astype(np.float32)

    def row(self, r: int) -> tuple[Ids, Floats]:
        """Return the columns and values of one row; empty when the row is unknown."""
        if r >= self.n_rows:
            return np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.float32)
        cut = slice(int(self.starts[r]), int(self.starts[r + 1]))
        return self.columns[cut], self.values[cut]

    def arrays(self, name: str) -> dict[str, npt.NDArray[np.generic]]:
        """Return the three arrays under names that `load` finds again."""
        return {
            f"{name}.starts": self.starts,
            f"{name}.columns": self.columns,
            f"{name}.values": self.values,
        }

    @classmethod
    def load(cls, arrays: Mapping[str, npt.NDArray[np.generic]], name: str) -> SparseRows:
        """Return the matrix saved under `name`."""
        return cls(
            arrays[f"{name}.starts"].astype(np.int64, copy=False),
            arrays[f"{name}.columns"].astype(np.int32, copy=False),
            arrays[f"{name}.values"].astype(np.float32, copy=False),
        )
