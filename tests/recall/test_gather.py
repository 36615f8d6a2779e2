"""Gather: the best of each source, every source's score, and an answer although one is broken."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from numbered import COLD, NOW, N, arrays, numbers, query, state, tail
from penchant.recall import gather
from penchant.recall.gather import Recall
from penchant.recall.popularity import Popularity
from penchant.recall.source import Scores
from penchant.store.log import Events
from penchant.types import Floats, Ids, Query

DENSE = np.array([np.nan, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0, -1, np.nan], dtype=np.float32)
SPARSE = Scores(np.array([0.5, 2.5, 1.5], dtype=np.float32), np.array([12, 3, 7], dtype=np.int32))


class Fixed:
    """A source that always says the same."""

    def __init__(self, name: str, scores: Scores | None) -> None:
        self.name, self.scores, self.heard = name, scores, 0

    def score(self, query: Query, state: object) -> Scores | None:
        return self.scores

    def fold(self, tail: Events, *, anew: bool = False) -> None:
        self.heard += len(tail)


class Broken(Fixed):
    """A source that fails."""

    def score(self, query: Query, state: object) -> Scores | None:
        raise RuntimeError("on purpose")


class Slow(Fixed):
    """A source that takes its time."""

    def score(self, query: Query, state: object) -> Scores | None:
        time.sleep(0.05)
        return self.scores


class Stuck(Fixed):
    """A source that does not come back before it is let."""

    def __init__(self, name: str, scores: Scores | None) -> None:
        super().__init__(name, scores)
        self.asked, self.let = threading.Event(), threading.Event()

    def score(self, query: Query, state: object) -> Scores | None:
        self.asked.set()
        assert self.let.wait(30)
        return self.scores


def recall(*sources: Fixed, **quotas: int) -> Recall:
    return Recall(sources, Popularity(), quotas)


def gathered(r: Recall, **rest: object):
    return r.gather(query(**{"k": 1, **rest}), state(["w1"]))


def column(scores: Scores | None, items: Ids) -> Floats:
    return np.full(len(items), np.nan, np.float32) if scores is None else scores.at(items)


def test_each_source_proposes_its_quota_and_scores_everybody() -> None:
    one, two = Fixed("one", Scores(DENSE)), Fixed("two", SPARSE)
    pool, notes = gathered(recall(one, two, one=2, two=2))
    assert pool.items.tolist() == [1, 2, 3, 7]
    assert pool.names == pool.sources == ("one", "two")
    np.testing.assert_array_equal(pool.features[:, 0], column(one.scores, pool.items))
    np.testing.assert_array_equal(pool.features[:, 1], column(two.scores, pool.items))
    assert pool.origin.tolist() == [1, 1, 2, 2]
    assert notes == {"one": 2, "two": 2}
    assert not pool.scores.any()


def test_a_source_that_hangs_keeps_one_request_waiting_and_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gather, "HANGING", 0.05)
    stuck = Stuck("stuck", Scores(DENSE))
    r = recall(stuck, Fixed("two", SPARSE), stuck=2, two=2)
    answers: list[dict[str, object]] = []
    waiting = threading.Thread(target=lambda: answers.append(gathered(r)[1]))
    waiting.start()
    assert stuck.asked.wait(10)
    time.sleep(0.06)
    pool, notes = gathered(r)
    assert notes == {"stuck": "hangs: skipped", "two": 2}
    assert pool.items.tolist() == [3, 7]
    stuck.let.set()
    waiting.join(10)
    assert answers == [{"stuck": 2, "two": 2}]
    assert gathered(r)[1] == {"stuck": 2, "two": 2}  # it has come back


def test_an_item_of_two_sources_is_one_candidate_of_both() -> None:
    pool, _ = gathered(recall(Fixed("one", Scores(DENSE)), Fixed("two", SPARSE), one=3, two=3))
    assert pool.items.tolist() == [1, 2, 3, 7, 12]
    assert dict(zip(pool.items.tolist(), pool.origin.tolist(), strict=True)) == {
        1: 1, 2: 1, 3: 3, 7: 2, 12: 2,
    }  # fmt: skip
    assert np.isnan(pool.features[-1, 0])


def test_what_may_not_be_shown_takes_nobodys_place() -> None:
    allowed = np.ones(N, dtype=np.bool_)
    allowed[[1, 2, 3]] = False
    one, two = Fixed("one", Scores(DENSE)), Fixed("two", SPARSE)
    pool, _ = gathered(recall(one, two, one=2, two=2), allowed=allowed)
    assert pool.items.tolist() == [4, 5, 7, 12]


def test_a_broken_source_is_skipped_and_named() -> None:
    pool, notes = gathered(recall(Broken("bad", None), Fixed("good", SPARSE), bad=5, good=5))
    assert pool.items.tolist() == [3, 7, 12]
    assert notes["bad"] == "failed: RuntimeError: on purpose"
    assert np.isnan(pool.features[:, 0]).all()
    assert (pool.origin == 2).all()


def test_after_the_deadline_sources_are_skipped_and_named() -> None:
    r = recall(Slow("slow", SPARSE), Fixed("late", Scores(DENSE)), slow=5, late=5)
    pool, notes = r.gather(query(k=1), state([]), time.monotonic() + 0.01)
    assert notes["late"] == "late: skipped"
    assert pool.items.tolist() == [3, 7, 12]
    assert np.isnan(pool.features[:, 1]).all()
    whole, notes = r.gather(query(k=1), state([]), time.monotonic() + 60)
    assert notes["late"] == 5
    assert len(whole) > 3


def test_a_source_without_a_quota_or_an_opinion_proposes_nothing() -> None:
    pool, _ = gathered(recall(Fixed("one", Scores(DENSE)), Fixed("none", None), none=5), k=1)
    assert pool.origin.tolist() == [0]  # filled


def test_a_list_to_rank_is_scored_and_neither_cut_nor_added_to() -> None:
    only = np.array([7, 0, 12, 1], dtype=np.int32)
    pool, notes = gathered(
        recall(Fixed("one", Scores(DENSE)), Fixed("two", SPARSE), one=5, two=5), only=only, k=4
    )
    assert pool.items.tolist() == only.tolist()
    np.testing.assert_array_equal(pool.features[:, 0], column(Scores(DENSE), only))
    assert not pool.origin.any()
    assert notes == {}
    _, notes = gathered(recall(Broken("bad", None), bad=5), only=only)
    assert notes == {"bad": "failed: RuntimeError: on purpose"}


def test_too_few_are_filled_with_the_newest_that_may_be_shown() -> None:
    allowed = np.ones(N, dtype=np.bool_)
    allowed[COLD] = False
    pool, notes = gathered(recall(Fixed("two", SPARSE), two=2), k=5, allowed=allowed)
    assert pool.items.tolist() == [3, 7, 9, 10, 11]
    assert pool.origin.tolist() == [1, 1, 0, 0, 0]
    assert "filled" in notes
    everything, _ = gathered(recall(), k=50)
    assert everything.items.tolist() == list(range(N))
    assert everything.features.shape == (N, 0)
    nothing, _ = gathered(recall(), k=50, allowed=np.zeros(N, dtype=np.bool_))
    assert len(nothing) == 0


def test_an_empty_catalogue_has_no_candidates() -> None:
    pool, _ = recall(Fixed("one", None), one=5).gather(query(n_items=0), state([]))
    assert len(pool) == 0
    assert pool.features.shape == (0, 1)


def test_what_others_record_reaches_every_source_and_the_counts() -> None:
    one, two = Fixed("one", None), Fixed("two", None)
    r = recall(one, two)
    r.fold(tail([0, 0, 1], [4, 4, -1], [NOW - 2, NOW - 1, NOW]))
    assert (one.heard, two.heard) == (3, 3)
    assert r.popularity.at(NOW, N)[-1, 4] == pytest.approx(2.0, rel=1e-3)


def test_columns_have_the_types_that_stages_rely_on() -> None:
    _, items, _ = arrays()
    assert items.dtype == numbers(["w1"]).dtype == np.int32
    pool, _ = gathered(recall(Fixed("one", Scores(DENSE)), one=4))
    assert pool.items.dtype == np.int32
    assert pool.scores.dtype == pool.features.dtype == np.float32
    assert pool.origin.dtype == np.uint32


def test_who_answers_words_has_a_column_only_where_there_are_some() -> None:
    one, words = Fixed("one", Scores(DENSE)), Fixed("lexical", SPARSE)
    both = Recall([one], Popularity(), {"one": 2, "lexical": 1}, [words])
    assert both.names == ("one", "lexical")
    asked, notes = gathered(both, text="dust")
    assert asked.names == asked.sources == ("one", "lexical")
    assert asked.items.tolist() == [1, 2, 3]
    assert asked.origin.tolist() == [1, 1, 2]
    assert notes == {"one": 2, "lexical": 1}
    silent, notes = gathered(both)
    assert silent.names == silent.sources == ("one",)
    assert notes == {"one": 2}
    both.fold(tail([1], [2], [NOW - 5]))
    assert words.heard == 1
