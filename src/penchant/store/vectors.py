"""Vectors by item number: a matrix mapped from a file, and the rows that arrived since.

Scores by one matrix-vector product. Rows of NaN mean "no vector": they score NaN by themselves,
without a mask. A file of float16 is half as large. One of int8 is a quarter, and keeps, after the d
bytes of a row, the four of its scale (Jacob et al. 2018, "Quantization and Training of Neural
Networks", symmetric, per row); it is multiplied in whole numbers, the question rounded likewise.
Both roundings together move a cosine of 128 numbers by about .001. What a product costs is the
reading of the matrix, and for short rows a step for each: so narrow tables of int8 are kept in
memory once more, in the order in which several rows are multiplied at once (half the time).
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numkong
import numpy as np
import numpy.typing as npt

from penchant.store.faults import StoreError, fault
from penchant.types import Floats, Ids, InvalidInput, Mask

Kind = Literal["float32", "float16", "int8"]

_SCALE = 4
_LEVELS = 127.0
_SAME, _EXACT = 1e-3, 1e-5
# Tables that are kept once more, in each process: of rows up to 128 numbers (wider ones gain
# nothing), and not those of millions of items.
_NARROW, _PACKED = 128, 1 << 25
# A block of narrow rows is widened in the second-level cache.
_BLOCK = 1024


@dataclass(frozen=True, slots=True)
class _State:
    """What a reader sees, replaced whole. `place[i]` is the row of item i in `extra`, or -1."""

    base: npt.NDArray[Any]
    scales: Floats | None
    extra: Floats
    numbers: Ids
    place: Ids
    packed: Any = None

    @property
    def n(self) -> int:
        return max(len(self.base), len(self.place))


class Vectors:
    """Rows float32[n, d] by item number, NaN where an item has none. Safe for threads."""

    def __init__(self, matrix: npt.NDArray[Any] | None = None) -> None:
        base = np.zeros((0, 0), dtype=np.float32) if matrix is None else np.asarray(matrix)
        scales: Floats | None = None
        if base.ndim != 2 or base.dtype not in (np.float32, np.float16, np.int8):
            raise InvalidInput(
                f"expected float32[n, d], float16[n, d] or the int8 rows that save() writes, got "
                f"{base.dtype}{list(base.shape)}"
            )
        if base.dtype == np.int8:
            scales = np.ascontiguousarray(base[:, -_SCALE:]).view(np.float32)[:, 0]
            base = base[:, :-_SCALE]
        self._guard = threading.Lock()
        self._asked: tuple[_State, Ids, Floats] | None = None
        self._dimension = int(base.shape[1])
        self._state = _State(
            base=base,
            scales=scales,
            extra=np.zeros((0, self._dimension), dtype=np.float32),
            numbers=np.zeros(0, dtype=np.int32),
            place=np.zeros(0, dtype=np.int32),
            packed=None if scales is None else _packed(base),
        )

    @classmethod
    def open(cls, path: str | Path) -> Vectors:
        """Return the vectors of a file that `save` wrote, mapped into memory."""
        try:
            return cls(np.load(path, mmap_mode="r", allow_pickle=False))
        except (OSError, ValueError, EOFError) as error:
            raise StoreError(f"{path} holds no vectors: {error}; train again") from error

    @property
    def dimension(self) -> int:
        """The length of a vector, 0 while there are none."""
        return self._dimension

    def __len__(self) -> int:
        """Return one more than the largest number that may have a vector."""
        return self._state.n

    def rows(self, numbers: Ids) -> Floats:
        """Return float32[len(numbers), d], NaN rows where there is no vector; read-only."""
        state, asked = self._state, self._asked
        # One pool of candidates is asked about by one stage after the other.
        if asked is not None and asked[0] is state and asked[1] is numbers:
            return asked[2]
        out = _rows(state, np.asarray(numbers))
        out.flags.writeable = False
        if len(out) <= _BLOCK:
            self._asked = state, numbers, out
        return out

    def known(self, numbers: Ids) -> Mask:
        """Return bool[len(numbers)]: which have a vector. Cheaper than the vectors."""
        state = self._state
        first = state.base[:, 0] if state.scales is None else state.scales
        out: Mask = np.zeros(len(numbers), dtype=np.bool_)
        inside = np.flatnonzero((numbers >= 0) & (numbers < len(first)))
        out[inside] = np.isfinite(first[numbers[inside]])
        late, place = _late(state, numbers)
        out[late] = np.isfinite(state.extra[place, 0])
        return out

    def differ(self, numbers: Ids, rows: Floats) -> Mask:
        """Return bool[len(numbers)]: which of `rows` float32[len(numbers), d] are not held already.

        The same is what a file cannot tell apart: nowhere a step of int8 away, a 127th of the
        largest number of the row, or .001 where that is more. No vector is the same as none.
        """
        held = self.rows(numbers)
        if held.shape != rows.shape:
            return np.ones(len(rows), dtype=np.bool_)
        return ~_same(held, rows)

    def dot(self, query: Floats, n: int | None = None) -> Floats:
        """Return float32[n], the product of each item's vector with `query` float32[d].

        NaN where there is no vector; `n` (by default all there are) cuts or pads with NaN. For
        queries float32[m, d] the answer is float32[m, n].
        """
        state = self._state
        query = np.ascontiguousarray(query, dtype=np.float32)
        if query.ndim not in (1, 2) or query.shape[-1] != self._dimension:
            raise InvalidInput(
                f"expected a query of {self._dimension} numbers, got {list(query.shape)}"
            )
        n = state.n if n is None else n
        out: Floats = np.empty((*query.shape[:-1], n), dtype=np.float32)
        known = min(n, len(state.base))
        _products(state, query, out[..., :known])
        out[..., known:] = np.nan
        if len(state.numbers):
            inside = state.numbers < n
            out[..., state.numbers[inside]] = (query @ state.extra.T)[..., inside]
        return out

    def set(self, numbers: Ids, rows: Floats) -> None:
        """Take in the vectors float32[len(numbers), d] of new or changed items; the last wins.

        A row that is not finite means that the item has no vector (any more). One that the file
        holds is read from there again: what was changed and changed back is what it was.
        """
        numbers = np.asarray(numbers, dtype=np.int32)
        rows = np.asarray(rows, dtype=np.float32)
        if not len(numbers):
            return
        if rows.ndim != 2 or len(rows) != len(numbers) or numbers.min() < 0:
            raise InvalidInput(
                f"expected a row for each of {len(numbers)} item numbers, got {list(rows.shape)}"
            )
        # Backwards, so that `unique` finds the last row of each number.
        numbers, last = np.unique(numbers[::-1], return_index=True)
        rows = rows[::-1][last]
        rows[~np.isfinite(rows).all(axis=1)] = np.nan
        with self._guard:
            if not self._dimension and not self._state.n:
                self._dimension = rows.shape[1]
                empty: Floats = np.zeros((0, self._dimension), dtype=np.float32)
                self._state = _State(empty, None, empty, self._state.numbers, self._state.place)
            if rows.shape[1] != self._dimension:
                raise InvalidInput(
                    f"expected vectors of {self._dimension} numbers, got {rows.shape[1]}"
                )
            back = _held(self._state, numbers, rows)
            if back.any():
                self._state = _without(self._state, numbers[back])
            if not back.all():
                self._state = _with(self._state, numbers[~back], rows[~back])

    def save(self, path: str | Path, kind: Kind = "float32") -> None:
        """Write every row, late ones included, as one .npy file of this kind."""
        state = self._state
        path = Path(path)
        fresh = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            shape = (state.n, self._dimension + (_SCALE if kind == "int8" else 0))
            if not all(shape):
                with fresh.open("wb") as file:
                    np.save(file, np.zeros(shape, dtype=kind), allow_pickle=False)
            else:
                file_rows = np.lib.format.open_memmap(fresh, "w+", np.dtype(kind), shape)
                for start in range(0, state.n, _BLOCK):
                    part = self.rows(np.arange(start, min(start + _BLOCK, state.n), dtype=np.int32))
                    file_rows[start : start + len(part)] = _int8(part) if kind == "int8" else part
                file_rows.flush()
                del file_rows
            fresh.replace(path)
        except OSError as error:
            fresh.unlink(missing_ok=True)
            raise fault(error, str(path)) from error


def _same(held: Floats, rows: Floats) -> Mask:
    """Return which rows a file cannot tell apart."""
    step = np.maximum(_SAME, np.abs(rows).max(axis=1, initial=0.0) / _LEVELS)
    same = np.abs(held - rows).max(axis=1, initial=0.0) < step
    found: Mask = same | (np.isnan(held[:, 0]) & ~np.isfinite(rows[:, 0]))
    return found


def _held(state: _State, numbers: Ids, rows: Floats) -> Mask:
    """Return which rows are those of the file. What is in float32 tells everything apart."""
    back: Mask = numbers < len(state.base)
    if back.any():
        held, asked = _widened(state, numbers[back]), rows[back]
        exact = np.abs(held - asked).max(axis=1, initial=0.0) < _EXACT
        none = np.isnan(held[:, 0]) & np.isnan(asked[:, 0])
        back[back] = exact | none if state.base.dtype == np.float32 else _same(held, asked)
    return back


def _rows(state: _State, numbers: Ids) -> Floats:
    inside = (numbers >= 0) & (numbers < len(state.base))
    out: Floats
    if inside.all():
        out = _widened(state, numbers)
    else:
        out = np.full((len(numbers), state.base.shape[1]), np.nan, dtype=np.float32)
        out[inside] = _widened(state, numbers[inside])
    late, place = _late(state, numbers)
    if len(late):
        out[late] = state.extra[place]
    return out


def _widened(state: _State, numbers: Ids) -> Floats:
    found = state.base[numbers]
    if state.scales is None:
        return found.astype(np.float32, copy=False)
    return np.asarray(np.multiply(found, state.scales[numbers, None], dtype=np.float32))


def _late(state: _State, numbers: Ids) -> tuple[npt.NDArray[np.intp], Ids]:
    """Return which of the numbers have a row in `extra`, and which row that is."""
    if not len(state.numbers):
        return np.zeros(0, dtype=np.intp), state.numbers
    late = np.flatnonzero((numbers >= 0) & (numbers < len(state.place)))
    place = state.place[numbers[late]]
    return late[place >= 0], place[place >= 0]


def _products(state: _State, query: Floats, out: Floats) -> None:
    base, scales = state.base[: out.shape[-1]], state.scales
    if not len(base):
        return
    if scales is not None:
        for one, row in zip(np.atleast_2d(query), np.atleast_2d(out), strict=True):
            found: Any
            asked, scale = _question(one)
            if state.packed is not None:
                found = numkong.dots_packed(asked, state.packed)
            else:
                found = numkong.cdist(asked, base, "dot", out_dtype="float32")
            # Whole numbers below 2^24 are exact in float32: rows of a thousand numbers and more.
            held = np.asarray(found)[0, : len(base)]
            np.multiply(held, scales[: len(base)], out=row, dtype=np.float32, casting="unsafe")
            row *= scale
    elif base.dtype == np.float32:
        np.matmul(query, base.T, out=out)
    else:
        for start in range(0, len(base), _BLOCK):
            part = base[start : start + _BLOCK].astype(np.float32)
            np.matmul(query, part.T, out=out[..., start : start + len(part)])


def _packed(base: npt.NDArray[Any]) -> Any:
    """Return int8[n, d] once more, in the order in which it is multiplied; None where that does
    not pay."""
    if not 0 < base.shape[1] <= _NARROW or not 0 < base.size <= _PACKED:
        return None
    return numkong.dots_pack(base)


def _with(state: _State, numbers: Ids, rows: Floats) -> _State:
    size = max(len(state.place), int(numbers[-1]) + 1)
    place = np.full(size, -1, dtype=np.int32)
    place[: len(state.place)] = state.place
    known = place[numbers] >= 0
    fresh = numbers[~known]
    used = len(state.extra)
    # Room ahead of what readers see may be written; what they see may not, so that goes to a copy.
    room: Any = state.extra.base
    if room is None or known.any() or used + len(fresh) > len(room):
        room = np.empty((2 * (used + len(fresh)), rows.shape[1]), dtype=np.float32)
        room[:used] = state.extra
        room[place[numbers[known]]] = rows[known]
    room[used : used + len(fresh)] = rows[~known]
    place[fresh] = np.arange(used, used + len(fresh), dtype=np.int32)
    return _State(
        base=state.base,
        scales=state.scales,
        extra=room[: used + len(fresh)],
        numbers=np.concatenate([state.numbers, fresh]),
        place=place,
        packed=state.packed,
    )


def _without(state: _State, numbers: Ids) -> _State:
    """Return the state in which these have no late row: that of the file counts again."""
    known = numbers[numbers < len(state.place)]
    known = known[state.place[known] >= 0]
    if not len(known):
        return state
    kept = ~np.isin(state.numbers, known)
    place = np.full(len(state.place), -1, dtype=np.int32)
    place[state.numbers[kept]] = np.arange(int(kept.sum()), dtype=np.int32)
    return replace(state, extra=state.extra[kept], numbers=state.numbers[kept], place=place)


def _int8(rows: Floats) -> npt.NDArray[np.int8]:
    """Return the rows as a file of int8 holds them: d bytes, and the four of the scale."""
    out = np.empty((len(rows), rows.shape[1] + _SCALE), dtype=np.int8)
    out[:, :-_SCALE], scales = _rounded(rows)
    out[:, -_SCALE:] = scales[:, None].view(np.int8)
    return out


def _question(query: Floats) -> tuple[npt.NDArray[np.int8], np.float32]:
    """Return int8[1, d] and the scale of one question: `_rounded` without what rows need."""
    highest = np.abs(query).max()
    if 0 < highest < np.inf:
        scale = highest / np.float32(_LEVELS)
        return np.rint(query / scale).astype(np.int8)[None], scale
    asked, scales = _rounded(query[None])
    return asked, scales[0]


def _rounded(rows: Floats) -> tuple[npt.NDArray[np.int8], Floats]:
    """Return int8[n, d] and the scale of each row; a scale of NaN marks a row without a vector."""
    scales = (np.abs(rows).max(axis=1) / _LEVELS).astype("<f4")
    scales[~np.isfinite(scales)] = np.nan
    steps = np.zeros(rows.shape, dtype=np.float32)
    np.divide(rows, scales[:, None], out=steps, where=scales[:, None] > 0)
    return np.rint(steps, out=steps).astype(np.int8), scales
