"""What every expander keeps to, whoever it is told of."""

from __future__ import annotations

import inspect
import json
import pkgutil
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import numpy as np
import pytest

import penchant.interests.expansion as room
import world
from generators import Chat, ChatServer, chatting
from interests.test_expansion import columns, learned
from numbered import state
from penchant.interests.concepts import Concepts
from penchant.interests.expansion.expander import CannotExpand, Expander, Expansion
from penchant.interests.expansion.ground import Ground
from penchant.interests.expansion.mixture import Mixture
from penchant.interests.expansion.portrait import Portrait, portrait
from penchant.interests.expansion.reading import Reading
from penchant.interests.expansion.walking import Walking
from penchant.interests.expansion.writing import Writing
from penchant.interests.graph import Graph
from penchant.interests.state import State
from penchant.language.encoder.sentence import SentenceEncoder
from penchant.language.generator.endpoint import Endpoint
from penchant.store.vectors import Vectors

PEOPLE: dict[str, State] = {
    "one event": state(["w1"]),
    "a few": state(["w1", "w2", "w3"]),
    "both worlds": state(["w1", "s1", "w4"]),
    "more than one of each": state(["s1", "s2", "w4", "w5"]),
    "rejections alone": state(["w1", "s1"], strengths=[-1.0, -1.0]),
    "one rejected": state(["w1", "s1"], strengths=[1.0, -1.0]),
    "nobody": state([]),
}


def choosing(chat: Chat, body: dict[str, Any]) -> None:
    """Propose all that the catalogue is said to have, twice, and what it does not have."""
    listed = body["messages"][1]["content"].split("The concepts of the catalogue:")[1]
    names = [line[2:] for line in listed.splitlines() if line.startswith("- ")]
    said = ["atlantis", *names, *names, "western", "u17"][:20]
    chat.stream(json.dumps({"proposals": [{"concept": one, "reason": ""} for one in said]}))


@pytest.fixture(scope="module")
def server() -> Iterator[ChatServer]:
    with chatting(choosing) as made:
        yield made


@pytest.fixture(scope="module")
def ground() -> Ground:
    catalogue, encoder = columns(), SentenceEncoder.open()
    graph = Graph(
        np.array([0, 2, 3, 4]),
        np.array([1, 2, 0, 0], dtype=np.int32),
        np.array([0.3, 0.7, 1.0, 1.0], dtype=np.float32),
        np.array([0.6, 0.5, 0.1], dtype=np.float32),
    )
    texts = Vectors(encoder.encode([" ".join(text) for text in world.ITEMS.values()]))
    return Ground("s", catalogue, Concepts(catalogue, learned()), graph, texts, encoder)


def writing(ground: Ground, server: ChatServer) -> Writing:
    return Writing(ground, Endpoint(server.url, "small", retries=0), 10.0)


MADE: dict[type, Callable[[Ground, ChatServer], Expander]] = {
    Walking: lambda ground, server: Walking(ground),
    Reading: lambda ground, server: Reading(ground),
    Writing: writing,
    Mixture: lambda ground, server: Mixture(
        [Walking(ground), Reading(ground), writing(ground, server)], concepts=ground.concepts
    ),
}


@pytest.fixture(params=MADE, ids=lambda kind: kind.__name__)
def expander(request: pytest.FixtureRequest, ground: Ground, server: ChatServer) -> Expander:
    return MADE[request.param](ground, server)


@pytest.fixture(params=PEOPLE)
def mine(request: pytest.FixtureRequest, ground: Ground) -> Portrait:
    return portrait(PEOPLE[request.param], ground)


def said(expander: Expander, mine: Portrait, most: int) -> Expansion:
    try:
        return expander.expand(mine, most)
    except CannotExpand:
        return Expansion(())


def test_every_expander_of_the_package_is_in_this_suite() -> None:
    found = set()
    for module in pkgutil.iter_modules(room.__path__):
        for _, kind in inspect.getmembers(
            import_module(f"{room.__name__}.{module.name}"), inspect.isclass
        ):
            if kind is not Expander and callable(getattr(kind, "expand", None)):
                found.add(kind)
    assert found == set(MADE)


@pytest.mark.parametrize("most", [1, 2, 10])
def test_proposals_are_new_apart_signed_and_in_order(
    expander: Expander, mine: Portrait, most: int, ground: Ground
) -> None:
    made = said(expander, mine, most)
    concepts = [one.concept for one in made.proposals]
    assert len(concepts) == len(set(concepts)) <= most
    assert not mine.touched[concepts].any()
    assert ground.proposable()[concepts].all()
    weights = [one.weight for one in made.proposals]
    assert weights == sorted(weights, reverse=True)
    assert all(0 < weight <= 1 for weight in weights)
    assert {one.by for one in made.proposals} <= {"graph", "encoder", "generator"}
    assert made.tokens >= 0
    if len(made.vector):
        assert np.linalg.norm(made.vector) == pytest.approx(1.0, abs=1e-5)
        assert made.vector.shape == (ground.vectors.dimension,)


def test_the_same_portrait_the_same_answer_and_it_is_left_as_it_was(
    expander: Expander, mine: Portrait
) -> None:
    before = [part.copy() for part in (mine.own, mine.trend, mine.touched, mine.vector)]
    first, again = said(expander, mine, 5), said(expander, mine, 5)
    assert first.proposals == again.proposals
    np.testing.assert_array_equal(first.vector, again.vector)
    for old, new in zip(before, (mine.own, mine.trend, mine.touched, mine.vector), strict=True):
        np.testing.assert_array_equal(old, new)


def test_somebody_is_found_something(expander: Expander, ground: Ground) -> None:
    assert said(expander, portrait(PEOPLE["one event"], ground), 5).proposals
    assert not said(expander, portrait(PEOPLE["nobody"], ground), 5).proposals


def test_who_asks_others_says_so(expander: Expander) -> None:
    if isinstance(expander, Mixture):
        assert expander.id.startswith("graph, encoder, generator small at http")
        return
    assert expander.remote == isinstance(expander, Writing)
    assert expander.id.startswith(expander.name)
