"""A small directory to evaluate: sixty people of two tastes, forty items, no language model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

import penchant

HOUR = 3600.0
BEGIN = 1e9


def events() -> pl.DataFrame:
    """Each takes ten of the twenty items of their taste, an hour apart, and dislikes one other."""
    rng = np.random.default_rng(1)
    rows = []
    for u in range(60):
        taste, other = "ab"[u % 2], "ba"[u % 2]
        for n, i in enumerate(rng.permutation(20)[:10]):
            rows.append((f"u{u}", f"{taste}{i}", "click", BEGIN + HOUR * (n * 60 + u)))
        rows.append((f"u{u}", f"{other}{u % 20}", "dislike", BEGIN + HOUR * (9 * 60 + u) - 60))
        rows.append((f"u{u}", None, "search", BEGIN + HOUR * (5 * 60 + u) + 30))
    frame = pl.DataFrame(rows, schema=["user_id", "item_id", "event", "timestamp"], orient="row")
    return frame.with_columns(
        text=pl.when(pl.col("event") == "search").then(pl.lit("something like that"))
    )


def make(folder: Path, *, pseudonyms: bool = False) -> Path:
    """Return the directory, filled."""
    folder.mkdir()
    settings = '[encoder]\nmodel = "none"\n'
    if pseudonyms:
        settings += "[privacy]\npseudonyms = true\n"
    (folder / "penchant.toml").write_text(settings)
    items = [f"{taste}{i}" for taste in "ab" for i in range(20)]
    with penchant.open(folder) as engine:
        engine.add(pl.DataFrame({"item_id": [*items, "never"], "title": [*items, "Never"]}))
        engine.add(
            users=[{"user_id": "u0", "country": "NO"}],
            links=[{"head": "a1", "relation": "like", "tail": "a2"}],
        )
        assert engine.record(events())["new"] == 720
    return folder
