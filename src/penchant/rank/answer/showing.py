"""Showing: from ranked candidates to a slate with reasons, what comes after it, and its record."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from penchant.interests.state import State
from penchant.rank.answer.asking import Question, whole
from penchant.rank.answer.headlining import Headlining
from penchant.rank.answer.neighbours import neighbours
from penchant.rank.explain.reasons import mattered, origins
from penchant.rank.pipeline import RAISED, SCORED_BY
from penchant.rank.rerankers.exploration import PROPENSITY
from penchant.rank.scorers.terms import LATER, with_terms
from penchant.rank.stage import taken
from penchant.rank.worth import COLUMNS
from penchant.store.impressions import Impression
from penchant.store.open import Store
from penchant.types import (
    Candidates,
    Floats,
    Mask,
    Query,
    Reason,
    Recommendation,
    Slate,
    Trace,
)

if TYPE_CHECKING:
    import polars as pl

Run = Callable[[Query, State], tuple[Candidates, Trace]]


@dataclass(frozen=True, slots=True)
class _Course:
    """A question on its way: the pool that answers it, and how much of it was shown.

    `left` are the candidates not shown yet, `before` the number of lines shown, `allowed` what a
    further pool may hold: nothing that was in this one or in those before.
    """

    question: Question
    run: Run
    log: bool
    left: Candidates
    trace: Trace
    before: int
    allowed: Mask | None


class Showing:
    """Turns answers into what a person sees, and remembers it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._headlining = Headlining(store)

    def answer(self, question: Question, *, log: bool) -> Slate:
        """Return the slate for a question, and store the impression if `log`."""
        return self._begin(question, question.served.pipeline.run, log)

    def alike(self, question: Question) -> Slate:
        """Return the items most like those of the question's history; nobody was shown them."""

        def run(query: Query, state: State) -> tuple[Candidates, Trace]:
            return neighbours(question.served.pipeline, query, state), Trace(())

        return self._begin(question, run, log=False)

    def frame(self, questions: Iterable[Question]) -> pl.DataFrame:
        """Return user_id, item_id, score, rank (from 1) of the answers to many questions."""
        import polars as pl

        users: list[str | None] = []
        items: list[str] = []
        scores: list[float] = []
        ranks: list[int] = []
        for question in questions:
            query, ids = question.query, question.served.columns.ids
            pool, _ = question.served.pipeline.run(query, question.state)
            shown = taken(pool, slice(0, query.k))
            users += [query.user_id] * len(shown)
            items += [ids[item] for item in shown.items.tolist()]
            scores += shown.scores.tolist()
            ranks += range(1, len(shown) + 1)
        return pl.DataFrame(
            {"user_id": users, "item_id": items, "score": scores, "rank": ranks},
            schema={
                "user_id": pl.String,
                "item_id": pl.String,
                "score": pl.Float64,
                "rank": pl.Int64,
            },
        )

    def _begin(self, question: Question, run: Run, log: bool) -> Slate:
        pool, trace = run(question.query, question.state)
        log = log and not self._store.read_only
        allowed = _without(question.query.allowed, pool)
        return self._show(_Course(question, run, log, pool, trace, 0, allowed), question.query.k)

    def _more(self, course: _Course, k: int) -> Slate:
        """Return the next `k`; when the pool is exhausted, from a pool of what was not in it."""
        self._store.check()
        question, missing = course.question, whole(k) - len(course.left)
        if missing > 0 and question.query.only is None and course.allowed is not None:
            query = replace(question.query, k=missing, allowed=course.allowed)
            further, trace = course.run(query, question.state)
            left = _joined(course.left, further)
            course = replace(
                course,
                left=left,
                trace=replace(trace, pool=left),  # what an explanation of this page looks into
                allowed=_without(course.allowed, further),
            )
        return self._show(course, k)

    def _show(self, course: _Course, k: int) -> Slate:
        question = course.question
        shown = taken(course.left, slice(0, k))
        lines = _lines(question, shown, course.before)
        lines = self._headlining.shown(lines, question.served, question.state)
        if not course.before:
            lines += _strangers(question, shown)
        slate_id = uuid.uuid4().hex
        if course.log:
            self._store.impressions.add(
                impression(
                    slate_id,
                    question.query,
                    question.served.snapshot,
                    shown,
                    lines,
                    course.trace,
                    question.variant,
                )
            )
        rest = replace(
            course, left=taken(course.left, slice(k, None)), before=course.before + len(lines)
        )
        return Slate(
            lines,
            slate_id,
            question.served.snapshot,
            question.query.user_id,
            question.query.now,
            course.trace,
            lambda n: self._more(rest, n),
        )


def impression(
    slate_id: str,
    query: Query,
    snapshot: str,
    shown: Candidates,
    lines: tuple[Recommendation, ...],
    trace: Trace,
    variant: str = "",
) -> Impression:
    """Return the record of a slate: what explains it later, and what learns from it."""
    return Impression(
        slate_id=slate_id,
        user=query.user,
        now=query.now,
        snapshot=snapshot,
        items=shown.items,
        scores=shown.scores,
        propensities=_propensities(shown),
        features=shown.features,
        names=shown.names,
        reasons=tuple([_plain_reason(r) for r in line.reasons] for line in lines[: len(shown)]),
        notes={
            "sources": list(shown.sources),
            "scored_by": [name for s in trace.stages for name in s.notes.get(SCORED_BY, ())],
            "raised": {str(item): by for item, by in trace.history.get(RAISED, {}).items()},
            "trace": str(trace).splitlines(),
        },
        variant=variant,
        context={str(key): _plain(value) for key, value in query.context.items()},
    )


def _propensities(shown: Candidates) -> Floats:
    """Return the chance of each line to stand in its place: 1 where nothing was drawn."""
    if PROPENSITY not in shown.names:
        return np.ones(len(shown), dtype=np.float32)
    return np.ascontiguousarray(shown.features[:, shown.names.index(PROPENSITY)])


def _lines(question: Question, shown: Candidates, before: int) -> tuple[Recommendation, ...]:
    """Return one recommendation per candidate, with its sources and the events behind it."""
    columns, recall = question.served.columns, question.served.pipeline.recall
    sources = origins(shown.origin, shown.sources)
    events = mattered(recall, question.state, shown, columns)
    chance, value = _expected(question, shown)
    return tuple(
        Recommendation(
            columns.ids[item],
            score,
            before + rank,
            (*because, *by),
            probability=None if chance is None else float(chance[rank - 1]),
            value=None if value is None else float(value[rank - 1]),
        )
        for rank, (item, score, because, by) in enumerate(
            zip(shown.items.tolist(), shown.scores.tolist(), events, sources, strict=True), start=1
        )
    )


def _expected(question: Question, shown: Candidates) -> tuple[Floats | None, Floats | None]:
    """Return the chance of each candidate and what it is worth, None where none can be told."""
    response = question.served.response
    if response is None or not set(response.names) <= {*shown.names, *COLUMNS}:
        return None, None
    return response(shown, question.state)


def _strangers(question: Question, shown: Candidates) -> tuple[Recommendation, ...]:
    """Return what the catalogue does not know, in the order given, scored below all others."""
    below = float(shown.scores.min()) - 1.0 if len(shown) else 0.0
    return tuple(
        Recommendation(item, below, len(shown) + place)
        for place, item in enumerate(question.strangers, start=1)
    )


def _joined(left: Candidates, further: Candidates) -> Candidates:
    """Return one pool after the other, in scores too: each was scored among its own."""
    if not len(left):
        return further
    lower = np.float32(0.0)
    if len(further):
        lower = np.float32(min(0.0, float(left.scores.min() - further.scores.max())))
    left = with_terms(left, {LATER: np.zeros(len(left), dtype=np.float32)})
    further = with_terms(further, {LATER: np.full(len(further), lower)})
    return replace(
        left,
        items=np.concatenate((left.items, further.items)),
        scores=np.concatenate((left.scores, further.scores + lower)),
        features=np.concatenate((left.features, further.features)),
        origin=np.concatenate((left.origin, further.origin)),
    )


def _without(allowed: Mask | None, pool: Candidates) -> Mask | None:
    if allowed is None:
        return None
    rest = allowed.copy()
    rest[pool.items] = False
    return rest


def _plain_reason(reason: Reason) -> dict[str, Any]:
    return {
        "kind": reason.kind,
        "name": reason.name,
        "weight": float(reason.weight),
        "item_id": reason.item_id,
    }


def _plain(value: Any) -> Any:
    """Return a value of the context as JSON can hold it."""
    return value if isinstance(value, str | int | float | bool | None) else str(value)
