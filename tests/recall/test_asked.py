"""What others wanted after like words: learned at once, forgotten with who said it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from numbered import NOW, query, state
from penchant.interests.history import RECENT_WORDS
from penchant.recall.asked import VOTERS, Asked
from penchant.recall.led import Led, Pair
from penchant.store.log import Events
from penchant.types import Error, Floats, Mask

SPACE, WEST = "a war among the stars", "a duel at noon"
Line = tuple[int, int, float, str | None, bool]  # user, item, seconds, text, wanted


def events(lines: Sequence[Line], first: int = 1) -> Events:
    """Return events of the log, each at its offset; what is not wanted counts for nobody."""
    n = len(lines)
    return Events(
        offsets=first + np.arange(n, dtype=np.int64),
        users=np.array([line[0] for line in lines], dtype=np.int32),
        items=np.array([line[1] for line in lines], dtype=np.int32),
        times=NOW + np.array([line[2] for line in lines], dtype=np.float64),
        kinds=np.zeros(n, dtype=np.int16),
        values=np.full(n, np.nan, dtype=np.float32),
        shared=np.array([float(line[4]) for line in lines], dtype=np.float32),
        texts=tuple(line[3] for line in lines),
        contexts=(),
        kind_names=("click",),
    )


def wanted(found: Events) -> Mask:
    return (found.shared > 0) & (found.items >= 0)


def led(lines: Sequence[Line] = (), most: int = 100) -> Led:
    made = Led(wanted, most)
    made.fold(events(lines))
    return made


def encode(texts: Sequence[str]) -> Floats:
    """Return unit vectors of the words that texts are made of: equal texts are equal."""
    rows = np.zeros((len(texts), 64), dtype=np.float32)
    for row, text in zip(rows, texts, strict=True):
        for word in text.split():
            row[sum(map(ord, word)) % 64] += 1.0
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)


def said(found: Led) -> list[tuple[int, str]]:
    return [(pair.item, pair.text) for pair in found.pairs()]


def test_words_lead_to_what_is_wanted_after_them_until_others_are_said() -> None:
    lines: list[Line] = [
        (0, 5, 0.0, None, True),
        (0, -1, 1.0, SPACE, False),
        (1, 6, 2.0, None, True),
        (0, 7, 3.0, None, True),
        (0, 8, 4.0, None, False),
        (0, 9, 5.0, None, True),
        (0, -1, 6.0, WEST, False),
        (0, 3, 7.0, None, True),
    ]
    assert said(led(lines)) == [(7, SPACE), (9, SPACE), (3, WEST)]


def test_words_of_long_ago_lead_to_nothing() -> None:
    late = RECENT_WORDS + 1.0
    lines: list[Line] = [(0, -1, 0.0, SPACE, False), (0, 7, late, None, True)]
    assert said(led(lines)) == []
    assert said(led([lines[0], (0, 7, late - 2.0, None, True)])) == [(7, SPACE)]


def test_an_answer_that_is_taken_with_its_question_is_a_pair_by_itself() -> None:
    lines: list[Line] = [
        (0, 4, 0.0, WEST, True),
        (0, 5, 1.0, None, True),
        (0, 6, 2.0, SPACE, False),
    ]
    assert said(led(lines)) == [(4, WEST)]


def test_blank_words_are_none_and_long_ones_are_cut() -> None:
    lines: list[Line] = [
        *[(0, -1, 0.0, "  \n", False), (0, 4, 1.0, None, True)],
        *[(1, -1, 2.0, "x" * 1_000_000, False), (1, 5, 3.0, None, True)],
    ]
    assert [(item, len(text)) for item, text in said(led(lines))] == [(5, 1000)]


def test_only_the_newest_are_kept() -> None:
    lines: list[Line] = [
        (0, number, float(number), f"question {number}", True) for number in range(9)
    ]
    assert [item for item, _ in said(led(lines, most=4))] == [5, 6, 7, 8]


line = st.tuples(
    st.integers(0, 2),
    st.integers(-1, 5),
    st.floats(0, 4000),
    st.sampled_from([None, SPACE, WEST, " "]),
    st.booleans(),
)


@given(st.lists(line, max_size=30), st.lists(st.integers(0, 30), max_size=4))
def test_the_cuts_of_the_log_do_not_matter(lines: list[Line], cuts: list[int]) -> None:
    whole = led(lines, most=6)
    parts = Led(wanted, 6)
    edges = sorted({0, len(lines), *(min(cut, len(lines)) for cut in cuts)})
    for begin, end in pairwise(edges):
        parts.fold(events(lines[begin:end], begin + 1))
    assert parts.pairs() == whole.pairs()


@given(st.lists(line, max_size=30), st.integers(0, 2))
def test_forgetting_somebody_is_as_if_they_had_never_been(lines: list[Line], user: int) -> None:
    found = led(lines)
    found.replace(np.array([user], dtype=np.int32), [])
    others = [pair for pair in led(lines).pairs() if pair.user != user]
    assert found.pairs() == others
    found.fold(events([(user, 2, 9e3, None, True)], 99))
    assert found.pairs() == others  # nor are their last words remembered


def test_what_is_left_of_somebody_takes_its_place_among_the_others() -> None:
    lines: list[Line] = [(0, 1, 0.0, SPACE, True), (1, 2, 1.0, WEST, True), (0, 3, 2.0, WEST, True)]
    found = led(lines)
    found.replace(np.array([0], dtype=np.int32), [events([lines[0]])])
    assert found.pairs() == [Pair(1, 0, 1, SPACE), Pair(2, 1, 2, WEST)]


def asked(lines: Sequence[Line]) -> tuple[Asked, Led]:
    found = led(lines)
    return Asked("asked", found, encode), found


def values(source: Asked, text: str) -> dict[int, float]:
    scores = source.score(query(n_items=20), state([], words=encode([text])[0]))
    if scores is None:
        return {}
    return dict(zip(scores.items.tolist(), scores.values.tolist(), strict=True))


def test_like_questions_lead_to_the_same_and_unlike_ones_do_not() -> None:
    source, _ = asked([(0, 4, 0.0, SPACE, True), (1, 5, 1.0, WEST, True)])
    found = values(source, "a war among stars")
    assert found[4] > 0.8
    assert found[5] < 0.05
    nothing = values(source, "how do I bake bread")
    assert max(nothing.values()) < 0.1


def test_the_nearest_vote_and_what_was_said_more_often_does_not_outvote_them() -> None:
    near = [(n, 4, float(n), f"{SPACE} {n}", True) for n in range(VOTERS)]
    far = [(n, 5, float(n), f"a war of words {n}", True) for n in range(10, 70)]
    source, _ = asked([*near, *far])
    assert set(values(source, SPACE)) == {4}
    # One question counts once as a neighbour, however many asked it.
    source, _ = asked([*near[:2], *((n, 5, float(n), WEST, True) for n in range(10, 70))])
    assert set(values(source, SPACE)) == {4, 5}


def test_shares_follow_how_often_each_was_taken() -> None:
    source, _ = asked([*[(n, 4, n, SPACE, True) for n in range(3)], (9, 5, 9.0, SPACE, True)])
    found = values(source, SPACE)
    assert found[4] == pytest.approx(3 * found[5])
    assert 0.99 < sum(found.values()) < 1.0


def test_each_answer_teaches_the_next() -> None:
    source, found = asked([(0, 4, 0.0, SPACE, True)])
    assert 5 not in values(source, WEST)
    found.fold(events([(1, 5, 1.0, WEST, True)], 2))
    assert values(source, WEST)[5] > 0.9
    found.replace(np.array([1], dtype=np.int32), [])
    assert 5 not in values(source, WEST)


def test_without_words_or_without_anybody_who_asked_there_is_no_opinion() -> None:
    source, _ = asked([(0, 4, 0.0, SPACE, True)])
    assert source.score(query(), state(["w1"])) is None
    assert asked([])[0].score(query(), state([], words=encode([SPACE])[0])) is None


def test_items_beyond_the_catalogue_of_the_question_are_left_out() -> None:
    source, _ = asked([(0, 19, 0.0, SPACE, True), (0, 3, 1.0, SPACE, True)])
    scores = source.score(query(n_items=10), state([], words=encode([SPACE])[0]))
    assert scores is not None
    assert scores.items.tolist() == [3]


def test_an_encoder_that_fails_is_asked_again() -> None:
    found = led([(0, 4, 0.0, SPACE, True)])
    down = [True]

    def sometimes(texts: Sequence[str]) -> Floats:
        if down[0]:
            raise Error("down")
        return encode(texts)

    source = Asked("asked", found, sometimes)
    assert values(source, SPACE) == {}
    down[0] = False
    assert values(source, SPACE)[4] > 0.9
