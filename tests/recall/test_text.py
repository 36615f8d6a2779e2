"""Text recall: near what was chosen, or what was asked for in words."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import world
from numbered import COLD, DAY, NOW, NUMBER, N, names, query, state, vectors
from penchant.recall.text import Lift, Text
from penchant.store.vectors import Vectors


@pytest.fixture
def source() -> Text:
    return Text("text", Vectors(vectors()))


def test_what_is_near_in_words_comes_first(source) -> None:
    scores = source.score(query(), state(list(world.WESTERNS[:3])))
    allowed = np.ones(N, dtype=np.bool_)
    allowed[:3] = False
    assert set(names(scores.top(4, allowed))) == {"cold", "w4", "w5", "w6"}


def test_scores_are_cosines(source) -> None:
    scores = source.score(query(), state(["w1"]))
    np.testing.assert_allclose(scores.values, vectors() @ vectors()[0], atol=1e-6)
    assert scores.values[0] == pytest.approx(1.0, abs=1e-5)


def test_words_asked_count_before_the_history(source) -> None:
    row = vectors()[NUMBER["s2"]]
    scores = source.score(query(), state(["w1", "w2"], words=row))
    assert names(scores.top(1, None)) == ["s2"]
    assert source.wanted(state([], words=row)) is row


def test_somebody_who_returns_after_years_is_no_stranger(source) -> None:
    person = state(["w1", "w2"], times=[NOW - 4000 * DAY, NOW - 3999 * DAY])
    wanted = source.wanted(person)
    assert np.linalg.norm(wanted) == pytest.approx(1.0, abs=1e-5)


def test_the_last_ones_count_most(source) -> None:
    turned = state(["w1", "w2", "w3", "s1", "s2", "s3"])
    scores = source.score(query(), turned)
    assert scores.values[NUMBER["s4"]] > scores.values[NUMBER["w4"]]
    few = Text("text", Vectors(vectors()), last=6)
    for history in ([*world.SPACE, *world.WESTERNS], [*world.WESTERNS]):
        wanted = few.wanted(state(history))
        np.testing.assert_allclose(wanted, few.wanted(state([*world.WESTERNS])), atol=1e-6)


def test_what_nobody_had_wanted_is_lifted_and_words_find_it_as_any_other() -> None:
    tried = np.ones(N - 1, dtype=np.bool_)  # the last item came after
    tried[[NUMBER["w2"], NUMBER["s2"]]] = False
    plain, lifted = (
        Text("text", Vectors(vectors()), lift=lift) for lift in (None, Lift(0.2, tried))
    )
    person = state(["w1"])
    before, after = plain.score(query(), person).values, lifted.score(query(), person).values
    untried = np.flatnonzero(~np.append(tried, False))
    np.testing.assert_allclose(after[tried.nonzero()], before[tried.nonzero()])
    near = before[untried]
    np.testing.assert_allclose(after[untried], near + 0.2 * np.maximum(near, 0.0), rtol=1e-6)
    asked = state(["w1"], words=vectors()[NUMBER["s2"]])
    one, two = (source.score(query(), asked).values for source in (plain, lifted))
    np.testing.assert_array_equal(one, two)


def test_nothing_to_compare_with_is_no_opinion(source) -> None:
    assert source.score(query(), state([])) is None
    assert Text("text", Vectors()).score(query(), state(["w1"])) is None
    blank = vectors()
    blank[0] = np.nan
    assert Text("text", Vectors(blank)).score(query(), state(["w1"])) is None


def test_a_new_item_is_known_the_moment_its_vector_is_set() -> None:
    rows = Vectors(vectors()[:COLD])
    source = Text("text", rows)
    assert np.isnan(source.score(query(), state(["w3"])).values[COLD])
    rows.set(np.array([COLD], dtype=np.int32), vectors()[COLD:])
    near = source.score(query(), state(["w3"])).values
    assert near[COLD] == pytest.approx(float(vectors()[COLD] @ vectors()[2]), abs=1e-5)


def test_the_same_question_is_computed_once_and_another_anew(source) -> None:
    asked, person = query(), state(["w1"])
    first = source.score(asked, person)
    assert source.score(asked, person) is first
    other = source.score(asked, state(["s1"]))
    assert names(other.top(1, None)) == ["s1"]
    assert names(source.score(query(), person).top(1, None)) == ["w1"]


def test_threads_that_share_a_source_get_answers_to_their_own_questions(source) -> None:
    wrong: list[str] = []

    def ask(item_id: str) -> None:
        person = state([item_id])
        for _ in range(300):
            scores = source.score(query(), person)
            if names(scores.top(1, None)) != [item_id]:
                wrong.append(item_id)

    threads = [threading.Thread(target=ask, args=(i,)) for i in ("w1", "s1", "w2", "s2")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
