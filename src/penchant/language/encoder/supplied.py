"""Vectors that the caller brought: an encoder that looks up instead of computing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from penchant.language.encoder.encoder import Encoder
from penchant.language.normal import normal_all
from penchant.types import InvalidInput

_CHARACTERS = 16_384


class SuppliedEncoder:
    """Encodes a key (an item id, or any text) to the vector supplied for it, scaled to length one.

    A text without a vector goes to `otherwise`, the encoder that made the vectors if there is one
    here, else to a row of zeros. Vectors of zeros stay zeros: nothing is known of that item.
    """

    def __init__(
        self,
        keys: Sequence[str],
        vectors: npt.ArrayLike,
        *,
        otherwise: Encoder | None = None,
    ) -> None:
        rows = _matrix(keys, vectors)
        if otherwise is not None and otherwise.dimension != rows.shape[1]:
            raise InvalidInput(
                f"the supplied vectors have {rows.shape[1]} components, the encoder for other "
                f"texts {otherwise.dimension}: they must come from the same model"
            )
        self._otherwise = otherwise
        self._rows = rows
        self._place: dict[str, int] = {}
        for i, key in enumerate(normal_all(keys, _CHARACTERS)):
            j = self._place.setdefault(key, i)
            if not np.array_equal(rows[i], rows[j]):
                raise InvalidInput(f"two different vectors were supplied for {key!r}")
        self._id = self._address()

    @classmethod
    def from_items(
        cls, items: pl.DataFrame, *, column: str = "vector", otherwise: Encoder | None = None
    ) -> SuppliedEncoder:
        """Return the encoder of item ids from a column of vectors, or from `attributes.<column>`.

        Items without a vector are skipped; InvalidInput when none has one.
        """
        if column in items.columns:
            cells: list[Any] = items[column].to_list()
        elif "attributes" in items.columns:
            cells = [_attribute(a, column) for a in items["attributes"].to_list()]
        else:
            cells = []
        pairs = [
            (i, v) for i, v in zip(items["item_id"].to_list(), cells, strict=False) if v is not None
        ]
        if not pairs:
            raise InvalidInput(
                f"no item has a column or an attribute {column!r}: supply vectors, or set model in "
                "[encoder] to one that computes them"
            )
        keys, vectors = zip(*pairs, strict=True)
        return cls(keys, vectors, otherwise=otherwise)

    @property
    def id(self) -> str:
        """The content address of keys and vectors, whatever their order."""
        return self._id

    @property
    def dimension(self) -> int:
        """The length of a vector."""
        return int(self._rows.shape[1])

    def reads(self, text: str) -> bool:
        """Return whether there is a vector for the text, or an encoder for others that reads it."""
        (cleaned,) = normal_all([text], _CHARACTERS)
        if cleaned in self._place:
            return True
        return self._otherwise is not None and self._otherwise.reads(cleaned)

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return float32[n, dimension]: the supplied unit rows, zeros for what is not known."""
        cleaned = normal_all(texts, _CHARACTERS)
        out: npt.NDArray[np.float32] = np.zeros((len(cleaned), self.dimension), np.float32)
        unknown = []
        for i, text in enumerate(cleaned):
            if (j := self._place.get(text)) is not None:
                out[i] = self._rows[j]
            else:
                unknown.append(i)
        if self._otherwise is not None and unknown:
            out[unknown] = self._otherwise.encode([cleaned[i] for i in unknown])
        return out

    def _address(self) -> str:
        digest = hashlib.blake2b(digest_size=12)
        for key, place in sorted(self._place.items()):
            digest.update(json.dumps(key).encode())
            digest.update(self._rows[place].tobytes())
        if self._otherwise is not None:
            digest.update(self._otherwise.id.encode())
        return f"supplied-{self._rows.shape[1]}-{digest.hexdigest()}"


def _matrix(keys: Sequence[str], vectors: npt.ArrayLike) -> npt.NDArray[np.float32]:
    try:
        rows = np.asarray(vectors, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidInput(
            f"expected one vector of numbers a key, all of the same length ({error})"
        ) from error
    if rows.ndim != 2 or rows.shape[0] != len(keys) or 0 in rows.shape:
        raise InvalidInput(
            f"expected a vector for each of {len(keys)} keys, at least one, got an array of shape "
            f"{rows.shape}"
        )
    bad = np.flatnonzero(~np.isfinite(rows).all(axis=1))
    if len(bad):
        raise InvalidInput(
            f"{len(bad)} vectors are not finite, the first is that of {keys[bad[0]]!r}: "
            "leave such items out"
        )
    # Scaled by the largest component first: squares of huge or tiny values leave float64.
    largest = np.abs(rows).max(axis=1, keepdims=True)
    rows = rows / np.where(largest > 0, largest, 1)
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return (rows / np.where(norms > 0, norms, 1)).astype(np.float32)


def _attribute(attributes: Any, column: str) -> Any:
    if isinstance(attributes, str):
        try:
            attributes = json.loads(attributes)
        except ValueError:
            return None
    return attributes.get(column) if isinstance(attributes, dict) else None
