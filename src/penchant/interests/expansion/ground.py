"""What expansions stand on: the catalogue, its concepts and their graph, and vectors of items.

Made of a snapshot and the catalogue as it is now; whoever expands needs no source and no ranker.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from penchant.interests.concepts import Concepts, Learned
from penchant.interests.graph import Graph
from penchant.interests.state import State
from penchant.interests.windows import windows
from penchant.language.encoder.encoder import Encoder
from penchant.language.whitening import Whitening
from penchant.store.artefacts import Artefacts
from penchant.store.columns import ItemColumns
from penchant.store.vectors import Vectors
from penchant.types import Floats, Mask

TYPICAL = 200  # items of a concept that say where it lies


@dataclass(eq=False)
class Ground:
    """`vectors` are item vectors in the space of `snapshot`; `encoder` and `whitening` bring words
    there, None where no texts are read."""

    snapshot: str
    columns: ItemColumns
    concepts: Concepts
    graph: Graph | None
    vectors: Vectors
    encoder: Encoder | None = None
    whitening: Whitening | None = None
    _centres: tuple[int, Floats] | None = field(default=None, repr=False)
    _proposable: tuple[tuple[int, int], Mask] | None = field(default=None, repr=False)

    def centres(self) -> Floats:
        """Return float32[c, d]: where the items of each concept lie, NaN where no text tells."""
        count, version = len(self.concepts), self.columns.version
        known = self._centres
        if known is not None and known[0] == version and len(known[1]) == count:
            return known[1]
        out: Floats = np.full((count, max(1, self.vectors.dimension)), np.nan, dtype=np.float32)
        if self.vectors.dimension:
            for concept in range(count):
                rows = self.vectors.rows(self.concepts.bearing(concept)[:TYPICAL])
                rows = rows[np.isfinite(rows[:, 0])]
                if len(rows):
                    centre = rows.mean(axis=0)
                    out[concept] = centre / max(float(np.linalg.norm(centre)), 1e-9)
        self._centres = version, out
        return out

    def pointed(self, state: State) -> Floats:
        """Return v_i float32[d], where a person's wishes point; empty where no text tells."""
        if not self.vectors.dimension or not len(state.items):
            return np.zeros(0, dtype=np.float32)
        found = windows(state, self.vectors.rows(state.items))
        # The longest of the windows that is not empty: what lasts leads further than a moment.
        all_time: Floats = found.directions[2]
        return all_time if found.sure[2] > 0 else np.zeros(0, dtype=np.float32)

    def words(self, texts: list[str]) -> Floats:
        """Return float32[n, d]: texts in the space of item vectors; no rows without an encoder."""
        if self.encoder is None or not self.vectors.dimension or not texts:
            return np.zeros((0, max(1, self.vectors.dimension)), dtype=np.float32)
        raw = self.encoder.encode(texts).astype(np.float32)
        return raw if self.whitening is None else self.whitening(raw)

    def proposable(self) -> Mask:
        """Return bool[c]: which concepts may be proposed: broad ones that something bears now."""
        mark = self.columns.version, len(self.concepts)
        if self._proposable is not None and self._proposable[0] == mark:
            return self._proposable[1]
        allowed = self.concepts.broad()
        live = ~self.columns.retired[: self.columns.n]
        for concept in np.flatnonzero(allowed).tolist():
            items = self.concepts.bearing(concept)
            allowed[concept] = bool(live[items[items < len(live)]].any())
        allowed.setflags(write=False)  # everybody who expands is given the same
        self._proposable = mark, allowed
        return allowed


def open_ground(
    folder: Artefacts, snapshot: str, columns: ItemColumns, encoder: Encoder | None = None
) -> Ground | None:
    """Return the ground of a snapshot, None where it was made without a vocabulary.

    Of items that came since, what the catalogue says is known, and no vector.
    """
    learned = Learned.load(folder)
    if learned is None:
        return None
    vectors, whitening = Vectors(), None
    if folder.has("text.mean.npy"):
        vectors = Vectors(folder.array("text.vectors"))
        mean, matrix = (np.asarray(folder.array(f"text.{part}")) for part in ("mean", "matrix"))
        whitening = Whitening(mean, matrix)
    concepts = Concepts(columns, learned)
    graph = Graph.load(folder)
    return Ground(snapshot, columns, concepts, graph, vectors, encoder, whitening)
