"""Walks over concepts: where they arrive, and that cycles and dead ends cost nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from penchant.interests.graph import Graph
from penchant.store.artefacts import Artefacts


def graph(edges: dict[int, dict[int, float]], n: int, **more) -> Graph:
    starts, to, weights = [0], [], []
    for a in range(n):
        total = sum(edges.get(a, {}).values())
        for b, weight in edges.get(a, {}).items():
            to.append(b)
            weights.append(weight / total)
        starts.append(len(to))
    return Graph(
        np.array(starts),
        np.array(to, dtype=np.int32),
        np.array(weights, dtype=np.float32),
        more.pop("prior", np.full(n, 0.5, dtype=np.float32)),
        **more,
    )


def own(n: int, **strengths: float) -> np.ndarray:
    out = np.zeros(n, dtype=np.float32)
    for at, strength in strengths.items():
        out[int(at[1:])] = strength
    return out


def test_a_walk_arrives_at_neighbours_more_than_at_their_neighbours() -> None:
    line = graph({0: {1: 1.0}, 1: {2: 1.0}, 2: {3: 1.0}}, 4)
    visited = line.walk(own(4, c0=1.0))
    assert visited[1] > visited[2] > visited[3] > 0
    assert visited[0] == 0
    assert line.walk(own(4, c3=1.0)).tolist() == [0, 0, 0, 0]  # nothing leaves it


def test_strengths_share_the_walk() -> None:
    two = graph({0: {2: 1.0}, 1: {3: 1.0}}, 4)
    visited = two.walk(own(4, c0=3.0, c1=1.0))
    assert visited[2] == pytest.approx(3 * visited[3])
    # What was rejected leads nowhere, and nothing is known of nobody.
    assert two.walk(own(4, c0=1.0, c1=-5.0))[3] == 0
    assert not two.walk(own(4)).any()


def test_cycles_end() -> None:
    ring = graph({a: {(a + 1) % 3: 1.0} for a in range(3)}, 3)
    visited = ring.walk(own(3, c0=1.0), steps=500)
    assert np.isfinite(visited).all()
    assert visited.sum() == pytest.approx(1.0)


def test_what_everybody_touches_surprises_less() -> None:
    prior = np.array([0.9, 0.9, 0.01], dtype=np.float32)
    fork = graph({0: {1: 1.0, 2: 1.0}}, 3, prior=prior, novelty=0.5)
    visited = fork.walk(own(3, c0=1.0))
    assert visited[1] == visited[2]
    surprising = fork.surprising(visited)
    assert surprising[2] > 5 * surprising[1]


def test_it_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    folder = Artefacts(tmp_path)
    assert Graph.load(folder) is None
    line = graph({0: {1: 1.0}}, 2, novelty=0.25)
    line.save(folder)
    back = Graph.load(folder)
    assert back is not None
    assert back.novelty == 0.25
    np.testing.assert_array_equal(back.walk(own(2, c0=1.0)), line.walk(own(2, c0=1.0)))
