"""A layer above a frozen encoder learns which texts the same people want, new ones included."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from numbered import DAY, NOW, empty, make_view
from penchant.language.projection import Projection
from penchant.language.whitening import Whitening
from penchant.learn.config import ProjectionConfig
from penchant.learn.tuning.examples import Examples
from penchant.learn.tuning.projection import LIFTS, ProjectionLearner
from penchant.learn.view import View
from penchant.recall.assemble import load_lift
from penchant.recall.text import DAYS_HALF, MOMENTS_HALF, Text
from penchant.store.artefacts import Artefacts
from penchant.store.vectors import Vectors
from penchant.types import Floats

torch.set_num_threads(1)
KINDS, EACH, D = 12, 20, 24
N = KINDS * EACH
UNSEEN = np.arange(0, N, EACH)  # one of each kind is wanted by nobody
CONFIG = ProjectionConfig(
    dimension=D, hidden=32, epochs=20, batch=64, negatives=256, learning_rate=1e-2, patience=20
)


def texts(rng: np.random.Generator) -> Floats:
    """Return vectors that tell the kind of an item, below what they say about anything else."""
    kind = np.repeat(rng.normal(size=(KINDS, 5)), EACH, axis=0)
    other = rng.normal(size=(N, D - 5))
    rows = np.concatenate((kind + 0.3 * rng.normal(size=kind.shape), 2.0 * other), axis=1)
    mixed = rows @ np.linalg.qr(rng.normal(size=(D, D)))[0]
    unit: Floats = (mixed / np.linalg.norm(mixed, axis=1, keepdims=True)).astype(np.float32)
    return unit


def wanted(rng: np.random.Generator, people: int = 200, events: int = 9) -> View:
    """Return people who each want items of two kinds, a day apart."""
    users, items, times = [], [], []
    known = np.setdiff1d(np.arange(N), UNSEEN)
    for user in range(people):
        kinds = rng.choice(KINDS, 2, replace=False)
        own = rng.permutation(known[np.isin(known // EACH, kinds)])[:events]
        users += [user] * len(own)
        items += own.tolist()
        times += (NOW + DAY * (np.arange(len(own)) + user % 7)).tolist()
    order = np.argsort(times, kind="stable")
    return make_view(
        np.array(users, dtype=np.int32)[order],
        np.array(items, dtype=np.int32)[order],
        np.array(times)[order],
        empty(N),
        None,
    )


@pytest.fixture(scope="module")
def raw() -> Floats:
    return texts(np.random.default_rng(0))


@pytest.fixture(scope="module")
def view() -> View:
    return wanted(np.random.default_rng(1))


@pytest.fixture(scope="module")
def learner(raw: Floats, view: View) -> ProjectionLearner:
    learner = ProjectionLearner("tuned", CONFIG, raw, seed=3)
    learner.measured = learner.fit(view)
    return learner


def same_kind(rows: Floats, items: np.ndarray) -> float:
    """Return how many of the eight nearest of each item are of its kind."""
    near = rows[items] @ rows.T
    near[np.arange(len(items)), items] = -np.inf
    best = np.argsort(-near, axis=1)[:, :8]
    return float((best // EACH == (items // EACH)[:, None]).mean())


def test_it_learns_what_goes_together(learner: ProjectionLearner, raw: Floats) -> None:
    assert max(learner.measured) > 1.3 * learner.measured[0]
    known = np.setdiff1d(np.arange(N), UNSEEN)
    frozen = same_kind(Whitening.fit(raw, D)(raw), known)
    assert same_kind(learner.vectors(), known) > frozen + 0.2


def test_items_nobody_wanted_are_placed_by_what_was_learned_from_others(
    learner: ProjectionLearner, raw: Floats
) -> None:
    frozen = same_kind(Whitening.fit(raw, D)(raw), UNSEEN)
    assert same_kind(learner.vectors(), UNSEEN) > frozen + 0.1


def test_what_is_served_is_what_was_learned(
    learner: ProjectionLearner, raw: Floats, tmp_path: Path
) -> None:
    folder = Artefacts(tmp_path)
    learner.save(folder)
    rows = Projection.load(folder, "tuned")(raw)
    np.testing.assert_allclose(rows, folder.array("tuned.vectors"), atol=1e-6)
    with torch.no_grad():
        learned = learner.layer.eval()(learner.white).numpy()
    np.testing.assert_allclose(rows @ rows.T, learned @ learned.T, atol=1e-4)


def test_untried_items_are_lifted_by_what_held_out_ones_say(
    view: View, raw: Floats, tmp_path: Path
) -> None:
    learner = ProjectionLearner("tuned", replace(CONFIG, held=0.3, given_up=0.1), raw, seed=3)
    learner.fit(view)
    known = np.setdiff1d(np.arange(N), UNSEEN)
    held = np.setdiff1d(np.flatnonzero(~learner.tried), UNSEEN)
    assert 0.2 * N < len(held) < 0.4 * N
    judged = Examples.of(view, learner.known, view.newest(CONFIG.validation))
    gains, targets = learner._gains(judged, [0.0, learner.lift], 8000)
    whole, untried = gains.mean(axis=1), gains[:, ~learner.tried[targets]].mean(axis=1)
    assert learner.lift in LIFTS[1:]
    assert untried[1] > untried[0]
    assert whole[1] >= 0.9 * whole[0]
    learner.save(Artefacts(tmp_path))
    lift = load_lift(Artefacts(tmp_path))
    assert lift is not None
    assert lift.share == learner.lift
    np.testing.assert_array_equal(lift.tried, learner.tried)
    (tmp_path / "tuned.json").unlink()
    assert load_lift(Artefacts(tmp_path)) is None  # as in a snapshot from before
    again = ProjectionLearner("tuned", replace(CONFIG, epochs=1), raw, seed=3)
    again.fit(view)
    again.fit(view, 0.2)
    np.testing.assert_array_equal(np.flatnonzero(again.tried), known)


def test_the_untuned_layer_is_the_whitening(raw: Floats) -> None:
    fresh = ProjectionLearner("tuned", replace(CONFIG, dimension=D), raw, seed=0)
    white = Whitening.fit(raw, D)(raw)
    np.testing.assert_allclose(fresh.vectors() @ fresh.vectors().T, white @ white.T, atol=1e-5)


def test_the_same_seed_learns_the_same(raw: Floats, view: View) -> None:
    short = replace(CONFIG, epochs=2)
    one, two = (ProjectionLearner("tuned", short, raw, seed=5) for _ in range(2))
    torch.manual_seed(5)
    one.fit(view)
    torch.manual_seed(5)
    two.fit(view)
    np.testing.assert_array_equal(one.vectors(), two.vectors())


def test_the_best_epoch_is_kept_and_a_tuning_that_does_harm_is_none(
    raw: Floats, view: View, monkeypatch: pytest.MonkeyPatch
) -> None:
    learner = ProjectionLearner("tuned", replace(CONFIG, epochs=9, patience=2), raw, seed=3)
    states = [learner.vectors()]
    figures = iter([0.5, 0.6, 0.55, 0.4, 0.3])

    def measure(*_: object) -> float:
        states.append(learner.vectors())
        return next(figures)

    monkeypatch.setattr(learner, "measure", measure)
    assert learner.fit(view) == [0.5, 0.6, 0.55, 0.4, 0.3]  # patience is at its end
    np.testing.assert_array_equal(learner.vectors(), states[2])
    assert np.abs(states[2] - states[-1]).max() > 0.01

    figures = iter([0.5, 0.4, 0.3, 0.2])
    before = learner.vectors()
    learner.fit(view)
    np.testing.assert_array_equal(learner.vectors(), before)


def test_a_second_fit_goes_on_from_the_first(learner: ProjectionLearner, view: View) -> None:
    before = learner.vectors() @ learner.vectors().T
    assert learner.fit(view, 0.2) == []
    after = learner.vectors() @ learner.vectors().T
    assert 0.0 < np.abs(after - before).mean() < 0.1


def test_an_interest_is_read_as_it_is_learned(raw: Floats, view: View) -> None:
    """`Examples` weigh the past as `Text.wanted` does for the same person."""
    from numbered import state

    examples = Examples.of(view, np.ones(N, dtype=np.bool_))
    vectors = Vectors(Whitening.fit(raw, D)(raw))
    rows = vectors.rows(np.arange(N, dtype=np.int32))
    ordered, starts = view.by_user()
    for number in (0, 5, len(examples) - 1):
        at = int(examples.target[number])
        begin = int(starts[np.searchsorted(starts, at, "right") - 1])
        person = state(
            ordered.items[begin:at], times=ordered.times[begin:at].tolist(), now=ordered.times[at]
        )
        had = examples.items[examples.history[number]]
        inside = examples.history[number] >= 0
        h = examples.weights[number][inside] @ rows[had[inside]]
        np.testing.assert_allclose(
            h / np.linalg.norm(h), Text("text", vectors).wanted(person), atol=1e-5
        )
    assert (DAYS_HALF, MOMENTS_HALF) == (7.0, 3.0)


def test_items_of_one_moment_are_no_past_of_each_other(raw: Floats) -> None:
    users = np.zeros(4, dtype=np.int32)
    items = np.array([5, 6, 7, 8], dtype=np.int32)
    times = np.array([NOW, NOW + DAY, NOW + DAY, NOW + 2 * DAY])
    view = make_view(users, items, times, empty(N), None)
    examples = Examples.of(view, np.ones(N, dtype=np.bool_))
    pasts = {
        int(examples.items[t]): sorted(examples.items[h[h >= 0]].tolist())
        for t, h in zip(examples.target, examples.history, strict=True)
    }
    assert pasts == {6: [5], 7: [5], 8: [5, 6, 7]}
    np.testing.assert_allclose(examples.weights.sum(axis=1), 1.0, atol=1e-6)


def test_items_without_text_are_left_out(raw: Floats, view: View) -> None:
    holes = raw.copy()
    holes[::3] = np.nan
    learner = ProjectionLearner("tuned", replace(CONFIG, epochs=1), holes, seed=0)
    learner.fit(view)
    rows = learner.vectors()
    assert np.isnan(rows[::3]).all()
    assert np.isfinite(np.delete(rows, np.arange(0, N, 3), 0)).all()


def test_people_with_one_event_teach_nothing(raw: Floats) -> None:
    users = np.arange(9, dtype=np.int32)
    view = make_view(users, users.copy(), NOW + DAY * users, empty(N), None)
    learner = ProjectionLearner("tuned", CONFIG, raw, seed=0)
    before = learner.vectors()
    assert learner.fit(view) == []
    np.testing.assert_array_equal(learner.vectors(), before)
