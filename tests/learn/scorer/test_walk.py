"""The walk asks with what had happened by then, and with nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from numbered import DAY, NOW, N, empty, make_view, view
from penchant.interests.state import State
from penchant.learn.scorer.rows import Rows, build
from penchant.learn.scorer.walk import Asked, Histories, walk
from penchant.learn.view import View
from penchant.rank.features import FeatureBuilder
from penchant.recall.assemble import RecallPlan, assemble, fit_covisitation
from penchant.recall.gather import Recall
from penchant.recall.popularity import Popularity
from penchant.recall.source import Scores
from penchant.recall.trending import Trending
from penchant.store.artefacts import Artefacts
from penchant.store.log import Events
from penchant.store.vectors import Vectors
from penchant.types import Query

DAYS = 12


def baskets(seed: int = 0, people: int = 15, n_items: int = 30) -> View:
    """Return people whose days hold one to four items, some rejected, some kept out."""
    rng = np.random.default_rng(seed)
    rows = []
    for user in range(people):
        for day in np.sort(rng.choice(DAYS, 5, replace=False)):
            for item in rng.choice(n_items, rng.integers(1, 5), replace=False):
                rows.append((user, item, NOW + DAY * day, rng.random(), rng.random()))
    rows.sort(key=lambda row: row[2])
    users, items, times, likes, shared = map(np.array, zip(*rows, strict=True))
    return View(
        users.astype(np.int32),
        items.astype(np.int32),
        times,
        np.where(likes < 0.15, -1.0, 1.0).astype(np.float32),
        np.where(shared < 0.1, 0.0, 1.0).astype(np.float32),
        people,
        empty(n_items),
    )


class Watcher:
    """A source that writes down what it was taught and when it was asked."""

    name = "watcher"

    def __init__(self) -> None:
        self.taught: list[tuple[int, int, float]] = []

    def score(self, query: Query, state: State) -> Scores | None:
        assert all(time <= query.now for *_, time in self.taught)
        return Scores(np.arange(query.n_items, dtype=np.float32))

    def fold(self, tail: Events, *, anew: bool = False) -> None:
        self.taught += zip(
            tail.users.tolist(), tail.items.tolist(), tail.times.tolist(), strict=True
        )


def walked(
    log: View, day: int, *, most: int = 10**6, seed: int = 1, cart: float = 0.5, end: float = np.inf
) -> tuple[list[Asked], Watcher, Recall]:
    begin = NOW + DAY * day
    watcher, past = Watcher(), log.before(begin)
    recall = Recall([watcher], Popularity(past.items, past.times), {"watcher": 5})
    histories = Histories(past, 200)
    asked = []
    for one in walk(log, begin, end, recall, histories, most=most, seed=seed, cart_share=cart):
        recall.gather(one.query, one.state)
        asked.append(one)
    return asked, watcher, recall


def happened(log: View, user: int) -> list[tuple[float, int, float]]:
    mine = log.users == user
    return list(
        zip(log.times[mine], log.items[mine].tolist(), log.strengths[mine].tolist(), strict=True)
    )


@pytest.mark.parametrize("seed", range(3))
def test_every_state_holds_what_had_happened_and_no_more(seed: int) -> None:
    log = baskets(seed)
    asked, *_ = walked(log, 6)
    assert {one.arm for one in asked} == {"next", "cart"}
    for one in asked:
        now, mine = one.query.now, happened(log, one.query.user)
        earlier = [item for time, item, _ in mine if time < now]
        inside = [item for time, item, _ in mine if time == now]
        assert (one.state.times <= now).all()
        assert one.state.now == now
        early = one.state.times < now
        assert sorted(one.state.items[early].tolist()) == sorted(earlier)
        present = one.state.items[~early].tolist()
        if one.arm == "next":
            assert present == []
            assert not one.state.liked.same_moment
        else:
            # Part of the moment is known, never the item that is asked for.
            assert 0 < len(present) < len(inside)
            assert set(present) < set(inside)
            assert len(one.targets) == 1
            assert one.targets[0] in set(inside) - set(present)
        assert set(one.state.seen.tolist()) == set(earlier) | set(present)


def test_targets_are_what_is_wanted_in_the_moment_for_the_first_time() -> None:
    log = baskets(4)
    asked, *_ = walked(log, 5, cart=0.0)
    moments = 0
    for one in asked:
        mine = happened(log, one.query.user)
        had = {item for time, item, _ in mine if time < one.query.now}
        wanted = {item for time, item, s in mine if time == one.query.now and s > 0}
        assert one.arm == "next"
        assert set(one.targets.tolist()) == wanted - had
        assert not one.query.allowed[one.state.seen].any()
        assert one.query.allowed[one.targets].all()
        moments += 1
    # One request a moment in which anything new was wanted, in the order of time.
    assert [one.query.now for one in asked] == sorted(one.query.now for one in asked)
    late = log.where(log.times >= NOW + 5 * DAY)
    every = {
        (u, t)
        for u, t in zip(late.users.tolist(), late.times.tolist(), strict=True)
        if {i for time, i, s in happened(log, u) if time == t and s > 0}
        - {i for time, i, _ in happened(log, u) if time < t}
    }
    assert moments == len(every)


def test_recall_is_taught_each_moment_after_it_was_asked_about() -> None:
    log = baskets(5)
    asked, watcher, recall = walked(log, 6)
    late = log.where((log.times >= NOW + 6 * DAY) & (log.strengths > 0) & (log.shared > 0))
    want = zip(late.users.tolist(), late.items.tolist(), late.times.tolist(), strict=True)
    # What was rejected, or kept out of what others learn, is not taught.
    assert sorted(watcher.taught) == sorted(want)
    assert asked
    counts = recall.popularity.at(NOW + DAYS * DAY, 30)[-1]
    assert counts.sum() > 0


def test_a_trap_that_comes_later_never_scores(tmp_path) -> None:
    """An item everybody wants from a day on is unknown to every request before that day."""
    log, trap, day = baskets(6), 29, 9
    keep = log.items != trap
    log = log.where(keep)
    users = np.arange(15, dtype=np.int32)
    log = View(
        np.append(log.users, users),
        np.append(log.items, np.full(15, trap, dtype=np.int32)),
        np.append(log.times, NOW + DAY * day + 1.0 + users),
        np.append(log.strengths, np.ones(15, dtype=np.float32)),
        np.append(log.shared, np.ones(15, dtype=np.float32)),
        15,
        log.columns,
    )
    begin = NOW + 5 * DAY
    past = log.before(begin)
    ordered, _ = past.by_user()
    folder = Artefacts(tmp_path)
    fit_covisitation(ordered.users, ordered.items, ordered.times, 30, folder)
    histories = Histories(past, 200)
    recall = assemble(
        folder,
        RecallPlan(),
        popularity=Popularity(past.items, past.times),
        columns=log.columns,
        vectors=Vectors(),
        recent=histories.recent,
    )
    features = FeatureBuilder(recall.names, recall.popularity, log.columns, Vectors())
    before = after = 0
    for one in walk(log, begin, np.inf, recall, histories, most=10**6, seed=0):
        pool, _ = recall.gather(replace(one.query, only=np.arange(30, dtype=np.int32)), one.state)
        row = features(one.query, one.state, pool).features[trap]
        sources = row[: len(recall.names)]
        popular = row[[features.names.index(f"popular_{d}") for d in ("1d", "7d", "30d", "ever")]]
        if one.query.now <= NOW + DAY * day:
            assert np.isnan(sources).all()
            assert not popular.any()
            assert np.isnan(row[features.names.index("days_since_first")])
            before += 1
        elif np.isfinite(sources).any():
            after += 1
    assert before > 20
    assert after > 5


def test_about_as_many_requests_as_asked_for() -> None:
    log = baskets(7, people=60)
    everything, *_ = walked(log, 4)
    for most in (20, 60):
        asked, *_ = walked(log, 4, most=most)
        assert 0.4 * most <= len(asked) <= 1.6 * most
        carts = sum(one.arm == "cart" for one in asked)
        assert carts <= len(asked) * 0.8
    assert len(everything) > 100
    assert {one.arm for one in walked(log, 4, cart=0.0)[0]} == {"next"}


def test_the_same_seed_walks_the_same_way() -> None:
    log = baskets(8)
    runs = [walked(log, 6, most=40, seed=seed)[0] for seed in (1, 1, 2)]

    def key(asked: Sequence[Asked]) -> list[tuple[int, float, tuple[int, ...]]]:
        return [(a.query.user, a.query.now, tuple(a.targets.tolist())) for a in asked]

    assert key(runs[0]) == key(runs[1])
    assert key(runs[0]) != key(runs[2])


def test_the_end_is_not_walked() -> None:
    asked, watcher, _ = walked(baskets(9), 4, end=NOW + 8 * DAY)
    assert max(one.query.now for one in asked) < NOW + 8 * DAY
    assert max(time for *_, time in watcher.taught) < NOW + 8 * DAY


def test_histories_grow_and_keep_the_newest() -> None:
    histories = Histories(view(), 3)
    ann = histories.state(0, NOW)
    assert len(ann.items) == 3
    assert len(ann.seen) == 5
    histories.append(0, np.array([12], dtype=np.int32), NOW, np.array([-1.0], dtype=np.float32))
    grown = histories.state(0, NOW)
    assert grown.items[-1] == 12
    assert 12 in grown.seen
    assert 12 not in histories.recent(0, NOW, 0)[0]
    stranger = histories.state(99, NOW)
    assert len(stranger.items) == len(stranger.seen) == 0
    assert histories.recent(99, NOW, 0)[0].dtype == np.int32


def test_rows_are_made_by_the_stages_that_serve() -> None:
    log = baskets(10)
    begin = NOW + 6 * DAY
    past = log.before(begin)
    histories = Histories(past, 200)
    popularity = Popularity(past.items, past.times)
    sources = [Trending("trending_7d", 7 * DAY, popularity)]
    recall = Recall(sources, popularity, {"trending_7d": 12})
    features = FeatureBuilder(recall.names, popularity, log.columns, Vectors())
    kept: list[Asked] = []

    def asked():
        for one in walk(log, begin, np.inf, recall, histories, most=10**6, seed=0):
            kept.append(one)
            yield one

    told: list[float] = []
    rows = build(
        asked(), recall, [features], progress=lambda _, done: told.append(done), expected=60
    )
    assert len(rows) == len(kept) == len(rows.arms)
    assert rows.names == features.names
    assert rows.n_sources == 1
    assert told[0] == 0.0
    assert max(told) <= 1.0
    for r, one in enumerate(kept):
        cut = slice(int(rows.starts[r]), int(rows.starts[r + 1]))
        assert (rows.times[r], rows.users[r], rows.arms[r]) == (
            one.query.now, one.query.user, one.arm,
        )  # fmt: skip
        np.testing.assert_array_equal(rows.wanted[cut], np.isin(rows.items[cut], one.targets))
        assert rows.missed[r] == len(set(one.targets.tolist()) - set(rows.items[cut].tolist()))
        assert one.query.allowed[rows.items[cut]].all()


def test_no_requests_make_no_rows() -> None:
    recall = Recall([], Popularity(), {})
    rows = build(iter(()), recall, [])
    assert len(rows) == 0
    assert rows.features.shape == (0, 0)
    assert rows.starts.tolist() == [0]
    early, late = rows.split(0.3)
    assert len(early) == len(late) == 0


def test_the_world_of_one_moment_can_be_walked() -> None:
    users = np.arange(6, dtype=np.int32).repeat(2)
    items = np.tile(np.array([0, 1], dtype=np.int32), 6)
    log = make_view(users, items, np.full(12, NOW), empty(N))
    asked, *_ = walked(log, 0)
    assert {one.query.user for one in asked} == set(range(6))


def built(log: View, **how: object) -> Rows:
    begin = NOW + DAY * 4
    past = log.before(begin)
    popularity = Popularity(past.items, past.times)
    source = Trending("trending_30d", 30 * DAY, popularity)
    recall = Recall([source], popularity, {source.name: 30})
    histories = Histories(past, 200)
    features = FeatureBuilder(recall.names, popularity, log.columns, Vectors())
    asked = walk(log, begin, np.inf, recall, histories, most=10**6, seed=1)
    return build(asked, recall, [features], **how)


def test_requests_that_are_only_learned_from_keep_a_draw_of_what_was_not_wanted() -> None:
    log = baskets()
    whole = built(log)
    thin = built(log, thinned=7, late=0.3, seed=3, spare=["later"])
    assert thin.names == (*whole.names, "later")
    assert np.isnan(thin.features[:, -1]).all()
    for part in ("times", "users", "missed"):
        np.testing.assert_array_equal(getattr(thin, part), getattr(whole, part))
    (early, late), (early_whole, late_whole) = thin.split(0.3), whole.split(0.3)
    assert len(early) > 20
    assert len(late) > 20
    np.testing.assert_array_equal(late.items, late_whole.items)
    np.testing.assert_array_equal(late.features[:, :-1], late_whole.features)
    history, thinned = whole.names.index("history"), 0
    for r in range(len(early)):
        a, e = early.starts[r : r + 2]
        b, f = early_whole.starts[r : r + 2]
        rows, wanted = early_whole.features[b:f], early_whole.wanted[b:f]
        new = f > b and rows[0, history] == 0
        assert (~early.wanted[a:e]).sum() == ((~wanted).sum() if new else min(7, (~wanted).sum()))
        assert set(early.items[a:e][early.wanted[a:e]]) == set(early_whole.items[b:f][wanted])
        place = np.searchsorted(early_whole.items[b:f], early.items[a:e])
        np.testing.assert_array_equal(early.features[a:e, :-1], rows[place])
        thinned += e - a < f - b
    assert thinned > 20
    again = built(log, thinned=7, late=0.3, seed=3, spare=["later"])
    np.testing.assert_array_equal(thin.items, again.items)
