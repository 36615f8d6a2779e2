"""Cold items are found by their text or by being new, and by nothing else."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

import world
from numbered import COLD, DAY, NOW, NUMBER, arrays, columns, names, query, rows, state, vectors
from penchant.interests.state import State
from penchant.recall.fresh import Fresh
from penchant.recall.popularity import Popularity
from penchant.recall.text import Text
from penchant.store.columns import ItemColumns
from penchant.store.vectors import Vectors
from penchant.types import Query


def popularity() -> Popularity:
    _, items, times = arrays()
    return Popularity(items, times)


def dated(released: dict[str, float]) -> ItemColumns:
    """The tiny world with release dates in seconds."""
    when = [released.get(i) for i in world.ITEMS]
    out = ItemColumns()
    micros = pl.Series([None if t is None else int(t * 1e6) for t in when], dtype=pl.Int64)
    out.apply(rows(world.items()).with_columns(released=micros))
    return out


def test_a_cold_item_is_found_by_its_text() -> None:
    fresh = Fresh("fresh", popularity(), Text("text", Vectors(vectors())), columns(), few=0.5)
    scores = fresh.score(query(), state(["w1", "w2"]))
    assert names(scores.items) == ["cold"]
    assert fresh.score(query(), state([])) is None  # without anything to compare it with


def test_items_with_few_events_compete_by_newness() -> None:
    """s6 was wanted once; what was wanted five times is not cold."""
    fresh = Fresh("fresh", popularity(), None, columns(), few=2.0)
    scores = fresh.score(query(), state(["w1"]))
    assert names(scores.items) == ["s6"]
    first = float(popularity().first_seen(NOW, 13)[NUMBER["s6"]])
    assert scores.values == pytest.approx(0.5 ** ((NOW - first) / (14 * DAY)), rel=1e-5)


def test_newness_halves_from_the_release_or_the_first_wish_whichever_was_first() -> None:
    fresh = Fresh("fresh", popularity(), None, dated({"cold": NOW - 7 * DAY}), few=0.5)
    scores = fresh.score(query(), state([]))
    assert names(scores.items) == ["cold"]
    assert scores.values == pytest.approx(0.5**0.5, rel=1e-5)
    soon = Fresh("fresh", popularity(), None, dated({"cold": NOW + DAY}), few=0.5)
    assert soon.score(query(), state([])).values == pytest.approx(1.0)


def test_an_item_without_a_date_is_not_new() -> None:
    fresh = Fresh("fresh", popularity(), None, columns(), few=0.5)
    assert fresh.score(query(), state(["w1"])) is None


def test_what_is_neither_new_nor_near_has_no_claim() -> None:
    old = dated({i: NOW - 3650 * DAY for i in world.ITEMS})
    fresh = Fresh("fresh", popularity(), None, old, few=100.0)
    assert fresh.score(query(), state(["w1"])) is None


def test_nearness_counts_beside_newness() -> None:
    text = Text("text", Vectors(vectors()))
    plain = Fresh("fresh", popularity(), text, columns(), few=0.5)
    new = Fresh("fresh", popularity(), text, dated({"cold": NOW}), few=0.5)
    person = state(["w1"])
    cold = np.array([COLD], dtype=np.int32)
    near = text.score(query(), person).at(cold)
    assert plain.score(query(), person).at(cold) == pytest.approx(near)
    assert new.score(query(), person).at(cold) == pytest.approx(near + 0.5)


def test_where_everything_is_known_nothing_is_fresh() -> None:
    fresh = Fresh("fresh", popularity(), None, columns(), few=-1.0)
    assert fresh.score(query(), state(["w1"])) is None


class Plainly:
    """What a cold item is worth, item by item, from the events themselves."""

    def __init__(self, items: np.ndarray, times: np.ndarray, released: np.ndarray) -> None:
        self.items, self.times, self.released = items, times, released

    def at(self, now: float, few: float, near: np.ndarray | None) -> dict[int, float]:
        out = {}
        for item in range(len(self.released)):
            had = self.times[(self.items == item) & (self.times <= now)]
            if (0.5 ** ((now - had) / (3650 * DAY))).sum() >= few:
                continue
            born = min(had.min(initial=np.inf), self.released[item])
            worth = 0.5 ** (max(now - born, 0.0) / (14 * DAY)) if np.isfinite(born) else 0.0
            if near is not None:
                worth = worth / 2 + (0.0 if np.isnan(near[item]) else float(near[item]))
            if worth > 1e-3:
                out[item] = worth
        return out


@pytest.mark.parametrize("with_text", [True, False])
@pytest.mark.parametrize("dense", [True, False])
def test_newness_kept_from_one_moment_to_the_next_is_that_of_each(with_text, dense) -> None:
    rng = np.random.default_rng(3)
    n, m = 60, 5000
    items = (n * rng.random(m) ** (1.0 if dense else 4.0)).astype(np.int32)
    times = np.sort(NOW + rng.integers(-300, 0, m) * DAY)
    released = np.where(rng.random(n) < 0.4, NOW + rng.integers(-900, 900, n) * DAY, np.inf)
    catalogue = ItemColumns()
    micros = pl.Series([int(t * 1e6) if np.isfinite(t) else None for t in released], dtype=pl.Int64)
    titles = [f"i{i}" for i in range(n)]
    frame = pl.DataFrame({"item_id": titles, "title": titles, "description": "", "category": None})
    frame = frame.with_columns(pl.col("category").cast(pl.String))
    catalogue.apply(rows(frame).with_columns(released=micros))
    text = rng.normal(size=(n, 8)).astype(np.float32)
    text[::7] = np.nan
    source = Text("text", Vectors(text)) if with_text else None
    popular, plainly = Popularity(), Plainly(items, times, released)
    fresh = Fresh("fresh", popular, source, catalogue, few=30.0)
    person = State(
        now=NOW,
        items=np.array([1, 2], dtype=np.int32),
        times=np.array([NOW - 1, NOW - 1]),
        strengths=np.ones(2, dtype=np.float32),
        seen=np.zeros(0, dtype=np.int32),
    )
    compared = 0
    for start in range(0, m, 625):
        popular.fold(items[start : start + 625], times[start : start + 625])
        plainly.items, plainly.times = items[: start + 625], times[: start + 625]
        newest = float(times[start + 624])
        for now in (newest, newest + 3 * DAY, newest - 40 * DAY, newest + 800 * DAY):
            asked = Query(now=now, n_items=n)
            near = None if source is None else source.score(asked, person).values
            found = fresh.score(asked, person)
            want = plainly.at(now, 30.0, near)
            if found is None:
                assert not want
                continue
            everything = found.at(np.arange(n, dtype=np.int32))
            assert np.flatnonzero(np.isfinite(everything)).tolist() == list(want)
            np.testing.assert_allclose(everything[list(want)], list(want.values()), rtol=1e-4)
            assert set(found.top(n, None).tolist()) == set(want)
            compared += len(want)
    assert compared > 200
