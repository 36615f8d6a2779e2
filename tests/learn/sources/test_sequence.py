"""Sequence models: they learn what follows, and what is served is what was trained."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from numbered import COLD, DAY, NOW, N, empty, make_view, query, state, vectors
from penchant.interests.context.field import Field
from penchant.interests.context.schema import Schema
from penchant.learn.sources.sequence import SequenceConfig, SequenceLearner, _windows
from penchant.learn.view import View
from penchant.recall.assemble import RecallPlan, load_sequence
from penchant.recall.sequence import Sequence, gap_buckets
from penchant.recall.sizes import RecallConfig, shrink
from penchant.store.artefacts import Artefacts
from penchant.store.vectors import Kind

torch.set_num_threads(1)  # a network this small is done before a second thread has woken up
LENGTH = 7
TINY = SequenceConfig(
    dimension=16, blocks=2, heads=2, length=LENGTH, dropout=0.1, epochs=12, tokens=64
)


def rounds(people: int = 24, n: int = N - 1) -> View:
    """Return people who walk a circle of all items but the last one, each from somewhere else."""
    steps = n + 4
    users = np.repeat(np.arange(people, dtype=np.int32), steps)
    place = np.tile(np.arange(steps), people)
    items = ((place + users) % n).astype(np.int32)
    return make_view(users, items, NOW + 3600.0 * place, empty(n + 1), None)


@pytest.fixture(scope="module")
def learner() -> SequenceLearner:
    learner = SequenceLearner("sequence", TINY, N, seed=1)
    losses = learner.fit(rounds())
    assert len(losses) == TINY.epochs
    assert losses[-1] < 0.6 * losses[0]
    return learner


@pytest.fixture(scope="module")
def served(learner: SequenceLearner, tmp_path_factory: pytest.TempPathFactory) -> Sequence:
    folder = Artefacts(tmp_path_factory.mktemp("sequence"))
    before = {name: value.clone() for name, value in learner.network.state_dict().items()}
    learner.save(folder)
    # Saving leaves the learner as it was, ready to go on.
    assert learner.network.training
    assert all(torch.equal(v, before[k]) for k, v in learner.network.state_dict().items())
    return load_sequence(folder, "sequence")


def walked(length: int, start: int = 2):
    items = ((np.arange(length) + start) % (N - 1)).astype(np.int32)
    return state(items, times=(NOW - 3600.0 * np.arange(length, 0, -1)).tolist())


def answer(learner: SequenceLearner, items: np.ndarray, times: np.ndarray, now: float):
    """Return what the network itself says, without ONNX."""
    table, bias = learner.rows()
    gaps = np.zeros(len(items), dtype=np.int64)
    gaps[1:] = gap_buckets(times[1:] - times[:-1])
    learner.network.eval()
    with torch.no_grad():
        out = learner.network(
            torch.from_numpy(table[items])[None],
            torch.from_numpy(gaps)[None],
            torch.from_numpy(gap_buckets(np.array([now - times[-1]]))),
        )
    return table @ out[0].numpy() + bias


@pytest.mark.parametrize("length", range(1, LENGTH + 1))
def test_what_is_served_is_what_was_trained(learner, served, length: int) -> None:
    rng = np.random.default_rng(length)
    for _ in range(5):
        items = rng.choice(N - 1, length, replace=False).astype(np.int32)
        times = np.sort(NOW - rng.choice([0.0, 60.0, 1e4, 1e6, 1e8], length))
        person = state(items, times=times.tolist())
        scores = served.score(query(), person)
        liked = person.liked
        want = answer(learner, liked.items, liked.times, NOW)
        np.testing.assert_allclose(scores.values, want, rtol=1e-4, atol=1e-4)


def test_of_a_longer_history_the_newest_part_is_read(learner, served) -> None:
    person = walked(N - 1)
    last = person.liked.items[-LENGTH:], person.liked.times[-LENGTH:]
    want = answer(learner, *last, NOW)
    np.testing.assert_allclose(served.score(query(), person).values, want, rtol=1e-4, atol=1e-4)


def test_it_learned_what_follows(served) -> None:
    right = 0
    for start in range(N - 1):
        person = walked(4, start)
        allowed = np.ones(N, dtype=np.bool_)
        allowed[person.items] = False
        right += served.score(query(), person).top(1, allowed)[0] == (start + 4) % (N - 1)
    assert right >= N - 4


def test_an_item_nobody_wanted_has_no_row_and_no_place_in_a_history(served) -> None:
    scores = served.score(query(), walked(3))
    assert np.isnan(scores.values[N - 1])
    assert np.isfinite(scores.values[: N - 1]).all()
    unknown = np.append(walked(3).items, N - 1).astype(np.int32)
    times = [*walked(3).times.tolist(), NOW - 1.0]
    with_it = served.score(query(), state(unknown, times=times))
    np.testing.assert_array_equal(with_it.values, scores.values)
    assert served.score(query(), state(np.array([N - 1], dtype=np.int32))) is None


def test_a_second_fit_goes_on_from_the_first() -> None:
    config = SequenceConfig(dimension=16, blocks=1, heads=1, length=LENGTH, epochs=10, tokens=64)
    learner = SequenceLearner("sequence", config, N, seed=1)
    first = learner.fit(rounds())
    again = learner.fit(rounds(), share=0.2)
    assert len(again) == 2
    assert again[0] < first[0]


def test_the_same_seed_learns_the_same() -> None:
    config = SequenceConfig(dimension=8, blocks=1, heads=1, length=LENGTH, epochs=2, tokens=64)
    runs = []
    for seed in (3, 3, 4):
        learner = SequenceLearner("sequence", config, N, seed=seed)
        runs.append((learner.fit(rounds()), learner.rows()[0]))
    assert runs[0][0] == runs[1][0]
    np.testing.assert_array_equal(runs[0][1], runs[1][1])
    assert runs[0][0] != runs[2][0]


def test_a_large_catalogue_is_learned_from_samples() -> None:
    config = SequenceConfig(
        dimension=16, blocks=1, heads=1, length=LENGTH, dropout=0.1, epochs=15, tokens=64,
        full_softmax_below=0, negatives=64,
    )  # fmt: skip
    learner = SequenceLearner("sequence", config, N, seed=1)
    losses = learner.fit(rounds())
    assert np.isfinite(losses).all()
    assert losses[-1] < 0.8 * losses[0]
    person = walked(4)
    scores = answer(learner, person.items, person.times, NOW)
    assert np.nanargmax(np.where(np.isin(np.arange(N), person.items), np.nan, scores)) == 6


def test_new_items_get_their_row_from_their_text(tmp_path: Path) -> None:
    text = vectors()
    learner = SequenceLearner("sequence_text", TINY, N, seed=1, vectors=text)
    learner.fit(rounds())
    learner.save(Artefacts(tmp_path))
    served = load_sequence(Artefacts(tmp_path), "sequence_text")
    before = served.score(query(n_items=40), walked(3))
    assert np.isfinite(before.values[COLD])  # nobody wanted it, but it has text
    assert np.isnan(before.values[N:]).all()
    new = np.array([30, 14], dtype=np.int32)
    served.learn_items(new, np.stack([text[5], np.full(text.shape[1], np.nan, dtype=np.float32)]))
    after = served.score(query(n_items=40), walked(3))
    # A longer table may be multiplied in another order.
    np.testing.assert_allclose(after.values[:N], before.values[:N], rtol=1e-5)
    assert np.isnan(after.values[14])
    # The same words make the same row; only the bias of an item nobody chose yet is the usual one.
    table, bias = learner.rows()
    usual = float(np.median(bias[learner.known]))
    assert after.values[30] == pytest.approx(before.values[5] - bias[5] + usual, abs=1e-4)
    # And a history that holds it is read.
    asked = state(np.array([30], dtype=np.int32))
    same = state(np.array([5], dtype=np.int32))
    np.testing.assert_allclose(
        served.score(query(n_items=40), asked).values[:N],
        served.score(query(n_items=40), same).values[:N],
        rtol=1e-4,
        atol=1e-5,
    )
    # A text that changed moves its row, also of an item of the training.
    served.learn_items(np.array([5], dtype=np.int32), text[6:7])
    moved = served.score(query(n_items=40), walked(1, 0))
    assert moved.values[5] - bias[5] == pytest.approx(moved.values[6] - bias[6], abs=1e-4)
    assert len(table) == N


def test_a_model_of_ids_learns_nothing_from_text(served) -> None:
    before = served.score(query(n_items=40), walked(3))
    served.learn_items(np.array([20], dtype=np.int32), vectors()[:1])
    after = served.score(query(n_items=40), walked(3))
    np.testing.assert_array_equal(after.values, before.values)


def test_single_events_teach_nothing() -> None:
    users = np.arange(4, dtype=np.int32)
    alone = make_view(users, users, NOW + DAY * users, empty(N))
    learner = SequenceLearner("sequence", TINY, N, seed=1)
    assert learner.fit(alone) == []
    assert np.isnan(learner.rows()[0]).all()


def test_windows_cover_every_step_once_newest_first() -> None:
    starts = np.array([0, 1, 3, 20, 28], dtype=np.int64)
    windows = _windows(starts, LENGTH).tolist()
    assert windows == [[1, 3], [12, 20], [5, 13], [3, 6], [20, 28]]
    steps = [n for begin, end in windows for n in range(begin, end - 1)]
    assert sorted(steps) == [1, *range(3, 19), *range(20, 27)]


@pytest.mark.parametrize("kind", ["float16", "int8"])
def test_a_smaller_table_gives_nearly_the_same_answers(
    kind: Kind, tmp_path: Path, learner: SequenceLearner, served: Sequence
) -> None:
    folder = Artefacts(tmp_path)
    learner.save(folder)
    RecallPlan(sequence=("sequence",), covisitation=False).save(folder)
    full = folder.path("sequence.table.npy").stat().st_size
    shrink(folder, RecallConfig(vectors=kind))
    assert folder.path("sequence.table.npy").stat().st_size < 0.8 * full
    small = load_sequence(folder, "sequence")
    for length in (1, 4, 12):
        wanted = served.score(query(), walked(length))
        found = small.score(query(), walked(length))
        assert found.values.dtype == np.float32
        np.testing.assert_array_equal(np.isnan(found.values), np.isnan(wanted.values))
        spread = float(np.nanstd(wanted.values))
        np.testing.assert_allclose(found.values, wanted.values, atol=0.05 * spread)


WEATHER = Schema([Field("weather", "category", ("sun", "rain"), gain=0.5)])
SAID = tuple(json.dumps({"weather": one}) for one in ("sun", "rain"))


def changeable() -> View:
    """Whoever chose an item in the sun then wants the next one, in the rain the one before."""
    rng = np.random.default_rng(0)
    users, steps = np.repeat(np.arange(150, dtype=np.int32), 20), 20
    rain = rng.integers(0, 2, len(users))
    items = np.zeros(len(users), dtype=np.int32)
    for at in range(len(users)):
        if at % steps:
            items[at] = (items[at - 1] + (1 if rain[at] == 0 else -1)) % N
        else:
            items[at] = rng.integers(0, N)
    times = 1e9 + np.tile(np.arange(steps), 150) * 86_400.0
    order = np.argsort(times, kind="stable")
    view = make_view(users, items, times, empty(N))
    return replace(view, contexts=rain[order].astype(np.int32), context_texts=SAID)


def test_circumstances_enter_the_state_and_the_question(tmp_path: Path) -> None:
    config = SequenceConfig(
        dimension=16, blocks=1, heads=1, length=20, epochs=40, dropout=0.1, tokens=200
    )
    learner = SequenceLearner("sequence", config, N, seed=0, schema=WEATHER)
    learner.fit(changeable())
    learner.save(Artefacts(tmp_path))
    source = load_sequence(Artefacts(tmp_path), "sequence")
    right = 0
    for item in range(N):
        person = replace(state(np.array([item], dtype=np.int32)), contexts=(SAID[0],))
        for weather, step in (("sun", 1), ("rain", -1)):
            asked = query(now=person.now, n_items=N, context={"weather": weather})
            scores = source.score(asked, person)
            assert scores is not None
            right += int(scores.top(1, None)[0]) == (item + step) % N
    assert right >= 1.8 * N


def test_what_is_served_in_circumstances_is_what_was_trained(tmp_path: Path) -> None:
    config = SequenceConfig(dimension=8, blocks=2, heads=2, length=6, epochs=3)
    learner = SequenceLearner("sequence", config, N, seed=0, schema=WEATHER)
    learner.fit(changeable())
    learner.save(Artefacts(tmp_path))
    source = load_sequence(Artefacts(tmp_path), "sequence")
    items = np.array([3, 1, 4], dtype=np.int32)
    person = replace(state(items), contexts=(SAID[0], None, SAID[1]))
    asked = query(now=person.now, n_items=N, context={"weather": "rain"})
    table, bias = learner.rows()
    gaps = np.zeros(3, dtype=np.int64)
    gaps[1:] = gap_buckets(np.diff(person.times))
    network = learner.network.eval()
    with torch.no_grad():
        then = torch.tensor([[[1], [0], [2]]])
        read = network.read(
            torch.from_numpy(table[items])[None], torch.from_numpy(gaps)[None], then
        )
        ahead = torch.from_numpy(gap_buckets(np.array([asked.now - person.times[-1]])))
        assert network.here is not None
        out = network.answer(read[:, -1], ahead, network.here(torch.tensor([2])))
    scores = source.score(asked, person)
    assert scores is not None
    assert np.nanmax(np.abs(scores.values - (table @ out[0].numpy() + bias))) < 1e-4
