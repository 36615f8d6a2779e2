"""A score that follows the answers: what it is made of adds up, and off it is not there."""

from __future__ import annotations

import numpy as np
import pytest

from numbered import NOW, query, state
from penchant.ingest.kinds import Kinds
from penchant.rank.feedback.config import FeedbackConfig
from penchant.rank.feedback.feedback import Feedback
from penchant.rank.feedback.following import RATE, SAID, Following, Weights
from penchant.rank.feedback.stage import ForAnswers
from penchant.rank.scorers.fusion import Fusion
from penchant.rank.scorers.terms import ANSWERED, FOLLOWED, terms
from penchant.store.vectors import Vectors
from penchant.types import Candidates, Policy

N = 12
ON = Policy(answers="always")
PERSON = state(np.array([0, 1], dtype=np.int32))
NEWCOMER = state(np.zeros(0, dtype=np.int32))


def pool() -> Candidates:
    rng = np.random.default_rng(0)
    return Candidates(
        items=np.arange(N, dtype=np.int32),
        scores=np.zeros(N, dtype=np.float32),
        features=rng.normal(size=(N, 2)).astype(np.float32),
        names=("one", "two"),
        origin=np.zeros(N, dtype=np.uint32),
        sources=("one", "two"),
    )


def texts() -> Vectors:
    rows = np.random.default_rng(1).normal(size=(N, 4)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    rows[N - 1] = np.nan
    return Vectors(rows)


def stage(weights: Weights) -> ForAnswers:
    following = Following(0.3, 0.0, lambda ids: {})
    following.at = lambda now: weights  # type: ignore[method-assign]
    feedback = Feedback(FeedbackConfig(), Kinds(), following)
    shown, places = np.tile(np.arange(4, dtype=np.int32), 50), np.zeros(200, dtype=np.int32)
    feedback.rates.show(shown, places, np.full(200, NOW - 60.0))
    feedback.rates.answer(shown[:3] * 0, places[:3], np.full(3, NOW - 50.0))
    return ForAnswers(Fusion(), feedback, texts())


def column(found: Candidates, name: str) -> np.ndarray:
    return found.features[:, found.names.index(name)]


def test_switched_off_it_is_the_scorer_itself() -> None:
    found = stage(Weights(0.5, 2.0))(query(n_items=N), PERSON, pool())
    alone = Fusion()(query(n_items=N), PERSON, pool())
    assert found.names == alone.names
    assert found.scores.tobytes() == alone.scores.tobytes()


def test_what_the_caller_brings_is_followed_and_the_catalogue_only_where_that_is_wanted() -> None:
    followed = stage(Weights(0.5, 2.0))
    brought = query(n_items=N, only=np.arange(N, dtype=np.int32))
    assert SAID in followed(brought, PERSON, pool()).names
    never = query(n_items=N, only=brought.only, policy=Policy(answers="never"))
    assert SAID not in followed(never, PERSON, pool()).names
    assert SAID in followed(query(n_items=N, policy=ON), PERSON, pool()).names


def test_without_answers_it_keeps_the_order_of_the_scorer() -> None:
    found = stage(Weights())(query(n_items=N, policy=ON), PERSON, pool())
    alone = Fusion()(query(n_items=N), PERSON, pool())
    np.testing.assert_array_equal(np.argsort(found.scores), np.argsort(alone.scores))
    np.testing.assert_allclose(column(found, SAID), found.scores, atol=1e-6)


@pytest.mark.parametrize("person", [PERSON, NEWCOMER])
@pytest.mark.parametrize("said", [1.0, 0.3, 0.0])
def test_the_terms_add_up_to_the_score(person, said: float) -> None:
    taste = np.array([0.5, -1.0, 2.0, 0.1], dtype=np.float32)
    found = stage(Weights(said, 1.5, taste))(query(n_items=N, policy=ON), person, pool())
    for row, score in zip(found.features, found.scores.tolist(), strict=True):
        parts = terms(found.names, row)
        parts.pop("scale")
        assert sum(parts.values()) == pytest.approx(score, abs=1e-5)
    answered = column(found, f"term:{ANSWERED}")
    assert answered[0] > 0 > answered[1]
    np.testing.assert_allclose(answered, 1.5 * column(found, RATE), rtol=1e-5)
    followed = column(found, f"term:{FOLLOWED}")
    assert followed[N - 1] == 0
    assert followed.any() == (person is PERSON)


def test_questions_in_words_are_left_to_the_scorer() -> None:
    found = stage(Weights())(query(n_items=N, policy=ON, text="a lamp"), PERSON, pool())
    assert SAID not in found.names


def test_an_empty_pool_is_an_empty_pool() -> None:
    from penchant.rank.stage import taken

    nothing = taken(pool(), slice(0, 0))
    assert len(stage(Weights())(query(n_items=N, policy=ON), PERSON, nothing)) == 0
