"""Learning to derive categories: kept where held-out items say that it is right."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import penchant
from penchant.interests.history import stateless
from penchant.interests.state import State
from penchant.language.categories import Derived
from penchant.learn.__main__ import train
from penchant.learn.categories import BAR, counting, derive, learn_categories
from penchant.learn.config import RankerConfig
from penchant.learn.release.publish import open_view
from penchant.learn.scorer.rows import Rows
from penchant.measure.reports import TrainReport
from penchant.rank.explain.sentences import CATEGORIES, sentence
from penchant.rank.features import MATCH, category_shares
from penchant.store.open import open_store
from shelves import mute

pytest.importorskip("sklearn")

NAMES = ("tea", "hats", "rare", "shoes")


def blobs(sizes: list[int], noise: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return rows around one direction for each category, and which category they are of."""
    rng = np.random.default_rng(seed)
    given = np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)
    rows = np.eye(16)[given] + noise * rng.standard_normal((len(given), 16))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows.astype(np.float32), given


def test_what_is_clear_is_learned_and_measured() -> None:
    raw, given = blobs([40, 30, 2, 30], 0.1)
    learned = learn_categories(raw, given, NAMES, seed=0)
    assert learned.model is not None
    assert learned.model.names == ("tea", "hats", "shoes")  # two of a kind teach nothing
    assert (learned.labelled, learned.named) == (102, 3)
    assert learned.precision >= 0.95
    assert learned.share > 0.9
    fresh, truth = blobs([20, 20, 0, 20], 0.1, seed=1)
    place, _ = learned.model(fresh)
    said = place >= 0
    assert said.mean() > 0.9
    codes = np.array([NAMES.index(name) for name in learned.model.names])
    assert (codes[place[said]] == truth[said]).mean() > 0.95


def test_the_figure_is_that_of_items_nobody_learned_from() -> None:
    raw, given = blobs([150, 150, 0, 150], 0.33)
    learned = learn_categories(raw, given, NAMES, seed=0)
    assert learned.model is not None
    fresh, truth = blobs([500, 500, 0, 500], 0.33, seed=1)
    place, _ = learned.model(fresh)
    said = place >= 0
    codes = np.array([NAMES.index(name) for name in learned.model.names])
    right = (codes[place[said]] == truth[said]).mean()
    assert right == pytest.approx(learned.precision, abs=0.06)
    assert said.mean() == pytest.approx(learned.share, abs=0.12)


@pytest.mark.parametrize(
    ("sizes", "noise"),
    [([40, 40, 0, 40], 5.0), ([9, 9, 0, 0], 0.1), ([60, 0, 0, 0], 0.1), ([3, 3, 3, 3], 0.1)],
    ids=["nothing in the texts", "too few", "of one kind", "of each too few"],
)
def test_nothing_is_derived_where_it_would_not_be_right(sizes: list[int], noise: float) -> None:
    raw, given = blobs(sizes, noise)
    learned = learn_categories(raw, given, NAMES, seed=0)
    assert learned.model is None
    assert learned.precision < BAR or learned.labelled < 20 or learned.named < 2


def test_the_same_seed_learns_the_same() -> None:
    raw, given = blobs([40, 30, 0, 30], 0.25)
    raw[:7] = np.nan
    one, two = (learn_categories(raw, given, NAMES, seed=3) for _ in range(2))
    assert one.model is not None
    assert two.model is not None
    assert one.summary() == two.summary()
    np.testing.assert_array_equal(one.model.matrix, two.model.matrix)


KINDS = {"tea": "green leaf tea of the mountain", "hats": "a hat of wool for the winter"}


@pytest.fixture
def shelf(embedding_server: Any, tmp_path: Path) -> Path:
    """A shop of teas and hats whose texts say which is which, half of them without a category."""
    base = {kind: np.asarray(embedding_server.vector(words)) for kind, words in KINDS.items()}
    drawn = embedding_server.vector

    def vector(text: str) -> list[float]:
        kind = next((kind for kind, words in KINDS.items() if words in text), None)
        near = np.zeros(embedding_server.dimension) if kind is None else 4 * base[kind]
        return (near + np.asarray(drawn(text))).tolist()

    embedding_server.vector = vector
    settings = f'[encoder]\nmodel = "loopback"\nendpoint = "{embedding_server.url}"\n'
    kinds = [kind for kind in KINDS for _ in range(40)]
    items = pl.DataFrame(
        {
            "item_id": [f"{kind}-{n}" for n, kind in enumerate(kinds)],
            "title": [f"No. {n}" for n in range(80)],
            "description": [KINDS[kind] for kind in kinds],
            "category": [kind if n % 2 else None for n, kind in enumerate(kinds)],
        }
    )
    rng = np.random.default_rng(0)
    events = [
        {
            "user_id": f"u{user}",
            "item_id": items["item_id"][int(rng.integers(40)) + 40 * (user % 2)],
            "timestamp": 1_700_000_000 + 3_600 * step + user,
        }
        for user in range(40)
        for step in range(12)
    ]
    with penchant.open(mute(tmp_path / "shelf", settings)) as engine:
        engine.add(items)
        engine.record(events, now=1_800_000_000)
    return tmp_path / "shelf"


def test_a_training_derives_what_is_missing_and_says_so(shelf: Path) -> None:
    options = {"url": None, "effort": "fast", "seed": 0, "threads": 1}
    report = train(argparse.Namespace(directory=shelf, **options))
    told = report["categories"]
    assert (told["labelled"], told["named"], told["missing"], told["derived"]) == (40, 2, 40, 40)
    assert told["precision"] == 1.0
    assert "40 were derived from their texts" in str(TrainReport("x", report))
    with open_store(shelf) as store:
        snapshot = store.snapshots.current()
        assert snapshot is not None
        assert sorted(snapshot.json("categories")["names"]) == ["hats", "tea"]
    with penchant.open(shelf) as engine:
        served = engine._replica.follow()
        columns, derived = served.columns, served.derived
        assert derived is not None
        model = derived._model
        assert model is not None
        # As it is for whoever finds that it pays.
        object.__setattr__(model, "counts", True)
        for number, item in enumerate(columns.ids):
            given = columns.category[number] >= 0
            assert derived.named(number) == (None if given else item.split("-")[0])
        # A new item is read by the same function, at once.
        engine.add([{"item_id": "new", "title": "New", "description": KINDS["hats"]}])
        assert engine._replica.follow().derived is derived
        number = columns.number_of["new"]
        assert derived.named(number) == "hats"
        # The catalogue is as it was given, and so is what it is filtered by.
        assert engine.items(["new"])[0].category is None
        slate = engine.recommend("u1", k=80, where="category == 'hats'", seen="keep", log=False)
        assert 0 < len(slate) <= 20
        assert all(columns.category[columns.number_of[one.item_id]] >= 0 for one in slate)
        engine.add([{"item_id": "new", "description": KINDS["hats"], "category": "gifts"}])
        assert derived.named(number) is None


def test_the_texts_it_learns_from_do_not_name_the_category(
    shelf: Path, embedding_server: Any
) -> None:
    with open_store(shelf) as store:
        view, raw, _ = open_view(store)
        assert raw is not None
        assert view.bare is not None
        embedding_server.requests.clear()
        bare = view.bare()
    asked = {text for request in embedding_server.requests for text in request["input"]}
    assert len(asked) == 40
    assert not any("hats" in text.split(". ") for text in asked)
    given = view.columns.category[:80] >= 0
    assert (bare[given] != raw[given]).any(axis=1).all()
    np.testing.assert_array_equal(bare[~given], raw[~given])


def test_where_every_item_has_a_category_nothing_is_learned(shelf: Path) -> None:
    with penchant.open(shelf) as engine, open_store(shelf) as store:
        view, raw, _ = open_view(store)
        assert raw is not None
        assert derive(view, raw, 0) is not None
        without = [
            i for i, c in zip(view.columns.ids, view.columns.category, strict=False) if c < 0
        ]
        engine.add([{"item_id": item, "category": "tea", "title": item} for item in without])
        view, raw, _ = open_view(store)
        assert raw is not None
        assert derive(view, raw, 0) is None


def walked(view: Any, requests: int = 400) -> tuple[Rows, list[State]]:
    """Return requests of people who each keep to one kind, among candidates of both."""
    rng = np.random.default_rng(0)
    names = ("popular", *MATCH[:2])
    states, items, wanted = [], [], []
    plain = Derived(view.columns)
    shares = []
    for n in range(requests):
        begin = 40 * (n % 2)
        liked = rng.choice(np.arange(begin, begin + 40), 6, replace=False).astype(np.int32)
        pool = rng.choice(np.setdiff1d(np.arange(80), liked), 30, replace=False).astype(np.int32)
        own = pool[(pool >= begin) & (pool < begin + 40)]
        states.append(stateless(liked, 1e6 + n))
        items.append(pool)
        wanted.append(pool == rng.choice(own))
        shares.append(category_shares(states[-1], pool, plain).T)
    features = np.concatenate(
        (rng.random((30 * requests, 1)), np.concatenate(shares)), axis=1
    ).astype(np.float32)
    rows = Rows(
        features,
        np.concatenate(items),
        np.concatenate(wanted),
        np.arange(0, 30 * requests + 1, 30),
        1e6 + np.arange(requests, dtype=np.float64),
        np.arange(requests, dtype=np.int32),
        np.zeros(requests, dtype=np.int32),
        ("next",) * requests,
        names,
        1,
    )
    return rows, states


def test_derived_categories_count_where_the_newest_requests_say_so(shelf: Path) -> None:
    with open_store(shelf) as store:
        view, raw, _ = open_view(store)
    assert raw is not None
    found = derive(view, raw, 0)
    assert found is not None
    config = RankerConfig(trees=30, least_in_leaf=20, threads=1)
    rows, states = walked(view)
    before = rows.features.copy()
    kept = counting(found, view, rows, states, config, 0)
    assert kept.model is not None
    assert kept.model.counts
    assert kept.gain is not None
    assert kept.gain > 0
    assert kept.summary()["counted"]
    assert (rows.features[:, 0] == before[:, 0]).all()
    derived = Derived(view.columns, kept.model, kept.known)
    shares = [
        category_shares(s, rows.items[a:e], derived)
        for (a, e), s in zip(rows.spans(), states, strict=True)
    ]
    np.testing.assert_allclose(rows.features[:, 1:], np.concatenate(shares, axis=1).T, rtol=1e-6)

    # Derived the wrong way round, they do harm and stay out.
    wrong = replace(found, known=np.where(found.known >= 0, 1 - found.known, -1).astype(np.int32))
    rows.features[:] = before
    left = counting(wrong, view, rows, states, config, 0)
    assert left.model is not None
    assert left.gain is not None
    assert left.gain < 0
    assert not left.model.counts
    np.testing.assert_array_equal(rows.features, before)


def test_a_derived_category_is_named_as_such() -> None:
    plain = sentence("Hat", [CATEGORIES])
    marked = sentence("Hat", [CATEGORIES], derived="hats")
    assert "suggests" not in plain
    assert "(hats, as its text suggests)" in marked
    assert "hats" not in sentence("Hat", ["its price"], derived="hats")
