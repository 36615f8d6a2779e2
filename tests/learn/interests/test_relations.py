"""Which concepts lead to which: learned from people, from what items share, and from triples."""

from __future__ import annotations

import time

import numpy as np
import pytest

from numbered import make_view
from penchant.interests.concepts import Learned
from penchant.interests.graph import Graph
from penchant.learn.interests.relations import relate
from penchant.learn.interests.values import chunks
from penchant.learn.view import View

from .test_vocabulary import DAY, catalogue

NAMES = ("western", "samurai", "comet", "opera")


def learned(n: int = 40) -> Learned:
    """Return four concepts of as many items each, in a row."""
    of = np.arange(n) * len(NAMES) // n
    return Learned(
        NAMES,
        ("cluster",) * len(NAMES),
        np.arange(n + 1),
        of.astype(np.int32),
        np.full((len(NAMES), 1), np.nan, dtype=np.float32),
    )


def view(seed: int = 0, n: int = 40) -> View:
    """Return a log in which westerns lead people to samurai, and comets to opera."""
    rng = np.random.default_rng(seed)
    users, items, times = [], [], []
    for person in range(60):
        first, later = (0, 1) if person % 2 else (2, 3)
        for concept, when in ((first, 10.0), (later, 80.0)):
            for item in rng.choice(10, size=4, replace=False):
                users.append(person)
                items.append(concept * 10 + int(item))
                times.append((when + 5 * rng.random() + person % 7) * DAY)
    return make_view(
        np.array(users, dtype=np.int32),
        np.array(items, dtype=np.int32),
        np.array(times),
        catalogue([f"t{i}" for i in range(n)]),
    )


def leads(graph: Graph, name: str) -> dict[str, float]:
    at = NAMES.index(name)
    part = slice(graph.starts[at], graph.starts[at + 1])
    weights = zip(graph.to[part].tolist(), graph.weights[part].tolist(), strict=True)
    return {NAMES[to]: weight for to, weight in weights}


def test_people_lead_from_one_to_the_other() -> None:
    # Some of them turned before the newest part begins: there is something to learn from.
    graph, mix = relate(view(), learned(), begin=84 * DAY)
    assert max(leads(graph, "western"), key=leads(graph, "western").get) == "samurai"
    assert max(leads(graph, "comet"), key=leads(graph, "comet").get) == "opera"
    assert sum(leads(graph, "western").values()) == pytest.approx(1.0, abs=1e-5)
    assert graph.prior.tolist() == pytest.approx([0.5] * 4)
    assert mix.people > 0


def test_what_is_told_counts_as_much_as_all_the_rest() -> None:
    links = [("western", "leads_to", "concept:Opera", 1.0), ("nobody", "x", "nothing", 1.0)]
    graph, _ = relate(view(), learned(), chunks(links), begin=84 * DAY)
    assert leads(graph, "western")["opera"] >= 0.49
    assert "western" not in leads(graph, "opera")


def test_values_that_items_of_two_concepts_share_join_them() -> None:
    links = [(f"i{item}", "by", "m.01", 1.0) for item in (1, 2, 31, 32)]
    alone = make_view(*[np.zeros(0, dtype=np.int32)] * 2, np.zeros(0), catalogue(["t"] * 40))
    from penchant.learn.interests import relations

    told, values = relations._told(alone, learned(), chunks(links))
    assert not told.any()
    shared = relations._shared(relations.bears(learned()), values)
    assert shared[0, 3] > 0
    assert shared[0, 1] == 0


def test_a_log_without_turns_takes_the_default() -> None:
    nobody = make_view(*[np.zeros(0, dtype=np.int32)] * 2, np.zeros(0), catalogue(["t"] * 40))
    graph, mix = relate(nobody, learned(), begin=0.0)
    assert mix.turns == 0
    assert not graph.walk(np.ones(4, dtype=np.float32)).any()


@pytest.mark.slow
def test_ten_million_triples_are_read_in_parts() -> None:
    """Cycles, unknown heads and values tied to everything: it stays small, and ends."""
    import resource

    def triples():
        for i in range(10_000_000):
            if i % 3 == 0:
                yield (f"i{i % 40}", "has", f"value-{i % 1_000_003}", 1.0)
            elif i % 3 == 1:
                yield (f"unknown-{i}", "knows", f"unknown-{i + 1}", 1.0)
            else:
                yield (NAMES[i % 4], "leads_to", NAMES[(i + 1) % 4], 1.0)

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.monotonic()
    graph, _ = relate(view(), learned(), chunks(triples()), begin=84 * DAY)
    assert time.monotonic() - began < 120
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1_500_000  # kB
    visited = graph.walk(np.array([1, 0, 0, 0], dtype=np.float32), steps=50)
    assert np.isfinite(visited).all()
