"""What a training learns of interests: the vocabulary, the graph over it, and whom to ask what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from penchant.interests.concepts import Learned
from penchant.language.generator.generator import Generator
from penchant.learn.interests.factors import factors, wishes
from penchant.learn.interests.naming import Naming
from penchant.learn.interests.relations import relate
from penchant.learn.interests.tastes import tastes
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
    generator: Generator | None = None,
) -> dict[str, Any]:
    """Write concepts, their graph and the tastes of people into `folder`; return a report of them.

    `begin` is the moment from which on it is looked at what people turned to, `before` the folder
    of the snapshot before: what its clusters are called goes on. `generator` names new ones.
    """

    def links() -> Iterable[Sequence[Triple]]:
        return () if view.links is None else view.links()

    known = None if before is None else Learned.load(Artefacts(before))
    naming = None if generator is None else Naming(generator)
    wanted = wishes(view)
    placed = factors(wanted, seed)
    learned = vocabulary(view, wanted, placed, links(), clusters_of(known), seed, naming)
    learned.save(folder)
    graph, mix = relate(view, learned, links(), begin=begin, seed=seed)
    graph.save(folder)
    asking = tastes(wanted, placed, seed)
    if asking is not None:
        asking.save(folder)
    return {
        "concepts": dict(Counter(learned.kinds)),
        "named": 0 if naming is None else naming.named,
        "tokens": 0 if naming is None else naming.tokens,
        "tastes": 0 if asking is None else len(asking.likely),
        "edges": len(graph.to),
        "people": mix.people,
        "shared": mix.shared,
        "novelty": mix.novelty,
        "turns": mix.turns,
        "measured": {name: round(share, 4) for name, share in mix.measured.items()},
        "recall": None if mix.turns == 0 else round(mix.recall, 4),
    }
