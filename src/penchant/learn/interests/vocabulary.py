"""The vocabulary of a catalogue: what it says itself, phrases where that is little, clusters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import scipy.sparse as sp

from penchant.interests.concepts import GIVEN, Kind, Learned, folded
from penchant.learn.interests.clusters import Ask, clusters, named
from penchant.learn.interests.phrases import phrases
from penchant.learn.interests.values import collect
from penchant.learn.view import Triple, View
from penchant.types import Floats

COVERED = 0.5  # of the items with a category or a tag, from which on no phrase is looked for


def vocabulary(
    view: View,
    wanted: sp.csr_matrix,
    placed: Floats,
    links: Iterable[Sequence[Triple]] = (),
    before: Mapping[str, set[int]] | None = None,
    seed: int = 0,
    ask: Ask | None = None,
) -> Learned:
    """Return what the items of a view are about, by name.

    `wanted` is who wanted what (`wishes`), `placed` where items stand by it (`factors`). `links`
    are triples in parts; `before` the clusters of the snapshot before, whose names go on: name ->
    item numbers; `ask` names new ones, where it can, by titles and typical words.
    """
    columns, n = view.columns, view.n_items
    values = collect(columns, links)
    names, kinds = list(values.names.values()), list(values.kinds.values())
    bearers = [values.items[key] for key in values.names]
    said: set[int] = set()
    for kind, items in zip(kinds, bearers, strict=True):
        if kind in GIVEN:
            said.update(items)
    if len(said) < COVERED * n:
        texts = view.texts() if view.texts is not None else columns.titles[:n]
        for phrase, items in phrases(texts, placed, values.names.keys(), seed).items():
            names.append(phrase)
            kinds.append("phrase")
            bearers.append(items)
    found = clusters(placed, view.vectors, seed)
    centres = np.full((len(names), 1), np.nan, dtype=np.float32)
    if found is not None:
        about: list[list[str]] = [[] for _ in range(n)]
        for name, items in zip(names, bearers, strict=True):
            for item in items:
                about[item].append(name)
        counts = np.asarray(wanted.sum(axis=0)).ravel()
        taken = {*map(folded, names), *values.hidden}
        of_clusters = named(found, about, columns.titles[:n], counts, taken, before, ask)
        width = found.centres.shape[1]
        centres = np.full((len(names), width), np.nan, dtype=np.float32)
        centres = np.concatenate((centres, found.centres))
        for cluster, name in enumerate(of_clusters):
            names.append(name)
            kinds.append("cluster")
            bearers.append(np.flatnonzero(found.of == cluster).tolist())
    return _learned(names, kinds, bearers, n, centres, values.separator, values.hidden)


def _learned(
    names: Sequence[str],
    kinds: Sequence[Kind],
    bearers: Sequence[Sequence[int]],
    n: int,
    centres: np.ndarray,
    separator: str,
    hidden: frozenset[str],
) -> Learned:
    concepts = np.repeat(np.arange(len(names)), [len(items) for items in bearers])
    items = np.array([item for one in bearers for item in one], dtype=np.int64)
    order = np.lexsort((concepts, items))
    starts = np.concatenate(([0], np.cumsum(np.bincount(items, minlength=n)))).astype(np.int64)
    return Learned(
        tuple(names),
        tuple(kinds),
        starts,
        concepts[order].astype(np.int32),
        centres.astype(np.float32),
        separator,
        hidden,
    )


def clusters_of(learned: Learned | None) -> dict[str, set[int]]:
    """Return the items of each cluster of a vocabulary by its name."""
    found: dict[str, set[int]] = {}
    if learned is None:
        return found
    items = np.repeat(np.arange(len(learned.starts) - 1), np.diff(learned.starts))
    for number, kind in enumerate(learned.kinds):
        if kind == "cluster":
            found[learned.names[number]] = set(items[learned.members == number].tolist())
    return found
