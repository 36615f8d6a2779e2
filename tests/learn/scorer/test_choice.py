"""The scorer that serves is the one that won on later requests, however simple it is."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from penchant.learn.config import RankerConfig
from penchant.learn.scorer import choice
from penchant.learn.scorer.choice import LEAST_REQUESTS, choose, gained, summed, visible
from penchant.learn.scorer.rows import Rows
from penchant.rank.scorers.fusion import Fusion

CONFIG = RankerConfig(trees=100, least_in_leaf=50, threads=1)
NAMES = ("one", "two", "three", "trending_30d", "trending_7d", "hint", "history")
N_SOURCES = 5
PER = 20


def draw(
    wish: Callable[[np.ndarray, np.random.Generator], np.ndarray],
    requests: int = 500,
    history: float | np.ndarray = 1.0,
) -> Rows:
    """Return requests of 20 candidates of which `wish` says how much each was wanted."""
    rng = np.random.default_rng(0)
    n = requests * PER
    x = rng.normal(size=(n, len(NAMES))).astype(np.float32)
    x[:, -1] = np.repeat(np.broadcast_to(history, requests), PER)
    much = wish(x, rng).reshape(requests, PER)
    wanted = much >= np.sort(much, axis=1)[:, -2:-1]  # the two best of each request
    return Rows(
        features=x,
        items=np.tile(np.arange(PER, dtype=np.int32), requests),
        wanted=wanted.ravel(),
        starts=np.arange(requests + 1, dtype=np.int64) * PER,
        times=np.arange(requests, dtype=np.float64),
        users=np.arange(requests, dtype=np.int32) % 60,
        missed=np.zeros(requests, dtype=np.int32),
        arms=("next",) * requests,
        names=NAMES,
        n_sources=N_SOURCES,
    )


def noise(x: np.ndarray, rng: np.random.Generator, much: float) -> np.ndarray:
    return much * rng.normal(size=len(x))


def test_the_sum_serves_where_sources_complete_each_other() -> None:
    rows = draw(lambda x, rng: x[:, :N_SOURCES].sum(axis=1) + noise(x, rng, 1.0))
    found = choose(rows, CONFIG, seed=0)
    assert found.weights == {}
    best = max(found.measured[name] for name in NAMES[:N_SOURCES])
    assert found.measured["sum of sources"] > best + 0.1
    # Trees can at best learn the same sum; what is plain wins where they do not pay.
    assert found.scorer == "fusion"
    assert found.measured["ranker"] <= found.measured["sum of sources"]


def test_a_single_source_serves_where_the_sum_loses_to_it() -> None:
    rows = draw(lambda x, rng: x[:, 1] + noise(x, rng, 0.1))
    found = choose(rows, CONFIG, seed=0)
    assert found.weights == {name: 1.0 if name == "two" else 1e-3 for name in NAMES[:N_SOURCES]}
    assert found.measured["two"] > found.measured["sum of sources"]
    assert found.interval is not None
    assert found.scorer == "fusion"


def test_trees_serve_where_they_see_what_no_source_says() -> None:
    rows = draw(lambda x, rng: x[:, 0] * x[:, 5] + noise(x, rng, 0.1))
    found = choose(rows, CONFIG, seed=0)
    assert found.scorer == "ranker"
    assert found.trees in choice.TREES
    assert found.interval is not None
    assert found.interval[0] > 0
    assert found.measured["ranker"] > found.measured["sum of sources"] + 0.2


def test_with_few_requests_trees_are_not_even_tried() -> None:
    rows = draw(lambda x, rng: x[:, 0] * x[:, 5], requests=LEAST_REQUESTS)
    found = choose(rows, CONFIG, seed=0)
    assert found.scorer == "fusion"
    assert found.trees == 0
    assert found.interval is None
    assert "ranker" not in found.measured


def test_no_requests_at_all_are_answered_by_the_plain_sum() -> None:
    rows = draw(lambda x, rng: x[:, 0], requests=0)
    found = choose(rows, CONFIG, seed=0)
    assert (found.scorer, found.weights, found.newcomer) == ("fusion", {}, "trending_30d")


def test_only_later_requests_decide() -> None:
    """The first source is right about the past, the second about the newest third."""

    def wish(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        late = np.arange(len(x)) >= 0.65 * len(x)
        return np.where(late, x[:, 1], x[:, 0]) + noise(x, rng, 0.05)

    found = choose(draw(wish), CONFIG, seed=0)
    assert found.measured["two"] > 0.9
    assert found.measured["one"] < 0.5
    assert found.weights["two"] == 1.0


def test_the_same_seed_chooses_the_same() -> None:
    rows = draw(lambda x, rng: x[:, 0] * x[:, 5] + noise(x, rng, 0.5))
    assert choose(rows, CONFIG, seed=3) == choose(rows, CONFIG, seed=3)


def test_what_is_measured_of_the_sum_is_what_serves() -> None:
    rows = draw(lambda x, rng: x[:, 0], requests=30)
    total = summed(rows)
    from numbered import query, state
    from penchant.types import Candidates

    for r in (0, 7, 29):
        cut = slice(int(rows.starts[r]), int(rows.starts[r + 1]))
        pool = Candidates(
            items=rows.items[cut],
            scores=np.zeros(PER, dtype=np.float32),
            features=rows.features[cut],
            names=NAMES,
            origin=np.zeros(PER, dtype=np.uint32),
            sources=NAMES[:N_SOURCES],
        )
        served = Fusion()(query(n_items=PER), state([]), pool).scores
        np.testing.assert_allclose(total[cut], served, rtol=1e-4, atol=1e-5)


def test_what_a_source_adds_is_what_is_lost_without_it() -> None:
    rows = draw(lambda x, rng: x[:, 0] * x[:, 5] + noise(x, rng, 0.1))
    needed, useless = gained(rows, [("one",), ("two", "three")], CONFIG, seed=0)
    assert needed > 0.2
    assert abs(useless) < 0.1
    assert needed > useless


@pytest.mark.parametrize("hidden", [("text",), ("text", "affinity")])
def test_hiding_a_source_hides_its_rank_and_gap_but_not_its_namesakes(hidden) -> None:
    names = ("text", "text_rank", "text_gap", "text_last", "sequence_text", "affinity", "price")
    left = visible(names, hidden)
    assert "text_last" in left
    assert "sequence_text" in left
    assert not {"text", "text_rank", "text_gap"} & set(left)
    assert ("affinity" in left) == ("affinity" not in hidden)
