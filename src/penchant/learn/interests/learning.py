"""What a training learns of interests: the vocabulary of the catalogue and the graph over it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from penchant.interests.concepts import Learned
from penchant.learn.interests.relations import relate
from penchant.learn.interests.vocabulary import clusters_of, vocabulary
from penchant.learn.view import Triple, View
from penchant.store.artefacts import Artefacts


def learn(
    view: View,
    folder: Artefacts,
    *,
    begin: float,
    before: Path | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Write the concepts of a catalogue and their graph into `folder`; return a report of both.

    `begin` is the moment from which on it is looked at what people turned to, `before` the folder
    of the snapshot before: what its clusters are called goes on.
    """

    def links() -> Iterable[Sequence[Triple]]:
        return () if view.links is None else view.links()

    known = None if before is None else Learned.load(Artefacts(before))
    learned = vocabulary(view, links(), clusters_of(known), seed)
    learned.save(folder)
    graph, mix = relate(view, learned, links(), begin=begin, seed=seed)
    graph.save(folder)
    return {
        "concepts": dict(Counter(learned.kinds)),
        "edges": len(graph.to),
        "people": mix.people,
        "shared": mix.shared,
        "novelty": mix.novelty,
        "turns": mix.turns,
        "recall": None if mix.turns == 0 else round(mix.recall, 4),
    }
