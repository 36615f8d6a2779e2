from __future__ import annotations

import numpy as np

from clouds import cloud
from penchant.learn.heads.spreading import graph, spread


def test_labels_reach_their_neighbours() -> None:
    rows, labels = cloud(400, noise=0.2)
    classes = np.array([int(name[-1]) for name in labels])
    labelled = np.arange(8)
    said = spread(graph(rows, 10), labelled, classes[labelled], 4, 0.9)
    np.testing.assert_allclose(said.sum(axis=1), 1.0)
    assert (said.argmax(axis=1) == classes).mean() > 0.95


def test_the_graph_is_symmetric_and_knows_only_neighbours() -> None:
    rows, labels = cloud(80, noise=0.05)
    edges = graph(rows, 5).toarray()
    np.testing.assert_allclose(edges, edges.T)
    assert (np.diag(edges) == 0).all()
    assert (edges[labels == "label 0"][:, labels == "label 1"] == 0).all()


def test_what_no_label_reaches_has_none() -> None:
    rows, labels = cloud(80, noise=0.02)
    said = spread(graph(rows, 5), np.array([0]), np.array([1]), 2, 0.9)
    assert (said[labels != "label 0"] == 0).all()
    assert (said[0] == (0, 1)).all()


def test_more_neighbours_than_rows_are_no_error() -> None:
    assert graph(cloud(3)[0], 15).shape == (3, 3)
