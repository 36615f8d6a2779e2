"""Learning which concepts lead to which: from people, from what items share, and from triples.

Of people: the weights of a linear model that tells each concept of a person from their others
(EASE, Steck 2019, over concepts in place of items). They are partial correlations, so that two
concepts are joined by what they have to do with each other, and not by what everybody likes. How
much each kind of edge counts, and how far what is popular is taken back, is chosen by which new
concepts people turned to in the newest part of the log.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from penchant.interests.concepts import BROAD, Learned, folded
from penchant.interests.graph import Graph
from penchant.learn.interests.factors import wishes
from penchant.learn.view import Triple, View
from penchant.types import Floats

RIDGE = 10.0
EDGES = 40  # that leave a concept, the heaviest
LINKED = 20  # values tied to fewer items than these many by links are looked at
TRIED = 400  # people whose turns are looked at
FOUND = 10  # concepts that a walk may name
Matrix = npt.NDArray[np.float32]
Turn = tuple[Floats, npt.NDArray[np.bool_], npt.NDArray[np.bool_]]  # own, ahead, turned to


@dataclass(frozen=True)
class Mix:
    """How much each kind of edge counts, and the share of the new concepts that a walk named.

    `measured` says what share of the ten that a walk, or nearness of texts, named was turned to.
    """

    people: float = 1.0
    shared: float = 0.0
    novelty: float = 0.5
    recall: float = float("nan")
    turns: int = 0
    measured: Mapping[str, float] = field(default_factory=dict)


def bears(learned: Learned) -> sp.csr_matrix:
    """Return which item bears which concept, float32[n_items, c]."""
    ones = np.ones(len(learned.members), dtype=np.float32)
    shape = (len(learned.starts) - 1, len(learned.names))
    return sp.csr_matrix((ones, learned.members, learned.starts), shape=shape)


def relate(
    view: View,
    learned: Learned,
    links: Iterable[Sequence[Triple]] = (),
    *,
    begin: float,
    seed: int = 0,
) -> tuple[Graph, Mix]:
    """Return the graph over the concepts of a vocabulary, and how its edges were mixed.

    What people turned to from the moment `begin` on says how.
    """
    bearing = bears(learned)
    told, values = _told(view, learned, links)
    shared = _shared(bearing, values)
    mix = _chosen(view, bearing, begin, shared, told, learned, seed)
    touched = _touched(view, bearing)
    return _graph(_of_people(touched), shared, told, _prior(touched), mix), mix


def _touched(view: View, bearing: sp.csr_matrix) -> sp.csr_matrix:
    """Return how often each person wanted an item of each concept, float32[n_users, c]."""
    return (wishes(view) @ bearing).tocsr()


def _of_people(touched: sp.csr_matrix) -> Matrix:
    """Return float32[c, c]: by how much having touched one concept speaks for another."""
    rows = touched.copy()
    rows.data = np.log1p(rows.data)
    length = np.sqrt(np.asarray(rows.multiply(rows).sum(axis=1)).ravel())
    rows = sp.diags_array(1.0 / np.maximum(length, 1e-9)) @ rows
    gram = np.asarray((rows.T @ rows).todense(), dtype=np.float64)
    inverse = np.linalg.inv(gram + RIDGE * np.eye(len(gram)))
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0.0)
    return np.maximum(weights, 0.0).astype(np.float32)


def _shared(bearing: sp.csr_matrix, values: sp.csr_matrix | None) -> Matrix:
    """Return float32[c, c]: the cosine of what items, and values linked to them, concepts share."""
    sides = [bearing.T.tocsr()]
    if values is not None:
        sides.append((bearing.T @ values).tocsr())
    out = np.zeros((bearing.shape[1],) * 2, dtype=np.float32)
    for side in sides:
        rare = np.log1p(side.shape[0] / np.maximum(np.asarray((side > 0).sum(axis=0)).ravel(), 1))
        rows = side @ sp.diags_array(rare)
        length = np.sqrt(np.asarray(rows.multiply(rows).sum(axis=1)).ravel())
        rows = sp.diags_array(1.0 / np.maximum(length, 1e-9)) @ rows
        out = out + np.asarray((rows @ rows.T).todense()).astype(np.float32)
    np.fill_diagonal(out, 0.0)
    return out


def _told(
    view: View, learned: Learned, links: Iterable[Sequence[Triple]]
) -> tuple[Matrix, sp.csr_matrix | None]:
    """Return weights float32[c, c] of triples between concepts, and values tied to items.

    What neither is an item nor a concept is passed over, however many triples speak of it.
    """
    number_of = {folded(name): number for number, name in enumerate(learned.names)}
    told = np.zeros((len(number_of),) * 2, dtype=np.float32)
    tied: dict[str, set[int]] = defaultdict(set)
    columns = view.columns
    for part in links:
        for head, _, tail, weight in part:
            one, other = (number_of.get(folded(end.rpartition(":")[2])) for end in (head, tail))
            if one is not None and other is not None and one != other and weight > 0:
                told[one, other] = max(told[one, other], weight)
            for end, value in ((head, tail), (tail, head)):
                item = columns.number_of.get(end)
                if item is not None and item < view.n_items and len(tied[value]) <= LINKED:
                    tied[value].add(item)
    pairs = [
        (item, place)
        for place, items in enumerate(one for one in tied.values() if 2 <= len(one) <= LINKED)
        for item in items
    ]
    if not pairs:
        return told, None
    at, places = np.array(pairs).T
    ones = np.ones(len(pairs), dtype=np.float32)
    shape = (view.n_items, int(places.max()) + 1)
    return told, sp.csr_matrix((ones, (at, places)), shape=shape)


def _prior(touched: sp.csr_matrix) -> Floats:
    """Return float32[c]: the share of people who touched each concept."""
    people = max(1, int((np.diff(touched.indptr) > 0).sum()))
    prior: Floats = (np.asarray((touched > 0).sum(axis=0)).ravel() / people).astype(np.float32)
    return prior


def _graph(people: Matrix, shared: Matrix, told: Matrix, prior: Floats, mix: Mix) -> Graph:
    weights = mix.people * _rows(people) + mix.shared * _rows(shared)
    weights = _rows(weights) + _rows(told)  # what somebody says counts as much as all the rest
    count = min(EDGES, max(1, len(weights) - 1))
    best = np.argsort(-weights, axis=1, kind="stable")[:, :count]
    kept = np.take_along_axis(weights, best, axis=1)
    some = kept > 0
    totals = np.maximum(kept.sum(axis=1, keepdims=True), 1e-9)
    starts = np.concatenate(([0], np.cumsum(some.sum(axis=1)))).astype(np.int64)
    return Graph(
        starts,
        best[some].astype(np.int32),
        (kept / totals)[some].astype(np.float32),
        prior,
        mix.novelty,
        mix.measured,
    )


def _rows(weights: Matrix) -> Matrix:
    total = weights.sum(axis=1, keepdims=True)
    out: Matrix = np.divide(weights, total, out=np.zeros_like(weights), where=total > 0)
    return out


def _chosen(
    view: View,
    bearing: sp.csr_matrix,
    begin: float,
    shared: Matrix,
    told: Matrix,
    learned: Learned,
    seed: int,
) -> Mix:
    """Return the mix whose walks name most of what people touched for the first time later on.

    The concepts are those of the whole log; who touched which is that of before.
    """
    before, after = view.before(begin), view.where(view.times >= begin)
    known, later = _touched(before, bearing), _touched(after, bearing)
    people = np.flatnonzero((np.diff(known.indptr) > 0) & (np.diff(later.indptr) > 0))
    if len(people) > TRIED:
        people = np.sort(np.random.default_rng(seed).choice(people, TRIED, replace=False))
    broad = np.array([kind in BROAD for kind in learned.kinds])
    if not broad.any():
        broad[:] = True
    turns = []
    who = []
    for person in people.tolist():
        own = np.asarray(known[person].todense(), dtype=np.float32).ravel()
        new = (np.asarray(later[person].todense()).ravel() > 0) & (own == 0) & broad
        if new.any():
            turns.append((np.log1p(own), (own == 0) & broad, new))
            who.append(person)
    if not turns:
        return Mix()
    of_people, prior = _of_people(known), _prior(known)
    best, measured = Mix(), _by_text(before, bearing, who, turns)
    totals = np.array([new.sum() for _, _, new in turns])
    for (a, b), novelty in product(((1.0, 0.0), (0.7, 0.3), (0.4, 0.6)), (0.0, 0.25, 0.5)):
        mix = Mix(a, b, novelty)
        graph = _graph(of_people, shared, told, prior, mix)
        named = [
            _named(np.where(may, graph.surprising(graph.walk(own)), -np.inf), new)
            for own, may, new in turns
        ]
        recall = float(np.mean(np.array(named) / totals))
        if not recall <= best.recall:
            share = float(np.mean(named)) / FOUND
            best = replace(
                mix, recall=recall, turns=len(turns), measured={**measured, "graph": share}
            )
    return best


def _named(score: npt.NDArray[np.floating[Any]], new: npt.NDArray[np.bool_]) -> int:
    """Return how many of the best by score somebody then turned to."""
    best = np.argsort(-score, kind="stable")[:FOUND]
    return int(new[best[np.isfinite(score[best])]].sum())


def _by_text(
    before: View, bearing: sp.csr_matrix, people: Sequence[int], turns: Sequence[Turn]
) -> dict[str, float]:
    """Return what share of the concepts whose items read like a person's they turned to."""
    if before.vectors is None:
        return {}
    texts = np.nan_to_num(before.vectors).astype(np.float32)
    centres = bearing.T @ texts
    centres /= np.maximum(np.linalg.norm(centres, axis=1, keepdims=True), 1e-9)
    pointed = wishes(before)[list(people)] @ texts
    near = pointed @ centres.T
    named = [
        _named(np.where(may, near[place], -np.inf), new)
        for place, (_, may, new) in enumerate(turns)
    ]
    return {"encoder": float(np.mean(named)) / FOUND}
