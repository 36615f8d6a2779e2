"""The reasons that come with every slate: who proposed an item, and which past items stand behind.

They are read from what the answer was made of, so they cost next to nothing; a full explanation
(`rank/explain/explanation.py`) is made only for who asks.
"""

from __future__ import annotations

import numpy as np

from penchant.interests.state import State
from penchant.rank.explain.sentences import TENTH
from penchant.recall.gather import Recall
from penchant.recall.linear import ItemWeights
from penchant.store.columns import ItemColumns
from penchant.types import Candidates, Floats, Ids, Reason

MOST = 3  # past items named for one item
_HEARD = 0.01  # 1 / rank: what a source places below the hundredth, it says nothing of


def mattered(
    recall: Recall, state: State, shown: Candidates, columns: ItemColumns
) -> list[list[Reason]]:
    """Return for each item up to three wanted items of the history that raised it, largest first.

    Shares are of the positive terms of the linear sources, each of which counts by how high it
    places the item (1 / rank, nothing below the hundredth), so they add up to at most 1. An item is
    named only for at least a tenth of the whole: a long history has a little of everything.
    """
    terms = np.zeros((len(shown), len(state.liked)), dtype=np.float64)
    for head in recall.sources:
        if isinstance(head, ItemWeights):
            own = np.maximum(_terms(head, state, shown.items), 0.0)
            total = own.sum(axis=1, keepdims=True)
            shares = np.divide(own, total, out=np.zeros_like(terms), where=total > 0)
            terms += shares * _voice(head.name, shown)[:, None]
    shares = terms / np.maximum(terms.sum(axis=1, keepdims=True), 1e-30)
    best = np.argsort(-terms, axis=1, kind="stable")[:, :MOST]
    had = state.liked.items.tolist()
    return [
        [
            Reason(
                "event",
                columns.titles[had[i]] or columns.ids[had[i]],
                float(row[i]),
                columns.ids[had[i]],
            )
            for i in order
            if row[i] >= TENTH
        ]
        for row, order in zip(shares, best.tolist(), strict=True)
    ]


def _voice(source: str, shown: Candidates) -> Floats:
    """Return float32[n]: 1 / rank of each item within the source; 1 where ranks are not known."""
    name = f"{source}_rank"
    if name not in shown.names:
        return np.ones(len(shown), dtype=np.float32)
    ranks = shown.features[:, shown.names.index(name)]
    return np.where(ranks >= _HEARD, ranks, 0.0).astype(np.float32)


def _terms(head: ItemWeights, state: State, items: Ids) -> Floats:
    """Return float32[len(items), len(liked)]: what each wanted item adds to each score, exact."""
    weights, rows = head.recency.weights(state.liked, state.now), head.rows
    out = np.zeros((len(items), len(weights)), dtype=np.float32)
    for place, liked in enumerate(state.liked.items.tolist()):
        columns, values = rows.row(liked)
        if weights[place] == 0 or not len(columns):
            continue
        at = np.minimum(np.searchsorted(columns, items), len(columns) - 1)
        out[:, place] = np.where(columns[at] == items, weights[place] * values[at], 0.0)
    return out


def origins(origin: np.ndarray, sources: tuple[str, ...]) -> list[list[Reason]]:
    """Return for each candidate the sources that proposed it, all of one weight."""
    out = []
    for bits in origin.tolist():
        found = [name for i, name in enumerate(sources) if bits >> i & 1]
        out.append([Reason("source", name, 1 / len(found)) for name in found])
    return out
