"""The graph over concepts: which interest leads to which, and where a walk along it arrives.

An edge is learned from people who touched both, from what items and the values linked to them have
in common, or was told: a triple between two concepts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from penchant.interests.concepts import Numbers
from penchant.store.artefacts import Artefacts
from penchant.types import Floats, Ids

NAME = "related"
STEPS = 3
RESTART = 0.5  # of each step, the share that begins anew at the person's own interests


@dataclass(frozen=True, eq=False)
class Graph:
    """`to[starts[a] : starts[a + 1]]` is what concept a leads to; `weights` float32 add up to 1.

    `prior` float32[c] is the share of people who touched each concept, what a walk finds by chance;
    `novelty` is the power of it that is taken out of what a walk finds. `measured` says for each
    way of proposing concepts what share of ten people turned to when it was made.
    """

    starts: Numbers
    to: Ids
    weights: Floats
    prior: Floats
    novelty: float = 0.5
    measured: Mapping[str, float] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.prior)

    def walk(self, own: Floats, steps: int = STEPS, restart: float = RESTART) -> Floats:
        """Return float32[c]: how often a walk from a person's interests visits each concept.

        `own` float32[c] are strengths, negative ones for what was rejected, from which no step is
        taken. A random walk with restart (Tong, Faloutsos and Pan, 2006), cut after some steps, so
        that cycles cost nothing and end.
        """
        begin = np.maximum(own, 0.0)
        total = float(begin.sum())
        if total <= 0:
            return np.zeros(len(self), dtype=np.float32)
        begin = begin / total
        froms = np.repeat(np.arange(len(self)), np.diff(self.starts))
        at, visited = begin, np.zeros(len(self))
        for _ in range(steps):
            moved = np.bincount(self.to, at[froms] * self.weights, minlength=len(self))
            at = restart * begin + (1.0 - restart) * moved
            visited += moved
        return (visited / steps).astype(np.float32)

    def surprising(self, visited: Floats) -> Floats:
        """Return visits against what chance would visit: visited / prior^novelty, float32[c]."""
        return (visited / np.maximum(self.prior, 1e-4) ** self.novelty).astype(np.float32)

    def save(self, folder: Artefacts) -> None:
        """Write it into the folder of a snapshot."""
        folder.write_json(NAME, {"novelty": self.novelty, "measured": dict(self.measured)})
        folder.write_array(f"{NAME}.starts", self.starts)
        folder.write_array(f"{NAME}.to", self.to)
        folder.write_array(f"{NAME}.weights", self.weights)
        folder.write_array(f"{NAME}.prior", self.prior)

    @classmethod
    def load(cls, folder: Artefacts) -> Graph | None:
        """Return the graph of a snapshot, None where it was made without one."""
        if not folder.has(f"{NAME}.json"):
            return None
        parts = [np.asarray(folder.array(f"{NAME}.{p}")) for p in ("starts", "to", "weights")]
        prior = np.asarray(folder.array(f"{NAME}.prior"))
        said = folder.json(NAME)
        novelty, measured = float(said["novelty"]), said.get("measured", {})
        return cls(parts[0], parts[1], parts[2], prior, novelty, measured)
