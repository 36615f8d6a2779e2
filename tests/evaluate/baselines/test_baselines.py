"""Each baseline: what all of them promise, and a known answer for each."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from scipy import sparse

from penchant.evaluate.baselines.baseline import Memory
from penchant.evaluate.baselines.decayed import DAY, Decayed
from penchant.evaluate.baselines.ease import Ease
from penchant.evaluate.baselines.ials import IALS
from penchant.evaluate.baselines.item_knn import ItemKNN
from penchant.evaluate.baselines.popular import Popular
from penchant.types import InvalidInput

EVERY = [
    Popular,
    Decayed,
    lambda: ItemKNN(neighbours=7, shrink=1.0),
    lambda: Ease(penalty=1.0),
    lambda: IALS(factors=3, penalty=1.0),
]


def world(rng=None):
    """Two tastes: the first ten people had items a*, the others b*; everybody had 'hit'."""
    rng = rng or np.random.default_rng(0)
    rows = []
    for user in range(20):
        taste = "a" if user < 10 else "b"
        for n in rng.permutation(6)[:4]:
            rows.append((f"u{user}", f"{taste}{n}", float(len(rows))))
        rows.append((f"u{user}", "hit", float(len(rows))))
    return pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row")


@pytest.fixture(params=EVERY, ids=["popular", "decayed", "knn", "ease", "ials"])
def system(request):
    return request.param().fit(world())


def had(events, user):
    return set(events.filter(pl.col("user_id") == user)["item_id"])


def test_what_the_user_had_and_what_is_excluded_is_left_out(system):
    first = system.recommend("u3", 20, 1e3)
    assert not set(first) & had(world(), "u3")
    assert len(first) == len(set(first)) == 13 - 5
    again = system.recommend("u3", 20, 1e3, exclude=[first[0], "unheard of"])
    assert again == first[1:]
    assert system.recommend("u3", 2, 1e3) == first[:2]


def test_what_is_told_is_left_out_from_then_on(system):
    first = system.recommend("u3", 3, 1e3)
    system.record("u3", [first[0], "new thing"], 1e3)
    later = system.recommend("u3", 20, 1e3)
    assert first[0] not in later
    assert "new thing" not in later


def test_a_stranger_gets_recent_popularity_and_one_event_changes_it(system):
    assert system.recommend("stranger", 1, 1e3) == ["hit"]
    system.record("stranger", ["hit"], 1e3)
    assert "hit" not in system.recommend("stranger", 20, 1e3)


def test_a_late_telling_is_taken(system):
    system.record("u1", ["b1"], 5.0)
    assert "b1" not in system.recommend("u1", 20, 1e3)


@pytest.mark.parametrize("make", EVERY[2:], ids=["knn", "ease", "ials"])
def test_personal_baselines_follow_taste(make):
    system = make().fit(world())
    for told, taste in (("a1", "a"), ("b2", "b")):
        system.record(f"likes {taste}", [told], 1e3)
        best = [i[0] for i in system.recommend(f"likes {taste}", 13, 1e3) if i != "hit"]
        places = {t: np.mean([p for p, i in enumerate(best) if i == t]) for t in "ab"}
        assert best[0] == taste
        assert places[taste] == min(places.values())


def test_popular_counts_alike():
    events = pl.DataFrame(
        {"user_id": ["1", "2", "3"], "item_id": ["x", "x", "y"], "timestamp": [0.0, 1.0, 2.0]}
    )
    system = Popular().fit(events)
    assert system.recommend("9", 5, 3.0) == ["x", "y"]
    system.record("4", ["z"], 3.0)
    system.record("5", ["z"], 3.0)
    system.record("6", ["z"], 3.0)
    assert system.recommend("9", 5, 3.0) == ["z", "x", "y"]


def test_decayed_weighs_by_age_also_what_is_told_late():
    events = pl.DataFrame(
        {"user_id": ["1", "2"], "item_id": ["old", "new"], "timestamp": [0.0, 7 * DAY]}
    )
    system = Decayed(7).fit(events)
    assert system.scores == pytest.approx([np.exp(-1), 1.0])
    system.record("3", ["old"], 14 * DAY)
    assert system.scores == pytest.approx([1.0, np.exp(-1) / (1 + np.exp(-2))])
    system.record("4", ["late"], 7 * DAY)
    assert system.scores[2] == pytest.approx(np.exp(-1) / (1 + np.exp(-2)))


def test_item_knn_by_hand():
    x = sparse.csr_matrix(np.array([[1, 1, 0], [1, 1, 1], [1, 0, 0], [0, 0, 1]], dtype=np.float32))
    cosine = ItemKNN(neighbours=2, shrink=0.0).weights(x).toarray()
    assert cosine[0, 1] == pytest.approx(2 / np.sqrt(6))
    assert cosine[0, 2] == pytest.approx(1 / np.sqrt(6))
    assert np.diag(cosine).tolist() == [0, 0, 0]
    nearest = ItemKNN(neighbours=1, shrink=0.0).weights(x).toarray()
    assert (nearest[:, 0] > 0).tolist() == [False, True, False]


def test_ease_is_the_least_squares_answer_without_itself():
    rng = np.random.default_rng(4)
    x = (rng.random((40, 5)) < 0.4).astype(np.float32)
    b = Ease(penalty=3.0).weights(sparse.csr_matrix(x))
    for j in range(5):
        others = [i for i in range(5) if i != j]
        left = x[:, others].astype(np.float64)
        ridge = np.linalg.solve(left.T @ left + 3.0 * np.eye(4), left.T @ x[:, j])
        assert b[others, j] == pytest.approx(ridge, abs=1e-5)
        assert b[j, j] == 0


def test_ials_solves_its_objective_for_the_user():
    system = IALS(factors=4, penalty=0.5, alpha=2.0).fit(world())
    y = system._items
    mine = system._recent.memory.had("u0", len(y))
    weight = np.ones(len(y))
    weight[mine] = 3.0
    wanted = np.zeros(len(y))
    wanted[mine] = 1.0
    user = np.linalg.solve(
        (y * weight[:, None]).T @ y + 0.5 * np.eye(4), (y * weight[:, None]).T @ wanted
    )
    scores = y @ user
    scores[mine] = -np.inf
    best = [system._recent.memory.items[n] for n in np.argsort(-scores)[:5]]
    assert system.recommend("u0", 5, 0.0) == best


def test_memory_keeps_order_numbers_new_items_and_settles_ties():
    memory = Memory(world())
    known = len(memory.items)
    assert memory.record("u0", ["fresh", "hit"]) == [known, memory.items.index("hit")]
    assert memory.had("u0")[-2] == known
    assert known not in memory.had("u0", known)
    assert memory.had("nobody").tolist() == []
    flat = np.zeros(known)
    assert memory.best(flat, "nobody", 3) == memory.items[:3]
    flat[1] = np.nan
    assert memory.items[1] not in memory.best(flat, "nobody", 99)


def test_item_knn_does_not_depend_on_its_blocks(monkeypatch):
    x = sparse.random(60, 30, density=0.2, format="csr", rng=1, dtype=np.float32)
    x.data[:] = 1
    whole = ItemKNN(neighbours=4).weights(x).toarray()
    monkeypatch.setattr("penchant.evaluate.baselines.item_knn.BLOCK", 7)
    assert (ItemKNN(neighbours=4).weights(x).toarray() == whole).all()


def test_ease_refuses_a_penalty_it_cannot_solve_with():
    with pytest.raises(InvalidInput, match="positive definite"):
        Ease(penalty=-50.0).fit(world())
