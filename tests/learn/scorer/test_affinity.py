"""Learning the first scorer: a convex problem solved to the end, scored out of fold."""

from __future__ import annotations

import numpy as np
import pytest

import world
from numbered import N, numbers, state, vectors
from penchant.learn.scorer.affinity import fit, logistic, out_of_fold
from penchant.learn.scorer.rows import Rows
from penchant.store.vectors import Vectors


def people() -> list:
    """Return states and what each then wanted: more of their own kind."""
    out = []
    rng = np.random.default_rng(0)
    for _ in range(60):
        for group in (world.WESTERNS, world.SPACE):
            had = rng.permutation(list(group))
            out.append((state(list(had[:3])), numbers(list(had[3:5]))))
    return out


@pytest.mark.parametrize("ridge", [0.1, 10.0])
def test_no_step_improves_on_the_answer(ridge: float) -> None:
    rng = np.random.default_rng(1)
    x = np.concatenate((rng.normal(size=(400, 5)), np.ones((400, 1))), axis=1)
    y = (x @ [1.0, -2.0, 0.0, 0.5, 0.0, -1.0] + rng.normal(size=400) > 0).astype(float)
    theta = logistic(x, y, ridge)

    def loss(t: np.ndarray) -> float:
        s = x @ t
        return float(np.sum(np.logaddexp(0, s) - y * s) + ridge / 2 * np.sum(t[:-1] ** 2))

    best = loss(theta)
    for direction in np.vstack((np.eye(6), rng.normal(size=(20, 6)))):
        assert loss(theta + 1e-3 * direction) >= best - 1e-9
        assert loss(theta - 1e-3 * direction) >= best - 1e-9
    assert theta[0] > 0 > theta[1]


def test_more_ridge_trusts_the_data_less() -> None:
    rng = np.random.default_rng(1)
    x = np.concatenate((rng.normal(size=(100, 3)), np.ones((100, 1))), axis=1)
    y = (x[:, 0] > 0).astype(float)
    sizes = [float(np.abs(logistic(x, y, ridge)[:-1]).sum()) for ridge in (0.1, 1.0, 10.0, 100.0)]
    assert sizes == sorted(sizes, reverse=True)
    assert np.isfinite(sizes).all()  # separable, and still finite


def test_what_somebody_likes_scores_above_what_they_do_not() -> None:
    rows = Vectors(vectors())
    model = fit(people(), rows, N, seed=0)
    assert model is not None
    for group, other in ((world.WESTERNS, world.SPACE), (world.SPACE, world.WESTERNS)):
        h = model.read(state(list(group[:3])), rows)
        assert h is not None
        scores = model.score(h, vectors())
        assert scores[numbers(group[3:])].min() > scores[numbers(other)].max()


def test_the_same_seed_learns_the_same() -> None:
    rows = Vectors(vectors())
    first, second, other = (fit(people(), rows, N, seed=seed) for seed in (1, 1, 2))
    assert first is not None
    assert second is not None
    assert other is not None
    np.testing.assert_array_equal(first.theta, second.theta)
    assert first.constant == second.constant
    assert not np.array_equal(first.theta, other.theta)


def test_without_text_or_histories_there_is_no_model() -> None:
    assert fit(people(), Vectors(), N, seed=0) is None
    assert fit([(state([]), numbers(["w1"]))], Vectors(vectors()), N, seed=0) is None
    assert fit([], Vectors(vectors()), N, seed=0) is None


def test_no_request_is_scored_by_what_was_learned_from_itself() -> None:
    """The halves want opposite things: each is scored by what the other half taught."""
    rows = Vectors(vectors())
    loyal = people()
    half = len(loyal) // 2
    asked = loyal[:half] + [
        (s, numbers(world.SPACE[3:5] if t[0] < 6 else world.WESTERNS[3:5])) for s, t in loyal[half:]
    ]
    made = Rows(
        features=np.zeros((N * len(asked), 0), dtype=np.float32),
        items=np.tile(np.arange(N, dtype=np.int32), len(asked)),
        wanted=np.concatenate([np.isin(np.arange(N), t) for _, t in asked]),
        starts=np.arange(len(asked) + 1, dtype=np.int64) * N,
        times=np.arange(len(asked), dtype=np.float64),
        users=np.zeros(len(asked), dtype=np.int32),
        missed=np.zeros(len(asked), dtype=np.int32),
        arms=("next",) * len(asked),
        names=(),
        n_sources=0,
    )
    column, model = out_of_fold(made, asked, rows, N, 0)
    assert model is not None
    assert column.shape == made.items.shape
    gap = [
        column[r * N : r * N + N][made.wanted[r * N : r * N + N]].mean()
        - column[r * N : r * N + N].mean()
        for r in range(len(asked))
    ]
    # Taught the opposite, both halves score what they want below the rest.
    assert np.mean(gap[:half]) < 0
    assert np.mean(gap[half:]) < 0


def test_requests_without_history_stay_unknown_out_of_fold() -> None:
    rows = Vectors(vectors())
    asked = [*people()[:20], (state([]), numbers(["w1"])), *people()[:20]]
    made = Rows(
        features=np.zeros((2 * len(asked), 0), dtype=np.float32),
        items=np.tile(np.array([0, 7], dtype=np.int32), len(asked)),
        wanted=np.tile(np.array([True, False]), len(asked)),
        starts=np.arange(len(asked) + 1, dtype=np.int64) * 2,
        times=np.arange(len(asked), dtype=np.float64),
        users=np.zeros(len(asked), dtype=np.int32),
        missed=np.zeros(len(asked), dtype=np.int32),
        arms=("next",) * len(asked),
        names=(),
        n_sources=0,
    )
    column, _ = out_of_fold(made, asked, rows, N, 0)
    assert np.isnan(column[40:42]).all()
    assert np.isfinite(np.delete(column, [40, 41])).all()
    silent, model = out_of_fold(made, asked, Vectors(), N, 0)
    assert np.isnan(silent).all()
    assert model is None
