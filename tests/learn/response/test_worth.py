"""What items are worth: biases, tastes, and a person who is read live."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from numbered import N, columns, state
from penchant.interests.state import Values
from penchant.language.categories import Derived
from penchant.learn.response.worth import error, fit, learn
from penchant.rank.worth import COLUMNS, Worth
from penchant.store.artefacts import Artefacts
from penchant.types import Floats, Ids

USERS, ITEMS, MANY = 120, 60, 6_000


@pytest.fixture(scope="module")
def ratings() -> tuple[Ids, Ids, Floats]:
    """Stars made of biases and two tastes, in random order, with noise of .3."""
    rng = np.random.default_rng(0)
    users = rng.integers(0, USERS, MANY).astype(np.int32)
    items = rng.integers(0, ITEMS, MANY).astype(np.int32)
    taste, kind = rng.normal(0, 0.7, (USERS, 2)), rng.normal(0, 0.7, (ITEMS, 2))
    own, theirs = rng.normal(0, 0.4, USERS), rng.normal(0, 0.4, ITEMS)
    values = 3.5 + own[users] + theirs[items] + (taste[users] * kind[items]).sum(1)
    return users, items, (values + rng.normal(0, 0.3, MANY)).astype(np.float32)


def test_tastes_are_found_beyond_biases(ratings: tuple[Ids, Ids, Floats]) -> None:
    users, items, values = ratings
    cut = int(0.9 * MANY)
    early = (users[:cut], items[:cut], values[:cut])
    biases = fit("rating", *early, ITEMS, 0, 1.0, 0)
    whole = learn("rating", *early, ITEMS, 0)
    spread = float(values[cut:].std())
    assert error(whole, users, items, values, cut) < 0.8 * error(biases, users, items, values, cut)
    assert error(biases, users, items, values, cut) < spread
    assert error(whole, users, items, values, cut) < 0.5


def test_every_value_changes_what_is_expected_next(ratings: tuple[Ids, Ids, Floats]) -> None:
    found = learn("rating", *ratings, ITEMS, 0)
    nobody = found.person(np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.float32))
    assert nobody[0] == 0.0
    generous, _ = found.person(np.arange(5, dtype=np.int32), np.full(5, 5.0, dtype=np.float32))
    strict, _ = found.person(np.arange(5, dtype=np.int32), np.full(5, 1.0, dtype=np.float32))
    assert strict < 0 < generous


def small() -> Worth:
    rng = np.random.default_rng(0)
    users = rng.integers(0, 30, 400).astype(np.int32)
    items = rng.integers(0, N - 1, 400).astype(np.int32)  # nobody rated the last
    values = np.where(items < N // 2, 5.0, 2.0).astype(np.float32)
    return fit("rating", users, items, values, N, 2, 5.0, 0)


def test_columns_say_it_of_candidates() -> None:
    kinds, items = Derived(columns()), np.arange(N + 2, dtype=np.int32)
    kinds_known = Derived(columns())
    worth, person = small(), state(["w1", "s1"])
    told = Values(
        person.items, np.array([5, 1], dtype=np.float32), np.zeros(2, dtype=np.int16), ("rating",)
    )
    found = worth.columns(replace(person, values=told), items[:N], kinds_known)
    assert found.shape == (N, len(COLUMNS))
    assert found[0, 0] > found[N - 2, 0]
    assert found[N - 1, 4] == 0.0
    assert np.isfinite(found[:, :5]).all()
    silent = worth.columns(person, items[:N], kinds)
    assert np.allclose(silent[:, 0], worth.mean + worth.bias)
    assert np.isnan(silent[:, 5]).all()
    other = Values(told.items, told.values, told.kinds, ("purchase",))
    assert np.array_equal(
        worth.columns(replace(person, values=other), items[:N], kinds)[:, 0], silent[:, 0]
    )


def test_items_that_came_later_are_worth_the_mean() -> None:
    worth = replace(small(), bias=small().bias[:5], count=small().count[:5], rows=small().rows[:5])
    found = worth.columns(state([]), np.array([7], dtype=np.int32), Derived(columns()))
    assert found[0, 0] == pytest.approx(worth.mean)


def test_it_is_kept(tmp_path: Path) -> None:
    folder = Artefacts(tmp_path)
    assert Worth.load(folder) is None
    small().save(folder)
    again = Worth.load(folder)
    assert again is not None
    assert np.array_equal(again.rows, small().rows)
    assert (again.kind, again.mean, again.ridge) == ("rating", small().mean, 5.0)
