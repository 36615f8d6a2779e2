"""Vectors as an encoder makes them, of texts whose labels are known by heart."""

from __future__ import annotations

import numpy as np


def cloud(
    n: int = 240, labels: int = 4, dimension: int = 16, noise: float = 0.25, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Return unit rows float32[n, dimension] around one direction a label, and the labels."""
    rng = np.random.default_rng(seed)
    directions = np.linalg.qr(np.random.default_rng(99).normal(size=(dimension, dimension)))[0]
    which = np.arange(n) % labels
    rows = directions[which] + noise * rng.normal(size=(n, dimension))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows.astype(np.float32), np.array([f"label {i}" for i in which])


def paired_cloud(
    queries: int = 40, each: int = 6, dimension: int = 12, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, list[int]]:
    """Return rows float32[n, 2 dimension] of query beside text, which answer, and the queries."""
    rng = np.random.default_rng(seed)
    asked = rng.normal(size=(queries, dimension))
    number = np.repeat(np.arange(queries), each)
    yes = np.arange(queries * each) % 2 == 0
    texts = rng.normal(size=(queries * each, dimension))
    texts = np.where(yes[:, None], asked[number] + 0.5 * texts, texts)
    rows = np.hstack([asked[number], texts]).astype(np.float32)
    return rows, yes, number.tolist()
