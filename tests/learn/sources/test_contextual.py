"""Contextual recall: circumstances decide, new items are met by their text, ONNX says the same."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from numbered import empty, make_view, state
from penchant.interests.context.field import Field
from penchant.interests.context.schema import Schema
from penchant.learn.config import ContextualConfig
from penchant.learn.sources.contextual import ContextualLearner, _pasts
from penchant.learn.view import View
from penchant.recall.assemble import load_contextual
from penchant.recall.contextual import weights
from penchant.store.artefacts import Artefacts
from penchant.types import Query

N = 24
SCHEMA = Schema([Field("weather", "category", ("sun", "rain"), gain=0.5)])
TEXTS = (json.dumps({"weather": "sun"}), json.dumps({"weather": "rain"}))
CONFIG = ContextualConfig(dimension=16, epochs=15, batch=256, learning_rate=1e-2, dropout=0.1)


def log() -> View:
    """In the sun the first half is wanted, in the rain the other; people like even or odd ones."""
    rng = np.random.default_rng(0)
    n = 3_000
    users, weather = rng.integers(0, 60, n).astype(np.int32), rng.integers(0, 2, n)
    items = rng.integers(0, N // 4, n) * 2 + users % 2 + weather * (N // 2)
    times = 1e9 + np.arange(n) * 600.0
    view = make_view(users, items.astype(np.int32), times, empty(N))
    return replace(view, contexts=weather.astype(np.int32), context_texts=TEXTS)


def text() -> np.ndarray:
    """Vectors that say which half and which parity an item is of; the last item is unread."""
    items = np.arange(N)
    rows = np.stack((items // (N // 2) * 2.0 - 1, items % 2 * 2.0 - 1, np.ones(N)), axis=1)
    rows[-1] = np.nan
    return rows.astype(np.float32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Artefacts:
    """Learned without the events of two items."""
    view = log()
    view = view.where(~np.isin(view.items, (4, N - 1)))
    learner = ContextualLearner(CONFIG, SCHEMA, N, seed=0, vectors=text())
    losses = learner.fit(view)
    assert losses[-1] < losses[0] - 0.5
    out = Artefacts(tmp_path_factory.mktemp("contextual"))
    learner.save(out)
    return out


def best(folder: Artefacts, weather: str | None, items: list[int], k: int = 5) -> set[int]:
    source = load_contextual(folder)
    context = {} if weather is None else {"weather": weather}
    person = state(np.array(items, dtype=np.int32))
    scores = source.score(Query(now=person.now, n_items=N, context=context), person)
    assert scores is not None
    return set(scores.top(k, None).tolist())


def test_circumstances_and_tastes_both_decide(folder: Artefacts) -> None:
    even, odd = [2, 14, 8], [3, 15, 9]
    assert best(folder, "sun", even) <= set(range(0, N // 2, 2))
    assert best(folder, "rain", odd) <= set(range(N // 2, N)) & set(range(1, N, 2))


def test_somebody_new_is_answered_by_the_weather(folder: Artefacts) -> None:
    assert best(folder, "rain", [], 10) <= set(range(N // 2, N))


def test_nobody_in_no_circumstances_has_no_answer(folder: Artefacts) -> None:
    source, person = load_contextual(folder), state([])
    assert source.score(Query(now=person.now, n_items=N), person) is None
    assert best(folder, None, [2, 14])  # a history is enough


def test_an_item_nobody_wanted_has_its_text_and_one_without_has_nothing(folder: Artefacts) -> None:
    assert 4 in best(folder, "sun", [2, 8, 6], 6)
    source, person = load_contextual(folder), state(np.array([2], dtype=np.int32))
    query = Query(now=person.now, n_items=N + 1, context={"weather": "sun"})
    scores = source.score(query, person)
    assert scores is not None
    assert np.isnan(scores.at(np.array([N - 1, N], dtype=np.int32))).all()
    source.learn_items(np.array([N], dtype=np.int32), text()[:1])
    scores = source.score(query, person)
    assert scores is not None
    assert np.isfinite(scores.at(np.array([N], dtype=np.int32))).all()


def test_what_serves_says_what_was_learned(folder: Artefacts) -> None:
    view = log()
    learner = ContextualLearner(replace(CONFIG, epochs=1), SCHEMA, N, seed=1)
    learner.fit(view)
    learner.network.eval()
    items = np.array([2, 3, 5], dtype=np.int32)
    with torch.no_grad():
        past = torch.from_numpy(weights(3)[None]) @ learner.rows[items.astype(np.int64)]
        wanted = learner.network(past, torch.tensor([[2]]))
        expected = (learner.rows @ wanted[0] + learner.bias).numpy()
    learner.known[:] = True
    learner.save(folder := Artefacts(folder.folder / "again"))
    source, person = load_contextual(folder), state(items)
    scores = source.score(Query(now=person.now, n_items=N, context={"weather": "rain"}), person)
    assert scores is not None
    assert np.abs(scores.values - expected).max() < 1e-4


def test_one_moment_is_no_past_of_itself() -> None:
    users = np.array([0, 0, 0, 0, 1], dtype=np.int32)
    times = np.array([1.0, 2.0, 2.0, 3.0, 3.0])
    view, starts = make_view(users, np.arange(5, dtype=np.int32), times, empty(5)).by_user()
    assert _pasts(view, starts, 2).tolist() == [[-1, -1], [0, -1], [0, -1], [2, 1], [-1, -1]]


def test_an_empty_log_teaches_nothing(tmp_path: Path) -> None:
    learner = ContextualLearner(CONFIG, SCHEMA, N, seed=0)
    nothing = log().before(0.0)
    assert learner.fit(nothing) == []
    learner.save(Artefacts(tmp_path))
    assert load_contextual(Artefacts(tmp_path)).name == "contextual"
