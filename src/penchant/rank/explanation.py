"""Why: read from the trace of a request, never from a second model of the truth.

The ranker's TreeSHAP values (Lundberg et al. 2020; exact for trees) are grouped by what a person
would call one cause; the history events that mattered are the additive terms of the linear sources.
LightGBM is imported here only, and only when somebody asks for a full explanation.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from penchant.interests.state import State
from penchant.recall.gather import Recall
from penchant.recall.linear import ItemWeights
from penchant.store.columns import ItemColumns
from penchant.types import Explanation, Floats, Ids, Reason

CAUSES = {
    "linear": "what goes with your history",
    "factors": "what goes with your history",
    "sequence_text": "what your last steps point to, by meaning",
    "sequence": "what your last steps point to",
    "after": "what others chose next",
    "together": "what others chose together with it",
    "text": "close in meaning to what you chose",
    "affinity": "close in meaning to what you chose",
    "trending": "wanted by many now",
    "popular": "wanted by many now",
    "slope": "rising",
    "days": "its age",
    "fresh": "new here",
    "category": "your categories",
    "price": "its price",
}
PERSON = "you and this moment"


def cause(feature: str) -> str:
    """Return the cause, in words, that a feature belongs to."""
    for prefix, words in CAUSES.items():
        if feature.startswith(prefix):
            return words
    return PERSON


def mattered(recall: Recall, state: State, items: Ids, columns: ItemColumns) -> list[list[Reason]]:
    """Return for each item the wanted items of the history that raised it, largest share first.

    Shares are of the positive terms of the linear sources, so they add up to at most 1.
    """
    terms = np.zeros((len(items), len(state.liked)), dtype=np.float64)
    for head in recall.sources:
        if isinstance(head, ItemWeights):
            own = np.maximum(_terms(head, state, items), 0.0)
            total = own.sum(axis=1, keepdims=True)
            terms += np.divide(own, total, out=np.zeros_like(terms), where=total > 0)
    shares = terms / np.maximum(terms.sum(axis=1, keepdims=True), 1e-30)
    best = np.argsort(-terms, axis=1, kind="stable")[:, :3]
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
            if row[i] > 0
        ]
        for row, order in zip(shares, best.tolist(), strict=True)
    ]


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


def contributions(model: Path, names: tuple[str, ...], row: Floats) -> tuple[Reason, ...]:
    """Return what each cause added to the ranker's score, largest first; they add up to it.

    `model` is the LightGBM text beside the ONNX file, `row` float32[f] in the order of `names`.
    """
    import lightgbm

    booster = lightgbm.Booster(model_file=str(model))
    at: Mapping[str, int] = {name: i for i, name in enumerate(names)}
    kept = booster.feature_name()
    values = np.asarray(booster.predict(row[[at[name] for name in kept]][None], pred_contrib=True))[
        0
    ]
    causes: dict[str, float] = defaultdict(float)
    for name, value in zip(kept, values[:-1], strict=True):
        causes[cause(name)] += float(value)
    ranked = sorted(causes.items(), key=lambda pair: -abs(pair[1]))
    return tuple(Reason("cause", name, value) for name, value in ranked if abs(value) > 1e-9)


def summed(names: tuple[str, ...], sources: tuple[str, ...], row: Floats) -> tuple[Reason, ...]:
    """Return the sources' own scores as contributions, for when no trees answered."""
    at = {name: i for i, name in enumerate(names)}
    causes: dict[str, float] = defaultdict(float)
    for source in sources:
        # 1 / rank within the source: 1 for its favourite, near 0 for what it hardly proposes.
        causes[cause(source)] += float(row[at[f"{source}_rank"]])
    ranked = sorted(causes.items(), key=lambda pair: -pair[1])
    return tuple(Reason("cause", name, value) for name, value in ranked if value > 0)


def sentence(title: str, causes: tuple[Reason, ...], events: tuple[Reason, ...]) -> str:
    """Return one readable sentence: what raised the item most, and which past items did."""
    raised = [reason.name for reason in causes if reason.weight > 0][:2]
    because = [f"“{reason.name}”" for reason in events[:2]]
    text = f"“{title}” is here"
    if because:
        text += f" because you chose {' and '.join(because)}"
    if raised:
        text += f"{'; it' if because else ': it'} stands out by: {', '.join(raised)}"
    return text + "."


def explain(
    item_id: str,
    title: str,
    row: Floats,
    names: tuple[str, ...],
    sources: tuple[str, ...],
    events: tuple[Reason, ...],
    model: Path | None,
    trace: tuple[str, ...],
) -> Explanation:
    """Return the explanation of one shown item from its features and the events that mattered."""
    causes = contributions(model, names, row) if model is not None else summed(names, sources, row)
    return Explanation(item_id, sentence(title, causes, events), causes, events, trace)
