"""The plain sum of sources, and the scorers that stand before it for newcomers and for words."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from numbered import query, state, vectors
from penchant.rank.scorers.fusion import Fusion, normalised
from penchant.rank.scorers.newcomer import ForNewcomers
from penchant.rank.scorers.terms import CROWD as CROWD_TERM
from penchant.rank.scorers.terms import FOUND, SCALE, START, WORDS, terms
from penchant.rank.scorers.words import ALONE, ASKED, LEAST, SAID, WEIGHT, ForWords
from penchant.types import Candidates

NAN = float("nan")


def pool(features: list[list[float]], names: tuple[str, ...]) -> Candidates:
    n = len(features)
    return Candidates(
        items=np.arange(n, dtype=np.int32),
        scores=np.zeros(n, dtype=np.float32),
        features=np.array(features, dtype=np.float32).reshape(n, len(names)),
        names=names,
        origin=np.zeros(n, dtype=np.uint32),
        sources=tuple(name for name in names if name != "extra"),
    )


def test_a_column_becomes_standard_deviations_from_its_mean() -> None:
    z = normalised(np.array([[1.0], [3.0]], dtype=np.float32))
    np.testing.assert_allclose(z, [[-1.0], [1.0]], rtol=1e-5)


def test_no_opinion_counts_one_below_the_worst() -> None:
    z = normalised(np.array([[1, NAN], [3, NAN], [NAN, NAN]], dtype=np.float32))
    np.testing.assert_allclose(z[:, 0], [-1.0, 1.0, -2.0], rtol=1e-5)
    assert not z[:, 1].any()  # a source that says nothing at all


def test_equal_opinions_are_no_opinion() -> None:
    z = normalised(np.full((3, 1), 7.0, dtype=np.float32))
    np.testing.assert_allclose(z, 0.0, atol=1e-3)


def test_the_score_is_the_sum_over_sources_not_over_other_columns() -> None:
    before = pool([[1, 10, 5], [3, 30, 6], [NAN, 20, 7]], ("one", "extra", "two"))
    scored = Fusion()(query(), state([]), before).scores
    np.testing.assert_allclose(
        scored, normalised(before.features[:, [0, 2]]).sum(axis=1), rtol=1e-6
    )


def test_weights_are_by_name_and_one_unless_given() -> None:
    before = pool([[1, 5], [3, 6]], ("one", "two"))
    scored = Fusion({"two": -2.0, "unknown": 9.0})(query(), state([]), before).scores
    np.testing.assert_allclose(scored, [1.0, -1.0], rtol=1e-4)


class ByExtra:
    """A scorer that says what the column `extra` says."""

    name = "by extra"

    def __call__(self, query: object, state: object, candidates: Candidates) -> Candidates:
        column = candidates.features[:, candidates.names.index("extra")]
        return replace(candidates, scores=column.astype(np.float32))

    def scored_by(self, query: object, state: object) -> tuple[str, ...]:
        return (self.name,)


CROWD = pool([[1, 5, 0.1], [3, 4, 0.3], [NAN, 3, 0.2]], ("trending_30d", "extra", "text"))


def test_newcomers_get_what_everybody_wants() -> None:
    stage = ForNewcomers("trending_30d", ByExtra())
    assert stage.name == "by extra"
    assert stage(query(), state([]), CROWD).scores.tolist() == [1.0, 3.0, -1.0]
    rejecting = state(["w1"], strengths=[-1.0])
    assert stage(query(), rejecting, CROWD).scores.tolist() == [1.0, 3.0, -1.0]


def test_newcomers_may_get_the_sum_of_that_and_of_what_the_scorer_says() -> None:
    stage = ForNewcomers("trending_30d", ByExtra(), alone=False)
    out = stage(query(), state([]), CROWD)
    z = normalised(np.array([[1, 5], [3, 4], [-1, 3]], dtype=np.float32))
    np.testing.assert_allclose(out.scores, z.sum(axis=1), rtol=1e-5)
    assert stage.scored_by(query(), state([])) == ("trending_30d", "by extra")
    said = terms(out.names, out.features[1])
    assert said[SCALE] * 4 + said[START] + said[CROWD_TERM] == pytest.approx(out.scores[1])
    # A scorer that cannot tell them apart leaves it to the crowd.
    same = replace(CROWD, features=CROWD.features.copy())
    same.features[:, 1] = 7.0
    np.testing.assert_allclose(stage(query(), state([]), same).scores, z[:, 0], rtol=1e-5)
    # Words find on one scale: they are added to what the crowd says alone.
    assert stage(query(text="a saloon"), state([]), CROWD).scores.tolist() == [1.0, 3.0, -1.0]


def test_who_has_a_history_or_words_or_a_list_is_no_newcomer() -> None:
    stage = ForNewcomers("trending_30d", ByExtra())
    for asked, person in (
        (query(), state(["w1"])),
        (query(), state([], words=vectors()[0])),
        (query(only=np.arange(3, dtype=np.int32)), state([])),
    ):
        assert stage(asked, person, CROWD).scores.tolist() == [5.0, 4.0, 3.0]


@pytest.mark.parametrize(("text", "weight"), [("a saloon", ASKED), (None, SAID)])
def test_words_count_beside_the_scorer(text: str | None, weight: float) -> None:
    person = state(["w1"], words=vectors()[0])
    stage = ForWords(ByExtra())
    scored = stage(query(text=text), person, CROWD).scores
    z = normalised(CROWD.features[:, 1:])
    np.testing.assert_allclose(scored, z[:, 0] + weight * z[:, 1], rtol=1e-5)


def test_without_words_or_text_the_scorer_decides() -> None:
    stage = ForWords(ByExtra())
    assert stage(query(), state(["w1"]), CROWD).scores.tolist() == [5.0, 4.0, 3.0]
    textless = pool([[1, 5], [3, 4]], ("trending_30d", "extra"))
    person = state([], words=vectors()[0])
    assert stage(query(), person, textless).scores.tolist() == [5.0, 4.0]


def asked(found: list[float]) -> Candidates:
    """Return three candidates that the scorer thinks 5, 4 and 3 of, with what words say of them."""
    rows = [[extra, share] for extra, share in zip((5, 4, 3), found, strict=True)]
    return pool(rows, ("extra", "lexical"))


@pytest.mark.parametrize(
    ("shares", "weighed"),
    [
        ([NAN, 0.1, 0.4], [0, 0.25, 1]),
        ([NAN, 0.03, 0.12], [0, 0.25, 1]),  # a question of many words, few of them found
        ([NAN, 0.01, 0.02], [0, 0.01 / LEAST, 0.02 / LEAST]),  # words that mean nothing
    ],
)
def test_where_meaning_is_not_known_the_words_alone_tell(shares, weighed) -> None:
    found = asked(shares)
    scored = ForWords(ByExtra())(query(text="a saloon"), state(["w1"]), found)
    z = normalised(found.features[:, :1])[:, 0]
    np.testing.assert_allclose(scored.scores, z + ALONE * np.array(weighed), rtol=1e-5)
    np.testing.assert_allclose(
        scored.features[:, scored.names.index("term:found")], ALONE * np.array(weighed), rtol=1e-6
    )


def test_beside_meaning_the_share_of_the_words_counts_as_it_is() -> None:
    found = pool([[5, 0.1, NAN], [4, 0.2, 0.1], [3, 0.3, 0.4]], ("extra", "text", "lexical"))
    person = state(["w1"], words=vectors()[0])
    scored = ForWords(ByExtra())(query(text="a saloon"), person, found)
    own, near = normalised(found.features[:, :2]).T
    shares = np.array([0, 0.1, 0.4])
    np.testing.assert_allclose(scored.scores, own + ASKED * near + WEIGHT * shares, rtol=1e-5)


def test_without_a_known_word_meaning_alone_tells() -> None:
    none = pool([[5, 0.1, NAN], [4, 0.2, NAN], [3, 0.9, NAN]], ("extra", "text", "lexical"))
    person = state(["w1"], words=vectors()[0])
    scored = ForWords(ByExtra())(query(text="zzz"), person, none)
    own, near = normalised(none.features[:, :2]).T
    np.testing.assert_allclose(scored.scores, own + ASKED * near, rtol=1e-5)
    assert not scored.features[:, scored.names.index("term:found")].any()


@pytest.mark.parametrize("share", [0.99, 0.2])
def test_what_bears_the_name_comes_first_whatever_else_speaks_for_others(share: float) -> None:
    found = pool(
        [[1000, 0.9, 0.99], [4, -0.9, 1.0 + share], [900, 0.8, 0.98], [3, NAN, 1.0 + share / 2]],
        ("extra", "text", "lexical"),
    )
    person = state(["w1"], words=vectors()[0])
    scored = ForWords(ByExtra())(query(text="shane"), person, found)
    # And those of one name stand in the order that all else gives them.
    assert np.argsort(-scored.scores).tolist() == [1, 3, 0, 2]
    for place, extra in enumerate((1000, 4, 900, 3)):
        part = terms(scored.names, scored.features[place])
        total = extra * part[SCALE] + part[START] + part[WORDS] + part[FOUND]
        assert scored.scores[place] == pytest.approx(total, abs=1e-4)


def test_where_all_bear_the_name_nobody_is_lifted() -> None:
    scored = ForWords(ByExtra())(query(text="x"), state([]), asked([1.5, 1.5, 1.5]))
    np.testing.assert_allclose(
        scored.scores, normalised(asked([1, 1, 1]).features[:, :1])[:, 0] + ALONE, rtol=1e-5
    )


def test_who_scored_is_told_with_the_words() -> None:
    stage = ForWords(ByExtra())
    read = state([], words=vectors()[0])
    assert stage.scored_by(query(text="x"), read) == ("words", "by extra")
    assert stage.scored_by(query(text="x"), state([])) == ("found", "by extra")
    assert stage.scored_by(query(), state([])) == ("by extra",)
