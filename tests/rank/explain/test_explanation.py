"""Reasons are parts of the scores themselves: they add up, and read as a sentence."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import world
from numbered import (
    N,
    arrays,
    columns,
    empty,
    names,
    nobody,
    numbers,
    query,
    state,
    vectors,
    view,
)
from penchant.learn.scorer import ranker
from penchant.learn.scorer.ranker import RankerConfig
from penchant.learn.scorer.rows import Rows
from penchant.learn.sources import linear
from penchant.learn.sources.linear import Ease, Kernel
from penchant.rank.answer.neighbours import neighbours
from penchant.rank.explain.explanation import (
    Shown,
    cause,
    contributions,
    explain,
    summed,
)
from penchant.rank.explain.reasons import mattered, origins
from penchant.rank.explain.sentences import PERSON
from penchant.rank.features import ITEM, MATCH
from penchant.rank.features import PERSON as PERSON_COLUMNS
from penchant.rank.pipeline import Pipeline, load_pipeline, order
from penchant.rank.scorers.ranker import Ranker
from penchant.recall.assemble import RecallPlan, assemble, fit_covisitation
from penchant.recall.gather import Recall
from penchant.recall.linear import ItemWeights, Recency
from penchant.recall.popularity import Popularity
from penchant.recall.sparse import SparseRows
from penchant.store.artefacts import Artefacts
from penchant.store.vectors import Vectors
from penchant.types import Candidates, Ids, Reason

HEADS = (
    Ease("linear_taste", Kernel(), 1.0, Recency(days_half=5.0)),
    Ease("linear_near", Kernel(moments_half=1.0), 1.0, Recency(moments_half=1.0)),
)
TREE_NAMES = ("linear_taste", "linear_near", "trending_7d", "price", "history", "text_last")


def alone(
    items: Ids, names: tuple[str, ...] = (), features: np.ndarray | None = None
) -> Candidates:
    """Return a pool of which nothing is known but its items, unless told."""
    n = len(items)
    return Candidates(
        items=items,
        scores=np.zeros(n, dtype=np.float32),
        features=np.zeros((n, 0), dtype=np.float32) if features is None else features,
        names=names,
        origin=np.zeros(n, dtype=np.uint32),
        sources=(),
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Artefacts:
    folder = Artefacts(tmp_path_factory.mktemp("sources"))
    linear.fit_ease(view(), HEADS, folder)
    users, items, times = arrays()
    order = np.lexsort((times, users))
    fit_covisitation(users[order], items[order], times[order], N, folder)
    return folder


@pytest.fixture(scope="module")
def recall(folder: Artefacts) -> Recall:
    _, items, times = arrays()
    return assemble(
        folder,
        RecallPlan(linear=("linear_taste", "linear_near"), text=True),
        popularity=Popularity(items, times),
        columns=columns(),
        vectors=Vectors(vectors()),
        recent=nobody,
    )


@pytest.fixture(scope="module")
def pipeline(folder: Artefacts, recall: Recall) -> Pipeline:
    return load_pipeline(folder, recall, columns(), Vectors(vectors()))


@pytest.fixture(scope="module")
def trees(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(4000, len(TREE_NAMES))).astype(np.float32)
    x[rng.random(x.shape) < 0.2] = np.nan
    n = np.arange(201, dtype=np.int64) * 20
    rows = Rows(
        features=x,
        items=np.zeros(4000, dtype=np.int32),
        wanted=np.nan_to_num(x[:, 0] + x[:, 2] * x[:, 4]) > 1.0,
        starts=n,
        times=np.arange(200, dtype=np.float64),
        users=np.zeros(200, dtype=np.int32),
        missed=np.zeros(200, dtype=np.int32),
        arms=("next",) * 200,
        names=TREE_NAMES,
        n_sources=3,
    )
    path = tmp_path_factory.mktemp("trees") / "ranker.onnx"
    ranker.export(
        ranker.fit(rows, RankerConfig(trees=40, least_in_leaf=20, threads=1), seed=0), path
    )
    return path


def shown(row: np.ndarray, names: tuple[str, ...] = TREE_NAMES, **rest: object) -> Shown:
    return Shown("d", "Delta", 0.0, row, names, TREE_NAMES[:3], **rest)  # type: ignore[arg-type]


def test_what_causes_added_adds_up_to_the_score_served(trees: Path) -> None:
    model = trees.with_suffix(".txt")
    served = Ranker([trees], TREE_NAMES)
    rng = np.random.default_rng(5)
    for _ in range(20):
        row = rng.normal(size=len(TREE_NAMES)).astype(np.float32)
        row[rng.random(len(row)) < 0.2] = np.nan
        (*causes, start), hints = contributions(shown(row, scored_by=("ranker",)), model)
        score = float(served.score(row[None])[0])
        assert sum(r.weight for r in causes) + start.weight == pytest.approx(score, abs=1e-4)
        assert [abs(r.weight) for r in causes] == sorted(abs(r.weight) for r in causes)[::-1]
        assert len({reason.name for reason in causes}) == len(causes)
        assert {reason.kind for reason in causes} == {"cause"}
        assert (start.kind, start.name) == ("start", "where every item starts")
        assert not hints


def test_columns_are_found_by_name_whatever_their_order(trees: Path) -> None:
    model = trees.with_suffix(".txt")
    row = np.array([1.0, -1.0, 2.0, 0.5, np.nan, 0.1], dtype=np.float32)
    mixed = (*TREE_NAMES[::-1], "other")
    again = contributions(shown(np.append(row[::-1], 9.0).astype(np.float32), mixed), model)
    assert again == contributions(shown(row), model)


def test_every_feature_has_a_cause_in_words() -> None:
    of_the_person = {name for name in (*ITEM, *PERSON_COLUMNS, *MATCH) if cause(name) == PERSON}
    assert of_the_person == set(PERSON_COLUMNS)
    assert cause("linear_taste_rank") == cause("linear_near") == "what goes with your history"
    assert cause("sequence_text_gap") != cause("sequence_gap")
    assert cause("affinity") == cause("text_best")
    assert cause("text_gap", words=True) == "close in meaning to your words"
    assert cause("text_best", words=True) == cause("affinity", words=True) == cause("text_best")


def test_of_who_chose_nothing_nothing_is_said_but_that() -> None:
    every = (
        *ITEM,
        *PERSON_COLUMNS,
        *MATCH,
        "linear_a",
        "sequence",
        "after",
        "together",
        "affinity",
    )
    left = {cause(name, chosen=False) for name in every}
    assert left == {
        "that you chose nothing yet", "wanted by many now", "rising", "its age", "its price",
    }  # fmt: skip
    assert cause("text_rank", chosen=False, words=True) == "close in meaning to your words"
    assert cause("days_since_first", new=True) == "new here"


def test_what_each_past_item_added_adds_up_to_the_score_of_the_source(recall: Recall) -> None:
    person = state(["w1", "w2", "s1", "w4"], strengths=[1, 2, 1, 0.5])
    for source in recall.sources:
        if not isinstance(source, ItemWeights):
            continue
        scores = source.score(query(), person)
        for item in range(N):
            total = float(source.contributions(person, item).sum())
            assert total == pytest.approx(float(np.nan_to_num(scores.values[item])), abs=1e-6)


def test_shares_of_past_items_are_the_positive_terms_of_the_sources(recall: Recall) -> None:
    person = state(["w1", "w2", "s1", "w4"])
    heads = [source for source in recall.sources if isinstance(source, ItemWeights)]
    items = np.arange(N, dtype=np.int32)
    asked = alone(items)
    for item, reasons in zip(items, mattered(recall, person, asked, columns()), strict=True):
        want = np.zeros(4)
        for head in heads:
            terms = np.maximum(head.contributions(person, int(item)), 0.0)
            if terms.sum() > 0:
                want += terms / terms.sum()
        want = want / want.sum() if want.sum() else want
        by_hand = {
            name: share
            for name, share in zip(names(person.liked.items), want, strict=True)
            if share >= 0.1
        }
        got = {reason.item_id: reason.weight for reason in reasons}
        assert len(reasons) == min(3, len(by_hand))
        for name, share in got.items():
            assert share == pytest.approx(by_hand[name], rel=1e-4)
        assert list(got.values()) == sorted(got.values(), reverse=True)
        assert sum(got.values()) <= 1 + 1e-6
        assert all(reason.name == world.ITEMS[reason.item_id][0] for reason in reasons)


def test_a_western_is_explained_by_westerns(recall: Recall) -> None:
    person = state(["s1", "w1", "w2", "w3"])
    (reasons,) = mattered(recall, person, alone(numbers(["w5"])), columns())
    assert reasons[0].item_id in {"w1", "w2", "w3"}
    assert sum(r.weight for r in reasons if r.item_id and r.item_id[0] == "w") > 0.6


def test_without_history_or_for_new_items_nothing_mattered(recall: Recall) -> None:
    assert mattered(recall, state([]), alone(numbers(["w5"])), columns()) == [[]]
    grown = empty(40)
    new = np.array([39], dtype=np.int32)
    assert mattered(recall, state(["w1"]), alone(new), grown) == [[]]
    assert mattered(recall, state(new), alone(np.array([0], dtype=np.int32)), grown) == [[]]


def test_a_source_is_heard_as_loudly_as_it_places_the_item(recall: Recall) -> None:
    person = state(["w1", "w2", "s1", "w4"])
    heads = [source for source in recall.sources if isinstance(source, ItemWeights)]
    item = numbers(["w5"])

    def told(*voices: float) -> dict[str | None, float]:
        names = tuple(f"{head.name}_rank" for head in heads)
        pool = alone(item, names, np.array([voices], dtype=np.float32))
        (reasons,) = mattered(recall, person, pool, columns())
        return {reason.item_id: reason.weight for reason in reasons}

    for place, head in enumerate(heads):
        terms = np.maximum(head.contributions(person, int(item[0])), 0.0)
        voices = [0.5 if head is other else 0.009 for other in heads]
        shares = dict(zip(names(person.liked.items), terms / terms.sum(), strict=True))
        got = told(*voices)
        assert got == pytest.approx({n: s for n, s in shares.items() if s >= 0.1}, rel=1e-4)
        assert told(*[0.009 if p == place else 0.0 for p in range(len(heads))]) == {}


def test_a_long_history_has_a_little_of_everything_and_names_none_of_it(recall: Recall) -> None:
    class Even(ItemWeights):
        """Every wanted item says the same of every other."""

    rows = SparseRows.from_pairs(
        np.repeat(np.arange(40, dtype=np.int32), 39),
        np.concatenate([np.delete(np.arange(40, dtype=np.int32), i) for i in range(40)]),
        np.ones(40 * 39, dtype=np.float32),
        40,
        keep=40,
    )
    even = Recall([Even("linear_even", rows, Recency())], recall.popularity, {})
    item = np.array([39], dtype=np.int32)
    for n, named in ((10, 3), (11, 0), (39, 0)):
        person = state(np.arange(n, dtype=np.int32))
        (reasons,) = mattered(even, person, alone(item), empty(40))
        assert len(reasons) == named, n


def test_origins_are_the_sources_that_proposed_it() -> None:
    found = origins(np.array([0b101, 0b010, 0], dtype=np.uint32), ("a", "b", "c"))
    assert [[reason.name for reason in reasons] for reasons in found] == [["a", "c"], ["b"], []]
    assert [reason.weight for reason in found[0]] == [0.5, 0.5]


def test_without_trees_the_sources_speak_for_themselves() -> None:
    names = ("after", "text", "after_rank", "text_rank")
    row = np.array([7.0, np.nan, 1.0, 0.0], dtype=np.float32)
    (reason,) = summed(names, ("after", "text"), row)
    assert reason == Reason("source", "what others chose next", 1.0)


def test_an_explanation_holds_all_of_it(trees: Path) -> None:
    row = np.array([2.0, 1.0, 2.0, 0.5, 1.0, 0.1], dtype=np.float32)
    events = (Reason("event", "Alpha", 1.0, "a"),)
    line = shown(row, events=events, trace=("gather",))
    model = trees.with_suffix(".txt")
    told = explain(line, model)
    assert told.item_id == "d"
    assert told.events == events
    assert told.trace == ("gather",)
    assert told.contributions == contributions(line, model)[0]
    assert re.fullmatch(r"“Delta” is here because .*it goes with “Alpha”.*\.", str(told))


def test_past_items_are_named_only_where_the_history_raised_the_item() -> None:
    events = (Reason("event", "Alpha", 1.0, "a"),)
    names = ("term:linear_taste", "term:trending_7d")
    for history, named in ((1.0, True), (0.12, True), (0.1, False), (-1.0, False)):
        row = np.array([history, 1.0], dtype=np.float32)
        told = explain(shown(row, names, events=events, scored_by=("fusion",)), None)
        assert told.events == (events if named else ())
        assert ("Alpha" in str(told)) == named


def test_likeness_is_not_popularity(pipeline: Pipeline) -> None:
    found = neighbours(pipeline, query(k=5), state(["w5"]))
    assert set(names(found.items[:3])) <= {*world.WESTERNS, "cold"}
    assert (np.diff(found.scores) <= 0).all()


def test_neighbours_keep_their_origins_and_columns(pipeline: Pipeline) -> None:
    asked, person = query(k=5), state(["w5"])
    found = neighbours(pipeline, asked, person)
    pool, _ = pipeline.recall.gather(asked, person)
    assert found.sources == pool.sources
    at = {int(item): place for place, item in enumerate(pool.items)}
    assert set(at) == set(found.items.tolist())
    rows = [at[int(item)] for item in found.items]
    np.testing.assert_array_equal(found.origin, pool.origin[rows])
    np.testing.assert_array_equal(found.features, pool.features[rows])


def test_a_pipeline_says_its_steps_and_traces_them(pipeline: Pipeline) -> None:
    steps = pipeline.describe()
    assert steps[0].startswith("gather(linear_taste, linear_near, after, together, text, trending")
    assert steps[1:] == ("features", "affinity", "fusion", "order", "opening")
    pool, trace = pipeline.run(query(k=5), state(["w1", "w2"]))
    steps = ("gather", *steps[1:4], "opening")
    assert tuple(stage.stage for stage in trace.stages) == steps
    assert all(stage.seconds >= 0 for stage in trace.stages)
    assert trace.stages[0].came == N
    assert {stage.went for stage in trace.stages} == {len(pool)}
    assert trace.pool is pool
    assert "fusion" in str(trace)


def test_the_pipeline_is_its_stages_in_order(pipeline: Pipeline) -> None:
    asked, person = query(k=5), state(["w1", "w2"])
    pool, _ = pipeline.recall.gather(asked, person)
    for stage in pipeline.stages:
        pool = stage(asked, person, pool)
    pool = order(pool)
    assert (np.diff(pool.scores) <= 0).all()
    for stage in pipeline.rerankers:
        pool = stage(asked, person, pool)
    ran, _ = pipeline.run(asked, person)
    np.testing.assert_array_equal(ran.items, pool.items)
    np.testing.assert_array_equal(ran.scores, pool.scores)
    np.testing.assert_array_equal(ran.features, pool.features)
