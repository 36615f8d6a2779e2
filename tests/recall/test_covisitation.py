"""Co-visitation: pairs counted by hand, scores from them, and new items reached by one event."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import world
from numbered import COLD, DAY, NOW, NUMBER, Diary, N, arrays, nobody, numbers, query, state, tail
from penchant.recall import pairing
from penchant.recall.assemble import fit_covisitation
from penchant.recall.covisitation import Covisitation, pairs
from penchant.recall.pairing import WINDOW, Pairing
from penchant.recall.sparse import SparseRows
from penchant.store.artefacts import Artefacts
from penchant.store.log import Events

# Person 0: a basket of 1, 2 and 3, then 4 a week later. Person 1: 1 twice, then 2 a day later.
USERS = np.array([0, 0, 0, 0, 1, 1, 1], dtype=np.int32)
ITEMS = np.array([1, 2, 3, 4, 1, 1, 2], dtype=np.int32)
TIMES = NOW + DAY * np.array([0, 0, 0, 7, 0, 2, 3])
LATER = NOW + 30 * DAY


def counted(*, together: bool) -> dict[tuple[int, int], float]:
    froms, tos, weights = pairs(USERS, ITEMS, TIMES, together=together, days_half=7.0)
    out: dict[tuple[int, int], float] = {}
    for a, b, w in zip(froms.tolist(), tos.tolist(), weights.tolist(), strict=True):
        out[a, b] = out.get((a, b), 0.0) + w
    return out


def test_what_is_chosen_after_what() -> None:
    """2^(-days / 7) / sqrt(steps), from the earlier to the later only."""
    assert counted(together=False) == pytest.approx(
        {
            (3, 4): 0.5,
            (2, 4): 0.5 / 2**0.5,
            (1, 4): 0.5 / 3**0.5,
            (1, 1): 0.5 ** (2 / 7),
            (1, 2): 0.5 ** (1 / 7) + 0.5 ** (3 / 7) / 2**0.5,
        }
    )


def test_what_is_chosen_together() -> None:
    """Each pair of a moment of three, both ways, weighs 1 / sqrt(2)."""
    both = {(a, b): 0.5**0.5 for a in (1, 2, 3) for b in (1, 2, 3) if a != b}
    assert counted(together=True) == pytest.approx(both)


def test_pairs_reach_back_no_further_than_the_window() -> None:
    n = WINDOW + 5
    zeros, items = np.zeros(n, dtype=np.int32), np.arange(n, dtype=np.int32)
    froms, tos, _ = pairs(zeros, items, NOW + DAY * items, together=False, days_half=7.0)
    assert max(tos - froms) == WINDOW
    assert set(zip(froms.tolist(), tos.tolist(), strict=True)) == {
        (a, b) for a in range(n) for b in range(n) if 0 < b - a <= WINDOW
    }


@pytest.mark.parametrize("together", [False, True])
def test_no_pairs_in_single_events(together: bool) -> None:
    for n in (0, 1, 3):
        one = np.arange(n, dtype=np.int32)
        froms, tos, weights = pairs(one, one, np.zeros(n), together=together, days_half=7.0)
        assert len(froms) == len(tos) == len(weights) == 0


def make(*, together: bool, diary: Diary | None = None, rows: SparseRows | None = None):
    if rows is None:
        froms, tos, weights = pairs(USERS, ITEMS, TIMES, together=together, days_half=7.0)
        rows = SparseRows.from_pairs(froms, tos, weights, 6)
    return Covisitation(
        "together" if together else "after",
        rows,
        np.bincount(ITEMS, minlength=6).astype(np.float32),
        together=together,
        pairing=Pairing(nobody if diary is None else diary.recent),
    )


def test_the_score_is_the_decayed_sum_of_rows_divided_by_popularity() -> None:
    person = state(np.array([1, 3], dtype=np.int32), strengths=[2.0, 1.0])
    scores = make(together=False).score(query(n_items=6), person)
    counts, weight = counted(together=False), 2.0 * 0.5**0.5  # a moment ago of two, wanted twice
    known = dict(zip(scores.items.tolist(), scores.values.tolist(), strict=True))
    assert known == pytest.approx(
        {
            1: weight * counts[1, 1] / 3**0.5,
            2: weight * counts[1, 2] / 2**0.5,
            4: weight * counts[1, 4] + counts[3, 4],
        },
        rel=1e-5,
    )


def test_what_goes_together_is_asked_for_inside_a_moment_only() -> None:
    source = make(together=True)
    assert source.score(query(n_items=6), state(np.array([1], dtype=np.int32))) is None
    inside = state(np.array([3, 1], dtype=np.int32), times=[NOW - DAY, NOW])
    scores = source.score(query(n_items=6), inside)
    # 3 was another moment: only what goes with 1 counts.
    known = dict(zip(scores.items.tolist(), scores.values.tolist(), strict=True))
    assert known == pytest.approx({2: 0.5**0.5 / 2**0.5, 3: 0.5**0.5}, rel=1e-5)


def test_nothing_without_a_history_or_a_companion() -> None:
    source = make(together=False)
    assert source.score(query(n_items=6), state([])) is None
    assert source.score(query(n_items=6), state(np.array([5], dtype=np.int32))) is None


@pytest.mark.parametrize("together", [False, True])
def test_a_new_item_is_reached_from_its_first_companion_on(together: bool) -> None:
    diary = Diary()
    source = make(together=together, diary=diary)
    times = [NOW - 60, NOW - 60 if together else NOW]
    asks = state(np.array([2], dtype=np.int32), times=[NOW])
    before = source.score(query(n_items=9), asks)
    assert before is None or 8 not in before.items
    source.fold(diary.add(tail([7, 7], [2, 8], times)))
    after = source.score(query(n_items=9), asks)
    assert after.at(np.array([8], dtype=np.int32)) == pytest.approx(1.0, rel=1e-3)
    # A request with a smaller catalogue in hand is answered from what it knows.
    smaller = source.score(query(n_items=6), asks)
    assert smaller is None or (smaller.items < 6).all()


def test_what_is_learned_live_weighs_what_a_training_would_give_it() -> None:
    diary = Diary()
    none = np.zeros(0, dtype=np.int32)
    live = make(
        together=False, diary=diary, rows=SparseRows.from_pairs(none, none, none.astype(float), 6)
    )
    order = np.lexsort((USERS, TIMES))
    live.fold(diary.add(tail(USERS[order], ITEMS[order], TIMES[order])))
    trained = make(together=False)
    for item in range(1, 5):
        person = state(np.array([item], dtype=np.int32), LATER)
        answers = [s.score(query(LATER, n_items=6), person) for s in (live, trained)]
        values = [np.nan_to_num(a.at(np.arange(6, dtype=np.int32))) if a else None for a in answers]
        if values[0] is None:
            assert values[1] is None
        else:
            # An item after itself is no news, and is not learned live.
            values[1][item] = values[0][item]
            np.testing.assert_allclose(values[0], values[1], rtol=1e-5)


@pytest.mark.parametrize("together", [False, True])
def test_a_question_about_earlier_does_not_use_what_came_later(together: bool) -> None:
    diary = Diary()
    source = make(together=together, diary=diary)
    moments = [NOW, NOW + 10 * DAY, NOW + 20 * DAY]
    for n, moment in enumerate(moments):
        before = moment if together else moment - 60
        source.fold(diary.add(tail([7, 7], [5, n], [before, moment])))
    for n, moment in enumerate(moments):
        for late in (0.0, 5 * DAY):
            # Whoever now has item 5 in hand is told of what followed it by then.
            asks = state(np.array([5], dtype=np.int32), moment + late, times=[moment + late])
            scores = source.score(query(moment + late, n_items=6), asks)
            assert set(scores.items.tolist()) == set(range(n + 1))
    asks = state(np.array([5], dtype=np.int32), NOW - 1, times=[NOW - 1])
    assert source.score(query(NOW - 1, n_items=6), asks) is None


def test_counts_of_a_snapshot_answer_from_their_last_event_on() -> None:
    froms, tos, weights = pairs(USERS, ITEMS, TIMES, together=False, days_half=7.0)
    source = Covisitation(
        "after",
        SparseRows.from_pairs(froms, tos, weights, 6),
        np.ones(6, dtype=np.float32),
        together=False,
        pairing=Pairing(nobody),
        until=float(TIMES.max()),
    )
    person = np.array([3], dtype=np.int32)
    until = float(TIMES.max())
    assert source.score(query(until, n_items=6), state(person, until)) is not None
    assert source.score(query(until - 1, n_items=6), state(person, until - 1)) is None


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("bulk", [10**6, 3])
def test_how_events_are_cut_into_tails_makes_no_difference(
    together: bool, bulk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also of events that were recorded out of order, and of those that replace all before."""
    monkeypatch.setattr(pairing, "BULK", bulk)
    none = np.zeros(0, dtype=np.int32)
    for seed in range(6):
        rng = np.random.default_rng(seed)
        n = 60
        times = NOW + DAY * (np.arange(n) // 3 if seed % 2 else rng.integers(0, 20, n))
        users, items = (rng.integers(0, high, n).astype(np.int32) for high in (3, 6))
        whole = replace(tail(users, items, times), offsets=np.arange(1, n + 1))
        answers = []
        for cuts in (
            [0, n],
            sorted({0, n, *rng.integers(0, n, 10).tolist()}),
            range(n + 1),
            [0, n],
        ):
            diary = Diary()
            source = make(
                together=together,
                diary=diary,
                rows=SparseRows.from_pairs(none, none, none * 1.0, 6),
            )
            for a, e in zip(list(cuts)[:-1], list(cuts)[1:], strict=True):
                source.fold(diary.add(part(whole, slice(a, e))))
            if len(answers) == 3:
                source.fold(part(whole, slice(0, 7)))  # is dropped
                source.fold(whole, anew=True)
            found = np.zeros((6, 6))
            for item in range(6):
                person = state(np.array([item], dtype=np.int32), LATER, times=[LATER])
                scores = source.score(query(LATER, n_items=6), person)
                if scores is not None:
                    found[item] = np.nan_to_num(scores.at(np.arange(6, dtype=np.int32)))
            answers.append(found)
        assert answers[0].any()
        for other in answers[1:]:
            np.testing.assert_array_equal(other, answers[0])  # to the last bit


def part(events: Events, which: slice) -> Events:
    names = ("offsets", "users", "items", "times", "kinds", "values", "shared")
    return replace(events, **{name: getattr(events, name)[which] for name in names})


def test_in_the_tiny_world_the_second_film_follows_the_first(tmp_path) -> None:
    users, items, times = arrays()
    order = np.lexsort((times, users))
    folder = Artefacts(tmp_path)
    fit_covisitation(users[order], items[order], times[order], N, folder)
    parts = ("starts", "columns", "values")
    rows = SparseRows.load({f"after.{p}": folder.array(f"after.{p}") for p in parts}, "after")
    counts = np.asarray(folder.array("covisitation.counts"))
    assert counts[COLD] == 0
    source = Covisitation("after", rows, counts, together=False, pairing=Pairing(nobody))
    for first, second in world.FOLLOWS.items():
        scores = source.score(query(), state([first]))
        assert scores.top(1, None).tolist() == [NUMBER[second]]
        back = source.score(query(), state([second]))
        assert not np.isfinite(back.at(numbers([first]))).any()


@pytest.mark.parametrize("together", [False, True])
def test_a_large_catalogue_is_summed_as_a_small_one(together: bool) -> None:
    """Few entries among many items are added up in another way."""
    rng = np.random.default_rng(2)
    froms, tos = (rng.integers(0, 40, 700).astype(np.int32) for _ in range(2))
    rows = SparseRows.from_pairs(froms, tos, rng.random(700), 40)
    counts = rng.integers(0, 9, 40).astype(np.float32)
    source = Covisitation("pairs", rows, counts, together=together, pairing=Pairing(nobody))
    source.fold(tail([0, 0, 0, 0], [3, 60, 5, 3], [NOW - 9, NOW - 9, NOW - 9, NOW - 8]))
    person = state(np.array([3, 5, 60], dtype=np.int32), times=[NOW] * 3)
    small, large = (source.score(query(now=NOW, n_items=n), person) for n in (61, 100_000))
    assert len(small.items) > 8
    np.testing.assert_array_equal(small.items, large.items)
    np.testing.assert_allclose(small.values, large.values, rtol=1e-6)
    cut = source.score(query(now=NOW, n_items=20), person)
    np.testing.assert_array_equal(cut.items, small.items[small.items < 20])
