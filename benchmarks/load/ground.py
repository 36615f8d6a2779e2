"""The shelf that a service is measured on, and who and what is on it."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

import penchant
from penchant.store.open import open_store

PIECE = 100_000  # events read at a time
MOST = 2_000  # people who take part


@dataclass(frozen=True)
class Ground:
    """A copy of a trained shelf to serve from, as it was before.

    `people` have done something, at random; `items` come most popular first. `events` is how many
    the log holds, `done` how many of them are of each person.
    """

    folder: Path
    people: list[str]
    items: list[str]
    events: int
    done: dict[str, int]

    @classmethod
    def of(cls, folder: Path, seed: int = 0) -> Ground:
        """Return what a shelf holds; one of an older version is brought up to date."""
        with open_store(folder) as store:
            users, items, count, after = [], [], 0, 0
            while len(piece := store.log.scan(after, PIECE)):
                after = int(piece.offsets[-1])
                count += len(piece)
                users.append(piece.users)
                items.append(piece.items)
            known, done = np.unique(np.concatenate(users), return_counts=True)
            chosen = np.random.default_rng(seed).permutation(len(known))[:MOST]
            names = store.people.get(known[chosen].tolist())["user_id"].to_list()
            had, often = np.unique(np.concatenate(items), return_counts=True)
            best = had[had >= 0][np.argsort(-often[had >= 0], kind="stable")]
            ids = store.catalogue.get(best.tolist())["item_id"].to_list()
        counts = dict(zip(names, done[chosen].tolist(), strict=True))
        return cls(folder, names, ids, count, counts)

    @classmethod
    def copy(cls, shelf: Path, into: Path) -> Ground:
        """Return a copy of a shelf; the shelf itself is not written to."""
        return cls.of(Path(shutil.copytree(shelf, into / "shelf")))


def build(folder: Path, items: int, users: int, events: int, effort: str) -> dict[str, Any]:
    """Make a trained shelf of a synthetic world that ends now; return the seconds it took."""
    import polars as pl

    from penchant.evaluate.simulate import world

    made = world(n_users=users, n_items=items, n_events=events, seed=0)
    folder.mkdir(parents=True)
    # Titles alone: so many texts of their own would take the encoder a quarter of an hour.
    (folder / "penchant.toml").write_text('[text]\nparts = ["{title}"]\n')
    last = made.events["timestamp"].max()
    assert isinstance(last, datetime)
    # Answers are asked for now: what was popular must have been so lately, as in a live shop.
    older = datetime.now(UTC) - last
    log = made.events.with_columns(pl.col("timestamp") + older)
    stock = made.items.with_columns(pl.col("released") + older)
    timing: dict[str, Any] = {}
    with penchant.open(folder, effort=effort) as engine:
        for step, work in {
            "add": lambda: engine.add(stock),
            "record": lambda: engine.record(log),
            "train": lambda: engine.train(),
        }.items():
            began = time.monotonic()
            work()
            timing[step] = round(time.monotonic() - began, 1)
    (folder / "built.json").write_text(json.dumps(timing))
    return timing


def shelf(options: argparse.Namespace, into: Path) -> Path:
    """Return a trained shelf of these sizes; where it is not there yet it is built."""
    folder = into / f"{options.effort}-{options.items}-{options.past}"
    if not (folder / "built.json").exists():
        # With all threads, and so in a process of its own.
        quiet = {k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS")}
        sizes = [options.items, options.users, options.past]
        command = [sys.executable, "-m", "load.ground", str(folder.resolve()), *map(str, sizes)]
        here = Path(__file__).resolve().parents[1]
        subprocess.run([*command, options.effort], check=True, env=quiet, cwd=here)
    return folder


if __name__ == "__main__":
    build(Path(sys.argv[1]), *map(int, sys.argv[2:5]), sys.argv[5])
