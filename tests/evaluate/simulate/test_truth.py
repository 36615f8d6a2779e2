from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from penchant.evaluate.simulate import Simulation, attraction, examination
from penchant.evaluate.simulate.truth import BLIND
from penchant.types import InvalidInput


def test_utility_agrees_with_its_row_and_its_matrix(simulation: Simulation) -> None:
    truth, now = simulation.truth, simulation.end
    context = {"device": "tv", "company": "family"}
    matrix = truth.matrix(now, context)
    assert matrix.shape == (400, len(simulation.items))
    for user_id, item_id in (("ada", "high-noon-1952"), ("viewer-123", "amour-2012")):
        user, item = truth.user_number[user_id], truth.item_number[item_id]
        assert truth.utilities(user, now, context)[item] == pytest.approx(matrix[user, item])
        assert truth.utility(user_id, item_id, now, context) == pytest.approx(matrix[user, item])


def test_the_truth_knows_what_the_named_viewers_love(simulation: Simulation) -> None:
    truth, now = simulation.truth, simulation.end
    genres = dict(simulation.items.select("item_id", "tags").rows())
    best = truth.best("ada", now, 10)
    assert sum("western" in genres[item_id] for item_id in best) >= 8
    assert sum("space opera" in genres[item_id] for item_id in truth.best("bruno", now, 10)) >= 8
    assert sum("western" in genres[i] for i in truth.best("bruno", simulation.start, 10)) >= 8
    assert next(iter(truth.taste("ada", now)["genre"])) == "western"
    assert truth.taste("ada", now)["director"]["Sergio Leone"] == 0.6
    released = dict(zip(truth.item_ids, truth.released, strict=True))
    assert all(released[i] <= simulation.start for i in truth.best("ada", simulation.start, 50))


def test_the_context_sways(simulation: Simulation) -> None:
    truth = simulation.truth
    family, night = {"company": "family"}, {"daypart": "night"}
    for film, context, rises in (
        ("toy-story-1995", family, True),
        ("the-exorcist-1973", family, False),
        ("the-exorcist-1973", night, True),
    ):
        changed = truth.utility("viewer-100", film, simulation.end, context)
        assert (changed > truth.utility("viewer-100", film, simulation.end)) is rises
    with pytest.raises(InvalidInput, match="'mood', 'grim'"):
        truth.utility("ada", "alien-1979", 0.0, {"mood": "grim"})
    with pytest.raises(InvalidInput, match="simulated viewer, got 'nobody'"):
        truth.utility("nobody", "alien-1979", 0.0)
    with pytest.raises(InvalidInput, match="simulated item, got 'nothing'"):
        truth.utility("ada", "nothing", 0.0)


def test_what_no_text_tells_of_cannot_be_read_from_the_facets(simulation: Simulation) -> None:
    truth = simulation.truth
    readable = truth.readable[:, 0] - truth.readable[:, 0].mean(axis=1, keepdims=True)
    hidden = truth.hidden - truth.hidden.mean(axis=1, keepdims=True)
    together = (readable * hidden).mean() / (readable.std() * hidden.std())
    assert abs(together) < 0.02
    assert 0.4 < hidden.std() / readable.std() < 0.7


def test_the_turn_is_a_step(simulation: Simulation) -> None:
    truth = simulation.truth
    assert 60 <= np.isfinite(truth.turned_at).sum() <= 140
    user = truth.user_number["bruno"]
    at = truth.turned_at[user]
    before, after = truth.utilities(user, at - 1e-3), truth.utilities(user, at)
    assert np.corrcoef(before, after)[0, 1] < 0.6
    still = truth.user_number["ada"]
    assert truth.turn("ada") is None
    assert np.array_equal(truth.utilities(still, at - 1e-3), truth.utilities(still, at))


def test_probabilities() -> None:
    chance = attraction(np.array([-30.0, 0.0, 1.0, 30.0]))
    assert (np.diff(chance) > 0).all()
    assert chance[0] < 1e-6
    assert chance[-1] > 1 - 1e-6
    seen = examination(np.arange(1, 11))
    assert seen[0] == 1.0
    assert (np.diff(seen) < 0).all()
    assert seen[9] == pytest.approx(10.0**-BLIND)


def test_attributes_go_with_tastes_but_loosely(simulation: Simulation) -> None:
    attributes = simulation.users["attributes"].str.json_decode(
        pl.Struct({"age": pl.String, "country": pl.String})
    )
    truth = simulation.truth
    decades = truth.facets.of_kind("decade")
    years = np.array([int(truth.facets.names[j][1][:4]) for j in decades])
    love = np.maximum(truth.viewers.tastes[:, 0, decades], 0) + 1e-9
    centre = love @ years / love.sum(axis=1)
    ages = attributes.struct["age"]
    means = [centre[(ages == age).to_numpy()].mean() for age in ("55+", "35-54", "18-34")]
    assert means[0] < means[1] < means[2]
    assert ages.n_unique() == 3
    assert (ages.value_counts()["count"] > 30).all()
