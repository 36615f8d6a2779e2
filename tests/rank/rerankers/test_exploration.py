"""Exploration: the last places go to what little is known of, with chances that are true."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from numbered import NOW, query, state
from penchant.ingest.kinds import Kinds
from penchant.rank.feedback.appeal import DIRECTIONS, LEAST, fit
from penchant.rank.feedback.circumstances import told
from penchant.rank.feedback.config import FeedbackConfig
from penchant.rank.feedback.feedback import Feedback
from penchant.rank.feedback.following import Following
from penchant.rank.rerankers.exploration import DRAWS, MOST, PROPENSITY, REACH, Exploration
from penchant.recall.popularity import DAY, Popularity
from penchant.store.vectors import Vectors
from penchant.types import Candidates, Policy
from rank.feedback.logs import shown

N, K = 200, 10
FRESH = (12, 15, 18, 30, 44)
TWO = Policy(explore=2)
HOUR = 3600.0


def feedback() -> Feedback:
    return Feedback(FeedbackConfig(), Kinds(), Following(0.0, 0.0, lambda ids: {}))


def well_known(feedback: Feedback, items: range | list[int], rate: float = 0.1) -> None:
    """Show each item a thousand times in the first place, a day ago."""
    every = np.array(items, dtype=np.int32)
    for many, count in ((1000, feedback.rates.show), (round(1000 * rate), feedback.rates.answer)):
        shown = np.repeat(every, many)
        count(shown, np.zeros(len(shown), dtype=np.int32), np.full(len(shown), NOW - DAY))


def stage(known: Feedback, vectors: Vectors | None = None) -> Exploration:
    items = np.arange(N, dtype=np.int32)
    times = np.where(np.isin(items, FRESH), NOW - 2 * DAY, NOW - 200 * DAY)
    return Exploration(known, Popularity(items, times), vectors or Vectors())


def ranked(n: int = N) -> Candidates:
    return Candidates(
        items=np.arange(n, dtype=np.int32),
        scores=-np.arange(n, dtype=np.float32) / n,
        features=np.arange(n, dtype=np.float32)[:, None],
        names=("one",),
        origin=np.arange(n, dtype=np.uint32),
        sources=("one",),
    )


PERSON = state(np.array([0], dtype=np.int32))


def asked(explore: Exploration, **rest: object) -> Candidates:
    question = query(**{"n_items": N, "k": K, "policy": TWO, **rest})
    return explore(question, PERSON, ranked())


def test_the_last_places_go_to_what_little_is_known_of() -> None:
    known = feedback()
    well_known(known, [i for i in range(N) if i not in FRESH])
    found = asked(stage(known))
    assert found.items[: K - 2].tolist() == list(range(K - 2))
    assert set(found.items[K - 2 : K].tolist()) <= set(FRESH)
    # Nobody is lost, and all others keep their order.
    assert sorted(found.items.tolist()) == list(range(N))
    rest = [i for i in found.items.tolist() if i not in found.items[K - 2 : K]]
    assert rest == sorted(rest)


def test_what_is_known_of_an_item_goes_with_it() -> None:
    found = asked(stage(feedback()))
    for column in (-found.scores * N, found.features[:, 0], found.origin):
        np.testing.assert_allclose(column, found.items, rtol=1e-5)


def test_the_same_request_draws_the_same_and_another_does_not() -> None:
    explore = stage(feedback())
    one, again = asked(explore, user=5), asked(explore, user=5)
    assert one.items.tolist() == again.items.tolist()
    assert one.features.tobytes() == again.features.tobytes()
    others = {tuple(asked(explore, user=u).items[K - 2 : K].tolist()) for u in range(30)}
    assert len(others) > 3


@pytest.mark.parametrize(
    "rest",
    [
        {"policy": Policy()},
        {"only": np.arange(5, dtype=np.int32)},
    ],
)
def test_where_it_is_not_wanted_nothing_is_changed(rest: dict[str, object]) -> None:
    assert asked(stage(feedback()), **rest).names == ("one",)


@pytest.mark.parametrize("rest", [{"k": 1}, {"k": N}])
def test_without_room_nothing_is_drawn_and_the_column_is_there(rest: dict[str, object]) -> None:
    found = asked(stage(feedback()), **rest)
    assert found.items.tolist() == list(range(N))
    assert found.names == ("one", PROPENSITY)
    assert set(found.features[:, 1].tolist()) == {1.0}


def test_what_is_far_is_not_explored() -> None:
    known = feedback()
    well_known(known, list(range(int(REACH * N))))
    # Beyond the reach nothing is known of anything, and nothing of it is shown.
    found = asked(stage(known))
    assert set(found.items[K - 2 : K].tolist()) <= set(FRESH)
    assert MOST < N


def test_logged_chances_are_those_of_the_choice() -> None:
    """Over many requests each item is drawn as often as its logged chances say."""
    known = feedback()
    well_known(known, [i for i in range(N) if i not in FRESH])
    explore = stage(known)
    drawn: Counter[int] = Counter()
    inverse: Counter[int] = Counter()
    requests = 3000
    one = Policy(explore=1)
    for user in range(requests):
        found = asked(explore, user=user, policy=one)
        item = int(found.items[K - 1])
        chance = float(found.features[K - 1, 1])
        assert 1 / (DRAWS + 1) <= chance <= 1.0
        assert found.features[: K - 1, 1].tolist() == [1.0] * (K - 1)
        drawn[item] += 1
        inverse[item] += 1 / chance
    assert set(drawn) == set(FRESH)
    for item in FRESH:
        # E[1 / propensity of what was drawn] is 1 for each item that may be: the mark of a true
        # propensity, whatever the policy.
        assert inverse[item] / requests == pytest.approx(1.0, rel=0.15)
    # What scores higher is drawn more often, and the others all the same.
    assert drawn[FRESH[0]] > drawn[FRESH[-1]] > requests / 50


def test_answers_decide_in_the_end() -> None:
    known = feedback()
    well_known(known, [i for i in range(N) if i not in FRESH])
    well_known(known, [FRESH[3]], rate=0.6)
    found = Counter(int(asked(stage(known), user=u).items[K - 2]) for u in range(200))
    assert found.most_common(1)[0][0] == FRESH[3]


def test_what_suits_the_context_is_explored_in_it() -> None:
    known = feedback()
    well_known(known, [i for i in range(N) if i not in FRESH])
    few = np.array(FRESH[2:4], dtype=np.int32)
    for n in range(20):
        context = {"device": ("phone", "tv")[n % 2]}
        slate = shown([(0, NOW - HOUR + n, few.tolist())], n + 1, (context,))
        clicked = few[n % 2 : n % 2 + 1]
        columns = clicked, np.zeros(1, dtype=np.int32), slate.times
        known.rates.show(few, np.zeros(2, dtype=np.int32), np.repeat(slate.times, 2))
        known.contexts.show(slate, np.array([True]))
        known.rates.answer(*columns)
        known.contexts.answer(*columns, slate.numbers, [told(context)])
    explore = stage(known)
    for device, item in (("phone", FRESH[2]), ("tv", FRESH[3])):
        many = [asked(explore, user=u, context={"device": device}) for u in range(100)]
        found = Counter(int(one.items[K - 2]) for one in many)
        assert found.most_common(1)[0][0] == item


def of_texts(signal: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Looks, answers and vectors of items whose rate the first direction of the text tells."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(300, 32)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    looks = np.full(300, 400.0, dtype=np.float32)
    rate = 0.05 * np.exp(signal * rows[:, 0] * np.sqrt(32))
    return looks, rng.poisson(looks * rate).astype(np.float32), rows


def test_texts_tell_the_rate_of_what_nobody_has_seen() -> None:
    looks, answers, rows = of_texts(0.5)
    appeal = fit(looks[:200], answers[:200], rows[:200])
    assert appeal is not None
    drawn = appeal.draw(rows[200:], np.random.default_rng(1), 400)
    assert drawn.shape == (400, 100)
    unseen = np.log(answers[200:] + 1)
    assert np.corrcoef(drawn.mean(axis=0), unseen)[0, 1] > 0.7
    assert len(appeal.mean) == 1 + DIRECTIONS
    # What texts say nothing of, they say nothing of.
    looks, answers, rows = of_texts(0.0)
    nothing = fit(looks, answers, rows)
    assert nothing is not None
    assert np.abs(nothing.draw(rows, np.random.default_rng(1), 400).mean(axis=0)).max() < 0.3


def test_few_items_and_items_without_a_text_are_like_the_mean() -> None:
    looks, answers, rows = of_texts(0.5)
    assert fit(looks[: LEAST - 1], answers[: LEAST - 1], rows[: LEAST - 1]) is None
    assert fit(looks, 0 * answers, rows) is None
    appeal = fit(looks, answers, rows)
    assert appeal is not None
    blank = np.full((2, 32), np.nan, dtype=np.float32)
    assert appeal.draw(blank, np.random.default_rng(0), 3).tolist() == [[0.0, 0.0]] * 3
    assert fit(looks, answers, np.zeros((300, 0), dtype=np.float32)) is None


def test_a_text_that_promises_much_is_explored_first() -> None:
    looks, answers, rows = of_texts(0.8)
    known = feedback()
    every = np.arange(N, dtype=np.int32)
    others = ~np.isin(every, FRESH)
    for counts, count in ((looks, known.rates.show), (answers, known.rates.answer)):
        items = np.repeat(every[others], counts[:N][others].astype(int))
        count(items, np.zeros(len(items), dtype=np.int32), np.full(len(items), NOW - DAY))
    rows = rows[:N].copy()
    rows[list(FRESH)] = 0.0
    rows[FRESH[4], 0] = 1.0
    rows[[*FRESH[:4]], 0] = -1.0
    explore = stage(known, Vectors(rows))
    found = Counter(int(asked(explore, user=u).items[K - 2]) for u in range(100))
    assert found.most_common(1)[0][0] == FRESH[4]
