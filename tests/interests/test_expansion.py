"""Expansion: what expanders propose, how they are mixed, what is kept, and what it has earned."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from numbered import NOW, columns, numbers, state, vectors
from penchant.interests.concepts import Concepts, Learned
from penchant.interests.expansion.expander import CannotExpand, Expansion, Proposal
from penchant.interests.expansion.expanding import (
    Expanding,
    InterestsConfig,
    places,
    prospects,
    untouched,
)
from penchant.interests.expansion.ground import Ground
from penchant.interests.expansion.mixture import Earned, Mixture
from penchant.interests.expansion.portrait import Portrait, digest, portrait
from penchant.interests.expansion.reading import Reading
from penchant.interests.expansion.walking import Walking
from penchant.interests.graph import Graph
from penchant.store.expansions import EARNED, Kept
from penchant.store.open import Store, open_store
from penchant.store.vectors import Vectors

DAY = 86_400.0
WEST, SPACE, RED = 0, 1, 2


def learned() -> Learned:
    """Return two categories, and a cluster of the canyon and the rope; 13 items as numbered."""
    members = [[WEST]] * 6 + [[SPACE]] * 6 + [[WEST]]
    members[3], members[4] = [WEST, RED], [WEST, RED]
    starts = np.concatenate(([0], np.cumsum([len(one) for one in members])))
    return Learned(
        ("western", "space", "red canyon"),
        ("category", "category", "cluster"),
        starts.astype(np.int64),
        np.array([c for one in members for c in one], dtype=np.int32),
        np.full((3, 48), np.nan, dtype=np.float32),
    )


@pytest.fixture
def ground() -> Ground:
    catalogue = columns()
    graph = Graph(
        np.array([0, 2, 3, 4]),
        np.array([SPACE, RED, WEST, WEST], dtype=np.int32),
        np.array([0.3, 0.7, 1.0, 1.0], dtype=np.float32),
        np.array([0.6, 0.5, 0.1], dtype=np.float32),
    )
    texts = Vectors(vectors())
    return Ground("s1", catalogue, Concepts(catalogue, learned()), graph, texts)


def names(ground: Ground, made: Expansion) -> list[str]:
    return [ground.concepts.names[one.concept] for one in made.proposals]


def told(ground: Ground, *items: str) -> Portrait:
    return portrait(state(list(items)), ground)


# Portraits


def test_a_portrait_tells_interests_and_titles_and_nothing_else(ground: Ground) -> None:
    mine = told(ground, "w1", "w4", "s1")
    assert mine.own.sum() == pytest.approx(1.0, abs=1e-6)
    assert mine.touched.tolist() == [True, True, True]
    assert mine.titles[0] == "Beyond Orion"
    assert mine.strongest(2)[0] in (WEST, RED, SPACE)
    assert np.linalg.norm(mine.vector) == pytest.approx(1.0, abs=1e-5)


def test_what_was_had_long_ago_is_no_new_interest(ground: Ground) -> None:
    mine = state(["w1"], now=NOW)
    from dataclasses import replace

    older = replace(mine, seen=numbers(["w1", "s3"]))
    assert portrait(older, ground).touched.tolist() == [True, True, False]


def test_a_digest_stays_while_little_changes(ground: Ground) -> None:
    one = digest(told(ground, "w1", "w2", "w3"), ground)
    assert digest(told(ground, "w3", "w2", "w1"), ground) == one
    assert digest(told(ground, "w1", "w2", "w3", "s1"), ground) != one
    ground.snapshot = "s2"
    assert digest(told(ground, "w1", "w2", "w3"), ground) != one


# Expanders


@pytest.mark.parametrize("expander", [Walking, Reading])
def test_nothing_touched_is_proposed(
    ground: Ground, expander: Callable[[Ground], Walking | Reading]
) -> None:
    made = expander(ground).expand(told(ground, "w1", "w2"), 10)
    assert "western" not in names(ground, made)
    assert made.proposals[0].weight == pytest.approx(1.0)
    assert all(0 < one.weight <= 1 for one in made.proposals)
    assert {one.by for one in made.proposals} == {expander(ground).name}
    assert len(expander(ground).expand(told(ground, "w1"), 1).proposals) == 1
    everything = expander(ground).expand(told(ground, "w1", "w4", "s1"), 10)
    assert everything.proposals == ()


def test_a_walk_proposes_what_surprises_and_says_why(ground: Ground) -> None:
    made = Walking(ground).expand(told(ground, "w1", "w2"), 10)
    assert names(ground, made) == ["red canyon", "space"]
    assert made.proposals[0].why == "goes with western"
    # v_i' lies where the proposals do.
    assert made.vector @ ground.centres()[RED] > made.vector @ ground.centres()[SPACE]


def test_what_nothing_bears_any_more_is_not_proposed(ground: Ground) -> None:
    ground.columns.retired[numbers(["w4", "w5"])] = True
    ground.columns.version += 1
    assert names(ground, Walking(ground).expand(told(ground, "w1"), 10)) == ["space"]


def test_reading_proposes_what_reads_alike(ground: Ground) -> None:
    assert names(ground, Reading(ground).expand(told(ground, "w1", "w2"), 1)) == ["red canyon"]


def test_whoever_can_say_nothing_says_so(ground: Ground) -> None:
    bare = Ground("s1", ground.columns, ground.concepts, None, Vectors())
    with pytest.raises(CannotExpand, match="train first"):
        Walking(bare).expand(told(bare, "w1"), 10)
    with pytest.raises(CannotExpand, match="no texts are read"):
        Reading(bare).expand(told(bare, "w1"), 10)
    with pytest.raises(CannotExpand, match=r"train first.*no texts"):
        Mixture([Walking(bare), Reading(bare)]).expand(told(bare, "w1"), 10)
    with pytest.raises(CannotExpand, match="no expander"):
        Mixture([]).expand(told(bare, "w1"), 10)


# Mixture


class Says:
    """An expander that proposes what it is told to."""

    remote = False

    def __init__(self, name: str, *concepts: int) -> None:
        self.name = self.id = name
        self._concepts = concepts

    def expand(self, mine: Portrait, most: int) -> Expansion:
        made = (
            Proposal(one, 1.0 / (1 + at), "", self.name) for at, one in enumerate(self._concepts)
        )
        return Expansion(tuple(made)[:most], tokens=7)


def test_a_mixture_believes_who_was_right(ground: Ground) -> None:
    earned = Earned()
    earned.count({"good": 100.0, "bad": 100.0}, {"good": 50.0}, {"good": 5.0, "bad": 5.0})
    mixed = Mixture([Says("bad", SPACE), Says("good", RED)], earned).expand(told(ground, "w1"), 10)
    assert [(one.concept, one.by) for one in mixed.proposals] == [(RED, "good"), (SPACE, "bad")]
    assert mixed.proposals[1].weight < 0.05
    assert mixed.tokens == 14
    both = Mixture([Says("a", SPACE, RED), Says("b", RED)]).expand(told(ground, "w1"), 10)
    assert both.proposals[0].concept == RED  # two say so


def test_what_was_measured_is_believed_until_people_say_otherwise() -> None:
    earned = Earned(measured={"graph": 0.1, "encoder": 0.02})
    assert earned.rate("graph") == pytest.approx(0.1)
    assert earned.rate("generator") == pytest.approx(0.1)  # as good as the best, until it is known
    assert Earned().rate("graph") == pytest.approx(0.05)
    earned.count({"graph": 900.0, "generator": 80.0}, {"graph": 0.0}, {})
    assert earned.rate("graph") == pytest.approx(0.01)
    assert earned.rate("generator") == pytest.approx(0.02)
    assert Earned.read(earned.plain(), earned.measured) == earned


def test_what_repeats_another_proposal_comes_later(ground: Ground) -> None:
    """The red canyon's two films are westerns too: after western it says little that is new."""
    says = Says("a", WEST, RED, SPACE)
    nobody = portrait(state([]), ground)
    assert names(ground, Mixture([says]).expand(nobody, 3)) == ["western", "red canyon", "space"]
    apart = Mixture([says], concepts=ground.concepts).expand(nobody, 3)
    assert names(ground, apart) == ["western", "space", "red canyon"]
    weights = [one.weight for one in apart.proposals]
    assert weights == sorted(weights, reverse=True)
    assert weights[2] == pytest.approx(0.5 * 0.2)


def test_places_follow_what_was_earned() -> None:
    nobody = Earned()
    assert nobody.places(3) == 1
    assert [Earned({}, {"g": taken}, {"g": 100.0}).places(3) for taken in (50.0, 150.0, 500.0)] == [
        0,
        1,
        2,
    ]
    assert Earned({}, {"g": 9000.0}, {"g": 100.0}).places(1) == 1
    assert Earned.read(Earned({"g": 1.0}, {}, {"g": 2.0}).plain()).chance == {"g": 2.0}
    assert places(None, 2) == 1


# What is kept


@pytest.fixture
def store(tmp_path: Path):
    with open_store(tmp_path / "shelf") as opened:
        yield opened


def expanding(ground: Ground, store: Store) -> Expanding:
    return Expanding(ground, Mixture([Walking(ground)]), store.expansions, InterestsConfig())


def test_a_person_is_expanded_once_until_they_change_or_it_is_stale(ground, store) -> None:
    made = expanding(ground, store)
    first = made.person(3, state(["w1", "w2"]))
    assert first.expanded
    store.expansions.flush()
    kept = store.expansions.get(3)
    assert [one.name for one in prospects(kept)] == ["red canyon", "space"]
    assert made.person(3, state(["w1", "w2"])).reason == "unchanged"
    assert made.person(3, state(["w1", "w2"], now=NOW + 31 * DAY)).expanded
    assert made.person(4, state([])).reason == "no wishes"
    assert store.expansions.get(4) is None


def test_what_was_proposed_and_then_wished_for_was_taken(ground, store) -> None:
    made = expanding(ground, store)
    made.person(3, state(["w1", "w2"]))
    store.expansions.flush()
    made.person(3, state(["w1", "w2", "w4"]))
    made.keep()
    store.expansions.flush()
    kept = store.expansions.get(EARNED)
    assert kept is not None
    earned = Earned.read(kept.content)
    assert (earned.made["graph"], earned.taken["graph"]) == (10, 1)  # of ten that it could name
    assert earned.chance["graph"] == pytest.approx(1.0)  # one of the two that lay ahead
    assert expanding(ground, store)._mixture.earned == earned  # the next process goes on from it


def test_what_was_muted_is_not_proposed(ground, store) -> None:
    from penchant.interests.adjustments import Adjustment

    made = expanding(ground, store)
    made.person(3, state(["w1"]), {"space": Adjustment("Space", "mute", NOW)})
    store.expansions.flush()
    assert [one.name for one in prospects(store.expansions.get(3))] == ["red canyon"]


def test_what_came_true_or_is_gone_is_no_longer_ahead(ground: Ground) -> None:
    content = {
        "prospects": [
            {"name": name, "weight": weight, "why": "", "by": "graph"}
            for name, weight in (("red canyon", 1.0), ("space", 0.5), ("opera", 0.4))
        ]
    }
    kept = Kept(NOW, "s1", "", content, np.zeros(0, dtype=np.float32))
    assert untouched(kept, state(["w1"], now=NOW), ground.concepts) == [(RED, 1.0), (SPACE, 0.5)]
    assert untouched(kept, state(["w1", "s1"], now=NOW), ground.concepts) == [(RED, 1.0)]
    assert untouched(kept, state(["w1"], now=NOW - 1), ground.concepts) == []
    assert untouched(None, state(["w1"]), ground.concepts) == []
