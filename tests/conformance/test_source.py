"""What every recall source promises, checked on every source of the package.

All of them are learned once on the tiny world, and read from their folder as a snapshot is.
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
import itertools
import pkgutil
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import numbered
import penchant.recall
import world
from numbered import (
    COLD,
    DAY,
    NOW,
    NUMBER,
    Diary,
    N,
    arrays,
    columns,
    empty,
    make_view,
    nobody,
    rows,
    state,
    tail,
    vectors,
    view,
)
from penchant.interests.concepts import Concepts
from penchant.interests.context import clock
from penchant.interests.context.field import Field
from penchant.interests.context.schema import Schema
from penchant.interests.state import State
from penchant.language.searchable import Searchable
from penchant.learn.config import ContextualConfig, ProjectionConfig
from penchant.learn.sources.learner import SourcesConfig, SourcesLearner, linear
from penchant.learn.sources.linear import Ease, Kernel
from penchant.learn.sources.sequence import SequenceConfig
from penchant.learn.view import View
from penchant.recall.asked import Asked
from penchant.recall.assemble import RecallPlan, assemble
from penchant.recall.expansion import Expansion
from penchant.recall.gather import Recall
from penchant.recall.led import Led
from penchant.recall.lexical import Lexical
from penchant.recall.linear import Recency
from penchant.recall.popularity import Popularity
from penchant.recall.source import Scores, Source
from penchant.store.artefacts import Artefacts
from penchant.store.columns import ItemColumns
from penchant.store.expansions import Kept
from penchant.store.vectors import Vectors
from penchant.types import Floats, Query

SMALL = SequenceConfig(dimension=8, blocks=1, heads=1, length=12, epochs=2)
HEADS = (Ease("linear", Kernel(), 1.0, Recency(moments_half=2.0)),)
SOURCES = (
    "linear", "factors", "sequence", "sequence_text", "after", "together", "text",
    "tuned", "contextual", "again", "trending_1d", "trending_7d", "trending_30d", "fresh",
    "expansion", "lexical", "asked",
)  # fmt: skip
ASKED = "a western with dust and a train"


class World:
    """A folder of learned sources and what they are assembled with, again and again."""

    def __init__(
        self, folder: Path, learned: View, sequence: SequenceConfig | None = SMALL
    ) -> None:
        self.folder, self.view = Artefacts(folder), learned
        config = SourcesConfig(
            heads=HEADS,
            sequence=sequence,
            sequence_text=SMALL,
            tuned=ProjectionConfig(dimension=4, hidden=4, epochs=1, batch=8, negatives=8),
            contextual=ContextualConfig(dimension=4, length=3, epochs=2, batch=8),
            quota=10,
        )
        learner = SourcesLearner(
            config,
            learned.n_items,
            learned.vectors,
            learned.vectors,
            again=True,
            schema=Schema([Field("weekday", "clock", clock.VALUES["weekday"], gain=0.1)]),
        )
        plan = learner.fit(learned, self.folder, 1.0)
        linear.fit_factors(
            learned,
            "factors",
            self.folder,
            factors=4,
            regularization=0.1,
            alpha=5.0,
            iterations=5,
            recency=Recency(),
            seed=0,
        )
        self.plan = replace(plan, linear=(*plan.linear, "factors"))
        self.plan.save(self.folder)

    def recall(
        self,
        folder: Path | None = None,
        *,
        catalogue: ItemColumns | None = None,
        text: Floats | None = None,
        diary: Diary | None = None,
    ) -> Recall:
        """Return all sources, read from the folder as a snapshot is."""
        read = self.folder if folder is None else Artefacts(folder)
        return assemble(
            read,
            RecallPlan.load(read),
            popularity=Popularity(self.view.items, self.view.times),
            columns=self.view.columns if catalogue is None else catalogue,
            vectors=Vectors(self.view.vectors if text is None else text),
            recent=nobody if diary is None else diary.recent,
            worded=(lexical(), asked()),
            live=(self.proposed(catalogue),),
        )

    def proposed(self, catalogue: ItemColumns | None) -> Expansion:
        """Return the source of what people may come to like: for all of them, films of space."""
        columns = self.view.columns if catalogue is None else catalogue
        ahead = [{"name": "space", "weight": 1.0, "why": "", "by": "graph"}]
        kept = Kept(NOW - 400 * DAY, "s1", "", {"prospects": ahead}, vectors()[NUMBER["s2"]])
        texts = Vectors(self.view.vectors)
        known = Popularity(self.view.items, self.view.times)
        return Expansion(lambda user: (kept, None), Concepts(columns), texts, known, "s1")


def lexical() -> Lexical:
    """Return the source that answers words, over the texts of the tiny world."""
    return Lexical("lexical", lambda after: (rows(world.items())[after:], N), Searchable())


def asked() -> Asked:
    """Return the source that knows what others took who asked like this, of three who did."""
    told = tail([0, 1, 2], [NUMBER[one] for one in ("w1", "w1", "s1")], [NOW - DAY] * 3, 1)
    led = Led(lambda events: np.ones(len(events), dtype=np.bool_))
    led.fold(replace(told, texts=(ASKED, "a western", "a war among the stars")))
    known = vectors()[[COLD, NUMBER["w2"], NUMBER["s2"]]]
    return Asked("asked", led, lambda texts: known[: len(texts)])


def query(now: float = NOW, n_items: int = N) -> Query:
    """Return a question with words, so that every source has something to answer."""
    return numbered.query(now, n_items, text=ASKED, seen="keep")


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("learned"), view(vectors()))


@pytest.fixture(scope="module")
def lonely(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A catalogue of one item that three people chose; one network, for exporting takes seconds."""
    users, items = np.arange(3, dtype=np.int32), np.zeros(3, dtype=np.int32)
    times = NOW - DAY * np.arange(3, 0, -1)
    one = make_view(users, items, times, empty(1), vectors()[:1])
    return World(tmp_path_factory.mktemp("lonely"), one, sequence=None)


@pytest.fixture(params=SOURCES)
def pick(request: pytest.FixtureRequest) -> Callable[[Recall], Source]:
    return lambda recall: recall.sources[recall.names.index(request.param)]


@pytest.fixture(scope="module")
def read(learned: World) -> Recall:
    """All sources, for tests that teach them nothing."""
    return learned.recall()


@pytest.fixture
def source(pick: Callable[[Recall], Source], read: Recall) -> Source:
    return pick(read)


def dense(scores: Scores | None, n: int) -> Floats:
    """Return float32[n], and check that the scores are ones that `gather` may take."""
    if scores is None:
        return np.full(n, np.nan, dtype=np.float32)
    assert scores.values.dtype == np.float32
    assert not np.isinf(scores.values).any()
    if scores.items is None:
        assert len(scores.values) <= n
    else:
        assert scores.items.dtype == np.int32
        assert len(scores.items) == len(scores.values) == len(np.unique(scores.items))
        assert ((scores.items >= 0) & (scores.items < n)).all()
    return scores.at(np.arange(n, dtype=np.int32))


STATES: dict[str, State] = {
    "a history": state(["w1", "w2", "w3"]),
    "one item": state(["s1"]),
    "a basket": state(["w1", "w4", "w5"], times=[NOW, NOW, NOW]),
    "nothing": state([]),
    "only rejections": state(["w1", "s1"], strengths=[-1.0, -0.5]),
    "liked and rejected": state(["w1", "s1", "w2"], strengths=[1.0, -1.0, 2.0]),
    "only an item without events": state(["cold"]),
    "words": state([], words=vectors()[COLD]),
    "a century ago": state(["w1", "w2"], times=[NOW - 36500 * DAY, NOW - 36499 * DAY]),
}


@pytest.fixture(params=STATES)
def person(request: pytest.FixtureRequest) -> State:
    return STATES[request.param]


def test_every_source_of_the_package_is_in_this_suite(learned: World) -> None:
    found = set()
    for module in pkgutil.iter_modules(penchant.recall.__path__, "penchant.recall."):
        for _, cls in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            if hasattr(cls, "score") and hasattr(cls, "fold") and cls is not Source:
                found.add(cls)
    recall = learned.recall()
    assert {type(source) for source in recall.sources} == found
    assert set(recall.names) == set(SOURCES)
    assert all(isinstance(source.name, str) for source in recall.sources)


def test_somebody_is_told_something(source: Source) -> None:
    told = [
        np.isfinite(dense(source.score(query(), person), N)).any() for person in STATES.values()
    ]
    # The suite would prove nothing about a source that never speaks; nobody chose two items at
    # one moment in the tiny world, so `together` has yet to learn.
    assert any(told) != (source.name == "together")


def test_scores_are_finite_or_nan_and_inside_the_catalogue(source: Source, person: State) -> None:
    dense(source.score(query(), person), N)


def test_the_same_question_has_the_same_answer(source: Source, person: State) -> None:
    before = {name: np.copy(getattr(person, name)) for name in ("items", "times", "strengths")}
    first, second = (dense(source.score(query(), person), N) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    for name, kept in before.items():
        np.testing.assert_array_equal(getattr(person, name), kept)


def test_the_best_are_allowed_have_an_opinion_and_come_in_order(
    source: Source, person: State
) -> None:
    scores = source.score(query(), person)
    if scores is None:
        return
    values = dense(scores, N)
    rng = np.random.default_rng(3)
    for k in (1, 3, N, 100):
        allowed = rng.random(N) < 0.5
        best = scores.top(k, allowed)
        assert best.dtype == np.int32
        assert len(best) == min(k, int((allowed & np.isfinite(values)).sum()))
        assert allowed[best].all()
        assert (np.diff(values[best]) <= 0).all()
        others = allowed & np.isfinite(values)
        others[best] = False
        assert not others.any() or values[others].max() <= values[best].min()
        assert len(scores.top(k, np.zeros(N, dtype=np.bool_))) == 0
        assert len(scores.top(k, None)) == min(k, int(np.isfinite(values).sum()))


def test_dense_and_sparse_say_the_same(source: Source, person: State) -> None:
    scores = source.score(query(), person)
    if scores is None:
        return
    values = dense(scores, N)
    known = np.flatnonzero(np.isfinite(values)).astype(np.int32)
    flat = Scores(values)
    shuffled = np.random.default_rng(1).permutation(known)
    sparse = Scores(values[shuffled], shuffled)
    wanted = np.array([5, 0, 12, 3, 3], dtype=np.int32)
    np.testing.assert_array_equal(flat.at(wanted), scores.at(wanted))
    np.testing.assert_array_equal(sparse.at(wanted), scores.at(wanted))
    for k in (1, 4, 50):
        tops = [values[one.top(k, None)] for one in (scores, flat, sparse)]
        np.testing.assert_array_equal(tops[0], tops[1])
        np.testing.assert_array_equal(tops[0], tops[2])


def test_unknown_and_new_items(pick: Callable[[Recall], Source], learned: World) -> None:
    """Items numbered after training are in the history, and more are in the catalogue."""
    bigger = empty(40)
    source = pick(learned.recall(catalogue=bigger))
    new = np.array([20, 39], dtype=np.int32)
    dense(source.score(query(n_items=40), state(new)), 40)
    mixed = np.array([0, 39, 1, 2], dtype=np.int32)
    known = dense(source.score(query(n_items=40), state(mixed)), 40)
    # What is known of the old items does not depend on how many new ones there are.
    grown = pick(learned.recall(catalogue=empty(1000)))
    again = dense(grown.score(query(n_items=1000), state(mixed)), 1000)
    np.testing.assert_array_equal(known, again[:40])


def test_items_without_a_vector(pick: Callable[[Recall], Source], learned: World) -> None:
    text = vectors()
    text[[0, COLD]] = np.nan
    for given in (text, np.full_like(text, np.nan), np.zeros((0, 0), dtype=np.float32)):
        source = pick(learned.recall(text=given))
        for person in STATES.values():
            if given.size or person.words is None:
                dense(source.score(query(), person), N)


@pytest.mark.parametrize("name", [name for name in SOURCES if name != "sequence"])
def test_a_catalogue_of_one_item(name: str, lonely: World) -> None:
    recall = lonely.recall()
    source = recall.sources[recall.names.index(name)]
    for items in ([], [0], [0, 0, 0]):
        person = state(np.array(items, dtype=np.int32))
        dense(source.score(query(n_items=1), person), 1)
    grown = lonely.recall(catalogue=empty(3)).sources[recall.names.index(name)]
    dense(grown.score(query(n_items=3), state(np.array([0, 2], dtype=np.int32))), 3)


def test_a_catalogue_of_nothing(pick: Callable[[Recall], Source], learned: World) -> None:
    source = pick(learned.recall(catalogue=ItemColumns()))
    scores = source.score(query(n_items=0), state([]))
    assert scores is None or not len(scores.top(10, np.zeros(0, dtype=np.bool_)))


def test_huge_histories(source: Source) -> None:
    rng = np.random.default_rng(0)
    items = rng.integers(0, N, 20_000).astype(np.int32)
    times = np.sort(NOW - rng.integers(0, 3000 * 86_400, 20_000)).astype(np.float64)
    strengths = rng.choice([-1.0, 0.0, 0.5, 1e6], 20_000)
    person = state(items, times=times.tolist(), strengths=strengths.tolist())
    dense(source.score(query(), person), N)


def test_a_folder_read_again_gives_the_same_answers(
    pick: Callable[[Recall], Source], learned: World, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(learned.folder.folder, copy)
    first, second = pick(learned.recall()), pick(learned.recall(copy))
    for person in STATES.values():
        np.testing.assert_array_equal(
            dense(first.score(query(), person), N), dense(second.score(query(), person), N)
        )


def _digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def test_learning_live_leaves_the_folder_alone(
    pick: Callable[[Recall], Source], learned: World
) -> None:
    before = _digests(learned.folder.folder)
    diary = Diary()
    source = pick(learned.recall(diary=diary))
    source.fold(diary.add(tail([0, 0], [COLD, 3], [NOW - 60, NOW - 30])))
    dense(source.score(query(), STATES["a history"]), N)
    assert _digests(learned.folder.folder) == before


def test_an_empty_tail_teaches_nothing(source: Source, person: State) -> None:
    before = dense(source.score(query(), person), N)
    source.fold(tail([], [], []))
    np.testing.assert_array_equal(dense(source.score(query(), person), N), before)


def test_a_tail_at_once_teaches_the_same_as_event_by_event(
    pick: Callable[[Recall], Source], learned: World
) -> None:
    users = [1, 1, 1, 2, 2, 1]
    items = [0, 3, 12, 6, 12, 5]
    times = [NOW - 500, NOW - 500, NOW - 500, NOW - 400, NOW - 100, NOW - 50]
    answers = []
    for cuts in ([0, 6], [0, 1, 2, 3, 4, 5, 6], [0, 2, 5, 6]):
        diary = Diary()
        recall = learned.recall(diary=diary)
        for a, b in itertools.pairwise(cuts):
            recall.fold(diary.add(tail(users[a:b], items[a:b], times[a:b], first=a)))
        answers.append(
            np.stack([dense(pick(recall).score(query(), p), N) for p in STATES.values()])
        )
    np.testing.assert_allclose(answers[1], answers[0], rtol=1e-6)
    np.testing.assert_allclose(answers[2], answers[0], rtol=1e-6)


def test_no_other_threads_answer_is_given(source: Source) -> None:
    from concurrent.futures import ThreadPoolExecutor

    people = list(STATES.values()) * 8
    alone = [dense(source.score(query(), person), N) for person in people]
    with ThreadPoolExecutor(4) as pool:
        crowd = list(pool.map(lambda p: dense(source.score(query(), p), N), people))
    for one, other in zip(alone, crowd, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", ["trending_1d", "trending_7d", "trending_30d", "fresh"])
def test_what_happens_later_changes_no_answer_about_earlier(learned: World, name: str) -> None:
    _, items, times = arrays()
    middle = float(np.median(times))
    past = times <= middle
    told = learned.recall()
    only = Recall(
        assemble(
            learned.folder,
            learned.plan,
            popularity=Popularity(items[past], times[past]),
            columns=columns(),
            vectors=Vectors(vectors()),
            recent=nobody,
        ).sources,
        told.popularity,
        {},
    )
    person = state(["w1"], middle)
    place = told.names.index(name)
    np.testing.assert_array_equal(
        dense(told.sources[place].score(query(middle), person), N),
        dense(only.sources[place].score(query(middle), person), N),
    )


def test_what_is_recorded_later_changes_no_answer_about_earlier(
    pick: Callable[[Recall], Source], learned: World
) -> None:
    diary = Diary()
    recall = learned.recall(diary=diary)
    before = [dense(pick(recall).score(query(), person), N) for person in STATES.values()]
    later = [NOW + 60, NOW + 60, NOW + 120]
    recall.fold(diary.add(tail([1, 1, 1], [0, COLD, 4], later)))
    for person, values in zip(STATES.values(), before, strict=True):
        np.testing.assert_array_equal(dense(pick(recall).score(query(), person), N), values)
