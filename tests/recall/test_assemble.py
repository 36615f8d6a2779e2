"""From a folder to sources: the plan says which, and is read back as it was written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from numbered import N, arrays, columns, nobody, query, state, vectors
from penchant.recall.assemble import TRENDING, RecallPlan, assemble, fit_covisitation
from penchant.recall.gather import Recall
from penchant.recall.popularity import Popularity
from penchant.store.artefacts import Artefacts
from penchant.store.vectors import Vectors


@pytest.fixture
def folder(tmp_path: Path) -> Artefacts:
    users, items, times = arrays()
    order = np.lexsort((times, users))
    folder = Artefacts(tmp_path)
    fit_covisitation(users[order], items[order], times[order], N, folder)
    return folder


def read(folder: Artefacts, plan: RecallPlan, text: np.ndarray | None = None) -> Recall:
    _, items, times = arrays()
    return assemble(
        folder,
        plan,
        popularity=Popularity(items, times),
        columns=columns(),
        vectors=Vectors(text),
        recent=nobody,
    )


def test_a_plan_comes_back_as_it_was(tmp_path: Path) -> None:
    folder = Artefacts(tmp_path)
    for plan in (
        RecallPlan(),
        RecallPlan(linear=("a", "b"), sequence=("c",), covisitation=False, text=True, quota=7),
        RecallPlan(quotas={"fresh": 3}),
    ):
        plan.save(folder)
        assert RecallPlan.load(folder) == plan


def test_without_training_popularity_covisitation_and_text_answer(folder: Artefacts) -> None:
    assert read(folder, RecallPlan()).names == ("after", "together", *TRENDING, "fresh")
    with_text = read(folder, RecallPlan(text=True), vectors())
    assert with_text.names == ("after", "together", "text", *TRENDING, "fresh")
    pool, notes = with_text.gather(query(k=3), state(["w1", "w2"]))
    assert set(pool.items.tolist()) == set(range(N))
    assert not [note for note in notes.values() if isinstance(note, str)]


def test_quotas_are_the_plans(folder: Artefacts) -> None:
    plan = RecallPlan(covisitation=False, quota=2, quotas={"trending_30d": 4, "fresh": 0})
    pool, notes = read(folder, plan).gather(query(k=1), state(["w1"]))
    assert notes == {"trending_1d": 2, "trending_7d": 2, "trending_30d": 4, "fresh": 0}
    assert 4 <= len(pool) <= 8


def test_an_empty_log_has_sources_too(tmp_path: Path) -> None:
    none = np.zeros(0, dtype=np.int32)
    folder = Artefacts(tmp_path)
    fit_covisitation(none, none, np.zeros(0), 0, folder)
    recall = assemble(
        folder,
        RecallPlan(),
        popularity=Popularity(),
        columns=columns(),
        vectors=Vectors(),
        recent=nobody,
    )
    pool, _ = recall.gather(query(k=4), state([]))
    assert len(pool) == 4
