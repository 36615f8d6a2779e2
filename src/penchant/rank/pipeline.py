"""One request, as a printed list of small stages: gather, features, affinity, scorer, order."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from penchant.interests.state import State
from penchant.language.categories import Derived
from penchant.rank.circumstances import Circumstances
from penchant.rank.features import FeatureBuilder
from penchant.rank.feedback.feedback import Feedback
from penchant.rank.feedback.stage import DAYS_HALF, ForAnswers
from penchant.rank.rerankers.exploration import Exploration
from penchant.rank.rerankers.opening import Opening
from penchant.rank.rerankers.widening import Places, Widening
from penchant.rank.scorers.affinity import Affinity, AffinityStage
from penchant.rank.scorers.fusion import Fusion
from penchant.rank.scorers.newcomer import ForNewcomers
from penchant.rank.scorers.raised import ForRaised
from penchant.rank.scorers.ranker import Ranker
from penchant.rank.scorers.scorer import Scorer
from penchant.rank.scorers.words import ForWords
from penchant.rank.stage import Stage, taken
from penchant.recall.gather import Recall
from penchant.store.artefacts import Artefacts
from penchant.store.columns import ItemColumns
from penchant.store.vectors import Vectors
from penchant.types import Candidates, Query, StageTrace, Trace

# Before any training: chosen on the first days after the cut of ml_100k and online_retail, where it
# is better than equal weights (NDCG@10 .083 for .080, and .089 for .082).
UNTRAINED_WEIGHTS = {"text": 0.5, "fresh": 0.25}
# Words count beside the scorer, after it; what is proposed has places of its own.
BESIDE = {"lexical": 0.0, "asked": 0.0, "expansion": 0.0}
SCORED_BY = "scored by"  # the note of a stage that says who did
RAISED = "raised"  # in the history of a trace: who gave an item a place that its score did not
DEADLINE = 0.25  # seconds that recall may take before the remaining sources are skipped


class Pipeline:
    """Recall and the stages after it: a query and a state in, candidates out, best first."""

    def __init__(
        self, recall: Recall, stages: Sequence[Stage], rerankers: Sequence[Stage] = ()
    ) -> None:
        self.recall = recall
        self.stages = tuple(stages)
        self.rerankers = tuple(rerankers)
        self._scorers = [stage if isinstance(stage, Scorer) else None for stage in self.stages]

    def describe(self) -> tuple[str, ...]:
        """Return the names of the steps of a request, in order."""
        sources = ", ".join(self.recall.names)
        before, after = (tuple(s.name for s in part) for part in (self.stages, self.rerankers))
        return (f"gather({sources})", *before, "order", *after)

    def run(self, query: Query, state: State) -> tuple[Candidates, Trace]:
        """Return every candidate in order of score, and the trace of what each stage did."""
        began = time.perf_counter()
        pool, notes = self.recall.gather(query, state, time.monotonic() + DEADLINE)
        traces = [
            StageTrace("gather", query.n_items, len(pool), time.perf_counter() - began, notes)
        ]
        for stage, scorer in zip(self.stages, self._scorers, strict=True):
            began, came = time.perf_counter(), len(pool)
            after = stage(query, state, pool)
            took = time.perf_counter() - began
            said = {SCORED_BY: scorer.scored_by(query, state)} if scorer is not None else {}
            traces.append(StageTrace(stage.name, came, len(after), took, said))
            pool = after
        pool = order(pool)
        raised: dict[int, str] = {}
        for reranker in self.rerankers:
            began = time.perf_counter()
            after = reranker(query, state, pool)
            moved = int(np.count_nonzero(after.items[: query.k] != pool.items[: query.k]))
            traces.append(
                StageTrace(
                    reranker.name,
                    len(pool),
                    len(after),
                    time.perf_counter() - began,
                    {"moved": moved} if moved else {},
                )
            )
            if moved:
                fresh = set(after.items[: query.k].tolist()) - set(pool.items[: query.k].tolist())
                raised |= dict.fromkeys(sorted(fresh), reranker.name)
            pool = after
        return pool, Trace(tuple(traces), pool, {RAISED: raised} if raised else {})


def order(pool: Candidates) -> Candidates:
    """Return the candidates by descending score; NaN and infinite scores last, ties by number."""
    scores = np.where(np.isfinite(pool.scores), pool.scores, -np.inf)
    best = np.argsort(-scores, kind="stable")
    return taken(pool, best)


def row_stages(
    recall: Recall,
    affinity: Affinity | None,
    columns: ItemColumns,
    vectors: Vectors,
    derived: Derived | None = None,
    here: Circumstances | None = None,
) -> list[Stage]:
    """Return the stages that make the ranker's columns: what training rows go through as well.

    `here` is the stage of circumstances, where any tell something. The affinity comes last.
    """
    features = FeatureBuilder(recall.names, recall.popularity, columns, vectors, derived)
    stages: list[Stage] = [features] if here is None else [features, here]
    return [*stages, AffinityStage(affinity, vectors)]


def load_pipeline(
    folder: Artefacts,
    recall: Recall,
    columns: ItemColumns,
    vectors: Vectors,
    threads: int = 1,
    feedback: Feedback | None = None,
    derived: Derived | None = None,
    places: Places | None = None,
    listwise: Stage | None = None,
    here: Circumstances | None = None,
) -> Pipeline:
    """Return the pipeline that a snapshot's rank.json describes, around its recall.

    With `feedback` its scores follow the answers to slates, and items little known are explored,
    for whom the policy of a request says so. `places` says how many places what people may come to
    like has earned; `listwise` puts the best of each slate into another order; `here` makes columns
    of the circumstances of a request.
    """
    plan: dict[str, Any] = {"scorer": "fusion", "newcomer": "trending_30d"}
    if folder.has("rank.json"):
        plan = folder.json("rank")
    affinity = None
    if plan.get("affinity"):
        theta = np.asarray(folder.array("affinity.theta"))
        affinity = Affinity(theta, plan["affinity"]["constant"], plan["affinity"]["days_half"])
    scorer: Scorer
    if plan["scorer"] == "ranker":
        paths = [folder.path(name) for name in plan["models"]]
        scorer = Ranker(paths, plan["features"], threads)
    else:
        scorer = Fusion({**plan.get("weights", UNTRAINED_WEIGHTS), **BESIDE})
    if plan.get("newcomer") in recall.names:
        scorer = ForNewcomers(plan["newcomer"], scorer, alone=plan.get("newcomer_alone", True))
    rerankers: list[Stage] = [Opening(recall.popularity)]
    if places is not None:
        rerankers.append(Widening(places, recall.popularity))
    if feedback is not None:
        days = DAYS_HALF if affinity is None else affinity.days_half
        scorer = ForAnswers(scorer, feedback, vectors, days)
        # Before the opening, which gives its place where no new item is shown.
        rerankers.insert(0, Exploration(feedback, recall.popularity, vectors))
    if listwise is not None:
        # Before the exploration, which says how likely each place was.
        rerankers.insert(0, listwise)
    stages = row_stages(recall, affinity, columns, vectors, derived, here)
    return Pipeline(recall, [*stages, ForRaised(ForWords(scorer))], rerankers)
