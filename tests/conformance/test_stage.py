"""What every stage promises: scorers keep length and order, and no candidate is ever lost.

A scorer leaves every candidate where it is; a re-ranker only moves them.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import penchant.rank
from numbered import COLD, NOW, N, arrays, columns, query, state, vectors
from penchant.ingest.kinds import Kinds
from penchant.interests.concepts import Concepts
from penchant.interests.context import clock
from penchant.interests.context.crowd import Crowd
from penchant.interests.context.field import Field
from penchant.interests.context.schema import Schema
from penchant.interests.expansion.ground import Ground
from penchant.language.generator.generator import Generated
from penchant.language.generator.prompt import Prompt
from penchant.learn.scorer import ranker
from penchant.learn.scorer.ranker import RankerConfig
from penchant.learn.scorer.rows import Rows
from penchant.rank.circumstances import Circumstances
from penchant.rank.features import FeatureBuilder
from penchant.rank.feedback.config import FeedbackConfig
from penchant.rank.feedback.feedback import Feedback
from penchant.rank.feedback.following import Following
from penchant.rank.feedback.stage import ForAnswers
from penchant.rank.pipeline import order
from penchant.rank.rerankers.exploration import Exploration
from penchant.rank.rerankers.listwise import Listwise, ListwiseConfig, Orders
from penchant.rank.rerankers.opening import Opening
from penchant.rank.rerankers.widening import Widening
from penchant.rank.scorers.affinity import Affinity, AffinityStage
from penchant.rank.scorers.fusion import Fusion
from penchant.rank.scorers.newcomer import ForNewcomers
from penchant.rank.scorers.raised import ForRaised
from penchant.rank.scorers.ranker import Ranker
from penchant.rank.scorers.words import ForWords
from penchant.rank.stage import Stage
from penchant.recall.popularity import Popularity
from penchant.store.vectors import Vectors
from penchant.types import Candidates

SOURCES = ("after", "text", "trending_30d")
PEOPLE = {
    "a history": state(["w1", "w2", "s1"]),
    "nothing": state([]),
    "words": state([], words=vectors()[COLD]),
    "rejections": state(["w1"], strengths=[-1.0]),
}


def popularity() -> Popularity:
    _, items, times = arrays()
    return Popularity(items, times)


def features() -> FeatureBuilder:
    return FeatureBuilder(SOURCES, popularity(), columns(), Vectors(vectors()))


def affinity() -> AffinityStage:
    theta = np.linspace(-1, 1, vectors().shape[1]).astype(np.float32)
    return AffinityStage(Affinity(theta, 0.5, 7.0), Vectors(vectors()))


NAMES = (*features().names, "affinity")


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Ranker:
    """Trees over a few of the columns."""
    rng = np.random.default_rng(0)
    few, per = 300, 10
    x = rng.normal(size=(few * per, len(NAMES))).astype(np.float32)
    x[rng.random(x.shape) < 0.2] = np.nan
    rows = Rows(
        features=x,
        items=np.tile(np.arange(per, dtype=np.int32), few),
        wanted=np.nan_to_num(x[:, 0]) + np.nan_to_num(x[:, 5]) > 1.2,
        starts=np.arange(few + 1, dtype=np.int64) * per,
        times=np.arange(few, dtype=np.float64),
        users=np.zeros(few, dtype=np.int32),
        missed=np.zeros(few, dtype=np.int32),
        arms=("next",) * few,
        names=NAMES,
        n_sources=len(SOURCES),
    )
    path = tmp_path_factory.mktemp("trees") / "ranker.onnx"
    config = RankerConfig(trees=20, least_in_leaf=20, threads=1)
    ranker.export(ranker.fit(rows, config, seed=0), path)
    return Ranker([path], NAMES)


def circumstances() -> Circumstances:
    schema = Schema([Field("weekday", "clock", clock.VALUES["weekday"], gain=0.1)])
    _, items, times = arrays()
    crowd = Crowd.count(schema, schema.then((), times), items, columns())
    return Circumstances(crowd, columns(), Vectors(vectors()))


MAKERS: dict[str, tuple[type, Callable[[Ranker], Stage]]] = {
    "features": (FeatureBuilder, lambda grown: features()),
    "affinity": (AffinityStage, lambda grown: affinity()),
    "affinity without theta": (AffinityStage, lambda grown: AffinityStage(None, Vectors())),
    "circumstances": (Circumstances, lambda grown: circumstances()),
    "fusion": (Fusion, lambda grown: Fusion()),
    "fusion with weights": (Fusion, lambda grown: Fusion({"text": 0.0, "after": -2.0})),
    "ranker": (Ranker, lambda grown: grown),
    "newcomers": (ForNewcomers, lambda grown: ForNewcomers("trending_30d", grown)),
    "words": (ForWords, lambda grown: ForWords(Fusion())),
}


def told() -> Feedback:
    """What follows the answers, after a few: item 0 is taken more often than others."""
    feedback = Feedback(FeedbackConfig(), Kinds(), Following(0.3, 0.0, lambda ids: {}))
    shown = np.tile(np.arange(4, dtype=np.int32), 50)
    places = np.zeros(len(shown), dtype=np.int32)
    feedback.rates.show(shown, places, np.full(len(shown), NOW - 60.0))
    feedback.rates.answer(shown[:3] * 0, places[:3], np.full(3, NOW - 50.0))
    return feedback


MAKERS["raised"] = (ForRaised, lambda grown: ForRaised(Fusion()))
MAKERS["answers"] = (
    ForAnswers,
    lambda grown: ForAnswers(Fusion(), told(), Vectors(vectors())),
)


RERANKERS: dict[str, tuple[type, Callable[[Ranker], Stage]]] = {
    "opening": (Opening, lambda grown: Opening(popularity())),
    "exploration": (
        Exploration,
        lambda grown: Exploration(told(), popularity(), Vectors(vectors())),
    ),
    "widening": (Widening, lambda grown: Widening(lambda query: 2, popularity())),
    "listwise": (Listwise, lambda grown: listwise()),
}


class Backwards:
    """A generator that wants every list the other way round; the real ones: test_listwise.py."""

    id = "backwards"

    def generate(self, prompt: Prompt, schema: type[Any], deadline: float) -> Generated[Any]:
        count = int(prompt.user.rsplit("Put the ", 1)[1].split(" ", 1)[0])
        return Generated(schema(order=list(range(count, 0, -1))), 1, 1, 0.0)

    def close(self) -> None:
        pass


def listwise() -> Listwise:
    catalogue = columns()
    ground = Ground("s", catalogue, Concepts(catalogue), None, Vectors())
    return Listwise(Orders(Backwards(), ListwiseConfig(enabled=True)), ground)


@pytest.fixture(scope="module", params=RERANKERS)
def reranker(request: pytest.FixtureRequest, grown: Ranker) -> Stage:
    return RERANKERS[request.param][1](grown)


@pytest.fixture(scope="module", params=MAKERS)
def stage(request: pytest.FixtureRequest, grown: Ranker) -> Iterator[Stage]:
    return MAKERS[request.param][1](grown)


def pool(stage: Stage, items: list[int], values: list[float]) -> Candidates:
    """Return candidates as they reach the stage: one column per source, or all of them."""
    names = SOURCES if isinstance(stage, FeatureBuilder) else NAMES
    rng = np.random.default_rng(len(items))
    x = rng.choice([*values, np.nan, 0.0, 1.0], size=(len(items), len(names)))
    origin = rng.integers(0, 8, len(items)).astype(np.uint32)
    return Candidates(
        items=np.array(items, dtype=np.int32),
        scores=rng.choice([np.nan, 1.0, -2.0], len(items)).astype(np.float32),
        features=x.astype(np.float32),
        names=names,
        origin=origin,
        sources=SOURCES,
    )


def same(before: Candidates, after: Candidates) -> None:
    np.testing.assert_array_equal(after.items, before.items)
    np.testing.assert_array_equal(after.origin, before.origin)
    assert after.sources == before.sources
    assert after.scores.shape == before.items.shape
    assert after.scores.dtype == after.features.dtype == np.float32
    assert after.features.shape == (len(before), len(after.names))


def test_every_stage_of_the_package_is_in_this_suite() -> None:
    found = set()
    for module in pkgutil.walk_packages(penchant.rank.__path__, "penchant.rank."):
        for _, cls in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            if cls is Stage or "__call__" not in vars(cls):
                continue
            if list(inspect.signature(cls.__call__).parameters)[1:] == [
                "query", "state", "candidates",
            ]:  # fmt: skip
                found.add(cls)
    assert found == {cls for cls, _ in (*MAKERS.values(), *RERANKERS.values())}


@settings(max_examples=500, deadline=None)
@given(
    st.lists(st.integers(0, N - 1), unique=True, max_size=N),
    st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=4),
    st.sampled_from(sorted(PEOPLE)),
    st.sampled_from([None, "starships"]),
)
def test_no_candidate_is_lost_or_moved(stage, items, values, who, text) -> None:
    before = pool(stage, items, values)
    kept = before.features.copy(), before.scores.copy()
    after = stage(query(text=text), PEOPLE[who], before)
    same(before, after)
    np.testing.assert_array_equal(before.features, kept[0])
    np.testing.assert_array_equal(before.scores, kept[1])
    ordered = order(after)
    assert sorted(ordered.items.tolist()) == sorted(items)
    finite = np.isfinite(ordered.scores)
    assert (np.diff(finite.astype(int)) <= 0).all()
    assert (np.diff(ordered.scores[finite]) <= 0).all()


@settings(max_examples=500, deadline=None)
@given(
    st.permutations(range(N)),
    st.integers(0, N),
    st.integers(1, N),
    st.sampled_from(sorted(PEOPLE)),
    st.booleans(),
)
def test_a_reranker_only_moves_candidates(reranker, items, n, k, who, listed) -> None:
    before = pool(reranker, list(items)[:n], [1.0])
    only = np.array(items[:n], dtype=np.int32) if listed else None
    after = reranker(query(k=k, only=only), PEOPLE[who], before)
    assert after.names == before.names
    assert after.sources == before.sources
    assert sorted(after.items.tolist()) == sorted(before.items.tolist())
    rows = [before.items.tolist().index(item) for item in after.items]
    for name in ("scores", "features", "origin"):
        np.testing.assert_array_equal(getattr(after, name), getattr(before, name)[rows])
    again = reranker(query(k=k, only=only), PEOPLE[who], before)
    np.testing.assert_array_equal(again.items, after.items)


def test_every_stage_has_a_name_and_repeats_itself(stage: Stage) -> None:
    assert isinstance(stage.name, str)
    assert stage.name
    for person in PEOPLE.values():
        before = pool(stage, list(range(N)), [0.3, -2.0])
        first, second = stage(query(), person, before), stage(query(), person, before)
        np.testing.assert_array_equal(first.features, second.features)
        np.testing.assert_array_equal(first.scores, second.scores)


def test_no_candidates_stay_none(stage: Stage) -> None:
    for person in PEOPLE.values():
        none = pool(stage, [], [1.0])
        same(none, stage(query(), person, none))


def test_a_candidate_is_scored_for_what_it_is_not_for_its_place(stage: Stage) -> None:
    """Shuffled candidates get the same values; ties of ranks aside, there are none here."""
    person = PEOPLE["a history"]
    items = list(range(N))
    before = pool(stage, items, [0.3])
    distinct = np.random.default_rng(2).normal(size=before.features.shape).astype(np.float32)
    mixed = np.random.default_rng(1).permutation(N)

    def run(place: np.ndarray) -> Candidates:
        return stage(
            query(),
            person,
            Candidates(
                items=before.items[place],
                scores=before.scores[place],
                features=distinct[place],
                names=before.names,
                origin=before.origin[place],
                sources=SOURCES,
            ),
        )

    straight, shuffled = run(np.arange(N)), run(mixed)
    np.testing.assert_allclose(shuffled.features, straight.features[mixed], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(shuffled.scores, straight.scores[mixed], rtol=1e-4, atol=1e-4)


scores = st.one_of(
    st.floats(-(2.0**99), 2.0**99, width=32),
    st.sampled_from([float("nan"), float("inf"), float("-inf"), 0.0]),
)


@settings(max_examples=500, deadline=None)
@given(st.lists(scores, max_size=30))
def test_order_sorts_and_loses_nobody(given_scores: list[float]) -> None:
    n = len(given_scores)
    items = np.random.default_rng(n).permutation(100)[:n].astype(np.int32)
    before = Candidates(
        items=items,
        scores=np.array(given_scores, dtype=np.float32),
        features=items[:, None].astype(np.float32),
        names=("item",),
        origin=items.astype(np.uint32),
        sources=("item",),
    )
    after = order(before)
    assert sorted(after.items.tolist()) == sorted(items.tolist())
    np.testing.assert_array_equal(after.features[:, 0], after.items)
    np.testing.assert_array_equal(after.origin, after.items)
    at = {int(item): score for item, score in zip(items, before.scores, strict=True)}
    np.testing.assert_array_equal(after.scores, [at[int(item)] for item in after.items])
    finite = np.isfinite(after.scores)
    assert (np.diff(finite.astype(int)) <= 0).all()  # what is no number comes last
    assert (np.diff(after.scores[finite]) <= 0).all()
