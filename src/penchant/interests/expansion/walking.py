"""Expansion by graph: a walk from a person's interests to those that it surprises to arrive at."""

from __future__ import annotations

import time

import numpy as np

from penchant.interests.expansion.expander import CannotExpand, Expansion, Proposal, unit
from penchant.interests.expansion.ground import Ground
from penchant.interests.expansion.portrait import Portrait
from penchant.types import Floats

STEPPED = 3  # of a person's interests that are looked at to say what led to a concept


class Walking:
    """Walks the graph from what a person likes, and proposes what they never touched.

    The novelty is a constraint: whatever they touched is left out, and how often the walk arrives
    is measured against how often anybody does (`Graph.surprising`).
    """

    name = id = "graph"
    remote = False

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    def expand(self, portrait: Portrait, most: int) -> Expansion:
        """Return what the walk arrives at most, by how much that surprises."""
        began, ground, graph = time.perf_counter(), self._ground, self._ground.graph
        if graph is None or not len(graph):
            raise CannotExpand("there is no graph over the concepts yet: train first")
        own = portrait.own[: len(graph)]
        score = graph.surprising(graph.walk(own))
        score[portrait.touched[: len(graph)] | ~ground.proposable()[: len(graph)]] = 0.0
        best = np.argsort(-score, kind="stable")[:most]
        best = best[score[best] > 0]
        proposals = tuple(
            Proposal(one, float(score[one] / score[best[0]]), self._why(own, one), self.name)
            for one in best.tolist()
        )
        return Expansion(
            proposals, pointed(proposals, ground.centres()), 0, time.perf_counter() - began
        )

    def _why(self, own: Floats, concept: int) -> str:
        """Return the person's interests that lead there most, by name."""
        graph, names = self._ground.graph, self._ground.concepts.names
        assert graph is not None
        leads = []
        for one in np.argsort(-own, kind="stable")[:20].tolist():
            part = slice(graph.starts[one], graph.starts[one + 1])
            at = np.flatnonzero(graph.to[part] == concept)
            if len(at) and own[one] > 0:
                leads.append((float(own[one] * graph.weights[part][at[0]]), names[one]))
        said = [name for _, name in sorted(leads, reverse=True)[:STEPPED]]
        return f"goes with {', '.join(said)}" if said else ""


def pointed(proposals: tuple[Proposal, ...], centres: Floats) -> Floats:
    """Return v_i' float32[d]: where the proposals lie, each by its weight; empty for nowhere."""
    known = [one for one in proposals if np.isfinite(centres[one.concept, 0])]
    if not known:
        return np.zeros(0, dtype=np.float32)
    total = sum(one.weight * centres[one.concept] for one in known)
    return unit(np.asarray(total, dtype=np.float32))
