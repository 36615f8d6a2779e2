"""Search in two stages: a short form of every vector finds survivors, whole vectors order them.

The short form is one bit a number, the sign around the mean of all rows (128 numbers in 16 bytes,
compared by counting different bits), or the first numbers in int8. What is nearest by the short
form is compared by its whole row (Yamada et al. 2021, "Efficient Passage Retrieval with Hashing";
Kusupati et al. 2022, "Matryoshka Representation Learning"). An answer may lack an item that the
exact search has: `docs/language-compress.md` says how often, and from which size on it is quicker.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import numkong
import numpy as np
import numpy.typing as npt

from penchant.store.vectors import Vectors
from penchant.types import Floats, Ids, InvalidInput

# Rows are read, and bits compared, in blocks that stay in the second-level cache.
_BLOCK = 1 << 14
_WORD = 64
_LEVELS = 127.0


@dataclass(frozen=True, slots=True)
class _Short:
    """What the first stage reads: the numbers of items, and their rows in short form."""

    numbers: Ids
    n: int
    mean: Floats
    bits: npt.NDArray[np.uint64]
    packed: Any


class Staged:
    """The best items of a question out of `vectors`; safe for threads.

    `first` is how many leading numbers make the short form, 0 for signs of all. `survivors` is how
    many are compared by their whole rows. Short forms are those of the moment of `read`: an item
    with a higher number than any then always survives, one that changed since may be missed.
    """

    def __init__(self, vectors: Vectors, *, first: int = 0, survivors: int = 200) -> None:
        if not 0 <= first <= max(vectors.dimension, 0):
            raise InvalidInput(
                f"expected first to lie between 0 (signs) and {vectors.dimension}, the length of "
                f"the vectors, got {first}"
            )
        if survivors < 1:
            raise InvalidInput(f"expected at least one survivor, got {survivors}")
        self.vectors = vectors
        self.first = first
        self.survivors = survivors
        self._guard = threading.Lock()
        self._short = self._made()

    @property
    def nbytes(self) -> int:
        """The bytes that the short forms take in memory."""
        short = self._short
        return int(short.bits.nbytes + len(short.numbers) * self.first)

    def read(self) -> None:
        """Make the short forms anew, of what the vectors are now."""
        with self._guard:
            self._short = self._made()

    def top(
        self, query: Floats, k: int, among: npt.NDArray[np.bool_] | None = None
    ) -> tuple[Ids, Floats]:
        """Return the numbers int32[<=k] and products float32[<=k] of the best, best first.

        `among` bool[n] says which items compete. Ties go to the lower number.
        """
        query = np.ascontiguousarray(query, dtype=np.float32)
        if query.shape != (self.vectors.dimension,) or not np.isfinite(query).all():
            raise InvalidInput(
                f"expected a finite query of {self.vectors.dimension} numbers, got "
                f"{list(query.shape)}"
            )
        short = self._short
        found = short.numbers[self._near(short, query, max(k, self.survivors), among)]
        late = np.arange(short.n, len(self.vectors), dtype=np.int32)
        if len(late):
            if among is not None:
                allowed = np.zeros(len(late), dtype=np.bool_)
                part = among[short.n : short.n + len(late)]
                allowed[: len(part)] = part
                late = late[allowed]
            found = np.concatenate([found, late])
        scores = self.vectors.rows(found) @ query
        known = np.isfinite(scores)
        found, scores = found[known], scores[known]
        order = np.lexsort((found, -scores))[:k]
        return found[order], scores[order].astype(np.float32)

    def _near(
        self,
        short: _Short,
        query: Floats,
        most: int,
        among: npt.NDArray[np.bool_] | None,
    ) -> npt.NDArray[np.intp]:
        """Return the places of at least `most` that are nearest by the short form."""
        if not len(short.numbers):
            return np.zeros(0, dtype=np.intp)
        far = self._far(short, query)
        if among is not None:
            allowed = np.zeros(short.n, dtype=np.bool_)
            allowed[: len(among)] = among[: short.n]
            places = np.flatnonzero(allowed[short.numbers])
            far = far[places]
        else:
            places = None
        if len(far) > most:
            # Whoever is as near as the last one survives too: which ones do depends on nothing
            # but the rows.
            kept = np.flatnonzero(far <= np.partition(far, most - 1)[most - 1])
        else:
            kept = np.arange(len(far))
        return kept if places is None else places[kept]

    def _far(self, short: _Short, query: Floats) -> npt.NDArray[Any]:
        if self.first:
            part = query[: self.first]
            highest = max(float(np.abs(part).max()), 1e-30)
            asked = np.rint(part * (_LEVELS / highest)).astype(np.int8)
            held: Any = numkong.dots_packed(asked[None], short.packed)
            return -np.asarray(held)[0, : len(short.numbers)]
        asked_bits = _signs((query - short.mean)[None])[:, 0]
        wide = np.uint8 if len(asked_bits) * _WORD < 256 else np.uint16
        out = np.empty(len(short.numbers), dtype=wide)
        for start in range(0, len(out), _BLOCK):
            block = short.bits[:, start : start + _BLOCK]
            total = np.bitwise_count(block[0] ^ asked_bits[0]).astype(wide, copy=False)
            for row, word in zip(block[1:], asked_bits[1:], strict=True):
                total += np.bitwise_count(row ^ word)
            out[start : start + _BLOCK] = total
        return out

    def _made(self) -> _Short:
        n, d = len(self.vectors), self.vectors.dimension
        everyone = np.arange(n, dtype=np.int32)
        numbers = everyone[self.vectors.known(everyone)] if d else everyone[:0]
        mean = np.zeros(d, dtype=np.float64)
        width = -(-d // _WORD) if not self.first else 0
        bits = np.zeros((width, len(numbers)), dtype=np.uint64)
        levels = np.zeros((len(numbers), self.first), dtype=np.int8)
        blocks = [slice(s, s + _BLOCK) for s in range(0, len(numbers), _BLOCK)]
        highest = 1e-30
        for block in blocks:
            rows = self.vectors.rows(numbers[block])
            mean += rows.sum(axis=0, dtype=np.float64)
            if self.first:
                highest = max(highest, float(np.abs(rows[:, : self.first]).max()))
        centre = (mean / max(len(numbers), 1)).astype(np.float32)
        for block in blocks:
            rows = self.vectors.rows(numbers[block])
            if self.first:
                levels[block] = np.rint(rows[:, : self.first] * (_LEVELS / highest))
            else:
                bits[:, block] = _signs(rows - centre)
        packed = numkong.dots_pack(levels) if self.first and len(levels) else None
        return _Short(numbers, n, centre, bits, packed)


def _signs(rows: Floats) -> npt.NDArray[np.uint64]:
    """Return uint64[ceil(d / 64), n]: a bit for each number that is above zero."""
    width = -(-rows.shape[1] // _WORD) * 8
    packed = np.zeros((len(rows), width), dtype=np.uint8)
    bits = np.packbits(rows > 0, axis=1)
    packed[:, : bits.shape[1]] = bits
    # A column is read at a time: words of all rows lie side by side.
    return np.ascontiguousarray(packed.view(np.uint64).T)
