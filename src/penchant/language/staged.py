"""Search in two stages: a short code of every vector first, the whole vector for who survives.

Two short codes. `signs`: one bit a component, compared by Hamming distance, a 32nd of float32
(binary quantisation with rescoring, Yamada et al. 2021). `leading`: the first components alone, for
vectors whose first components tell most (Matryoshka, Kusupati et al. 2022, or principal axes).
Survivors are scored by the whole rows, float32 or int8. Rows without a vector (NaN) never survive.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numkong
import numpy as np
import numpy.typing as npt

from penchant.types import Floats, Ids, InvalidInput

First = Literal["signs", "leading"]
Rest = Literal["float32", "int8"]
_LEVELS = 127


@dataclass(frozen=True)
class Staged:
    """Unit vectors laid out for a search in two stages; made by `staged`.

    `codes` is uint8[n, ceil(d / 8)] or float32[n, leading]; `rows` float32[n, d] or int8[n, d]
    with `scales` float32[n]; `known` bool[n] says which rows have a vector. `packed` are the bits
    in the order in which they are compared.
    """

    codes: npt.NDArray[np.uint8] | Floats
    rows: Floats | npt.NDArray[np.int8]
    scales: Floats | None
    known: npt.NDArray[np.bool_]
    centre: Floats
    packed: Any = None

    @property
    def bytes_first(self) -> int:
        """The bytes of the short codes: what every question reads."""
        return int(self.codes.nbytes)

    @property
    def bytes_rest(self) -> int:
        """The bytes of the whole rows: of which a question reads the survivors."""
        return int(self.rows.nbytes) + (0 if self.scales is None else int(self.scales.nbytes))

    def near(self, query: Floats, k: int, survivors: int | None = None) -> tuple[Ids, Floats]:
        """Return the ids int32[<=k] and cosines float32[<=k] of the best rows, best first.

        `query` float32[d] is a unit vector. `survivors` is how many the first stage leaves, ten
        times `k` where nothing is said; as many as there are rows, and the search is exact.
        """
        if query.shape != (self.rows.shape[1],):
            raise InvalidInput(
                f"expected a query of {self.rows.shape[1]} components, got shape {query.shape}"
            )
        n = len(self.rows)
        survivors = min(n, max(k, 10 * k if survivors is None else survivors))
        if survivors <= 0:
            return np.zeros(0, np.int32), np.zeros(0, np.float32)
        # One more than all is nobody: NaN rows are never among the nearest.
        apart = self._apart(query.astype(np.float32))
        chosen = (
            np.argpartition(apart, survivors - 1)[:survivors] if survivors < n else np.arange(n)
        )
        chosen = np.sort(chosen[self.known[chosen]])
        scores = self.rows[chosen].astype(np.float32) @ query.astype(np.float32)
        if self.scales is not None:
            scores *= self.scales[chosen]
        best = np.argsort(-scores, kind="stable")[:k]
        return chosen[best].astype(np.int32), scores[best].astype(np.float32)

    def _apart(self, query: Floats) -> Floats:
        out: Floats
        if self.packed is None:
            out = -(self.codes @ query[: self.codes.shape[1]]).astype(np.float32)
        else:
            asked = _signs((query - self.centre)[None])
            out = np.asarray(numkong.hammings_packed(asked, self.packed))[0].astype(np.float32)
        # Whoever has no vector is further away than everybody.
        out[~self.known] = np.inf
        return out


def staged(
    vectors: Floats, *, first: First = "signs", leading: int = 64, rest: Rest = "float32"
) -> Staged:
    """Return `vectors` float32[n, d], unit rows or NaN, laid out for a search in two stages.

    Signs are those of the distance to the mean vector: texts of one catalogue share a direction,
    and bits that are the same for all of them tell nothing.
    """
    if vectors.ndim != 2:
        raise InvalidInput(f"expected vectors [n, d], got shape {vectors.shape}")
    known = np.isfinite(vectors).all(1) & (np.abs(vectors).max(1, initial=0.0) > 0)
    rows = np.where(known[:, None], vectors, 0.0).astype(np.float32)
    centre = rows[known].mean(0) if known.any() else np.zeros(rows.shape[1], np.float32)
    packed = None
    if first == "signs":
        codes: npt.NDArray[np.uint8] | Floats = _signs(rows - centre)
        packed = numkong.hammings_pack(codes) if codes.size else None
    elif 0 < leading <= rows.shape[1]:
        head = rows[:, :leading]
        norms = np.linalg.norm(head, axis=1, keepdims=True)
        codes = np.ascontiguousarray(head / np.where(norms > 0, norms, 1.0), np.float32)
    else:
        raise InvalidInput(f"expected 1 to {rows.shape[1]} leading components, got {leading}")
    if rest == "float32":
        return Staged(codes, rows, None, known, centre, packed)
    most = np.abs(rows).max(1, initial=0.0)
    scales = np.where(most > 0, most / _LEVELS, 1.0).astype(np.float32)
    whole = np.rint(rows / scales[:, None]).astype(np.int8)
    return Staged(codes, whole, scales, known, centre, packed)


def _signs(rows: Floats) -> npt.NDArray[np.uint8]:
    return np.packbits(rows > 0, axis=1)
