"""A recommender as it was: everything a directory holds, read once, and rebuilt up to the cut.

The caller's directory is only read. What is rebuilt lies in a directory of its own, so that an
engine can be trained there on the past alone.
"""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from penchant.evaluate.plan import Plan
from penchant.ingest.kinds import Kinds
from penchant.ingest.ratings import SCALES_FILE
from penchant.interests.history import NOT_HAD
from penchant.rank.answer.stops import Stops
from penchant.store.frames import EVENTS, ITEMS
from penchant.store.open import open_store
from penchant.store.settings import FILE
from penchant.store.tail import Position
from penchant.types import InvalidInput

VECTORS = "vectors.db"  # texts encoded so far, by content


@dataclass(frozen=True)
class Past:
    """The content of a directory: `events` (EVENTS columns, in the order of the log), `wanted`
    bool[n] which of them are positive, `items`, `users` and `links` as the store takes them.

    Ids are those of the log: where the directory keeps pseudonyms, they are pseudonyms.
    """

    directory: Path
    events: pl.DataFrame
    wanted: npt.NDArray[np.bool_]
    items: pl.DataFrame
    users: pl.DataFrame
    links: pl.DataFrame

    @property
    def positives(self) -> pl.DataFrame:
        """What can be asked for: user_id, item_id, timestamp in seconds, of positive events."""
        return self.events.filter(pl.Series(self.wanted)).select(
            "user_id", "item_id", (pl.col("timestamp") / 1e6).alias("timestamp")
        )

    @property
    def met(self) -> pl.DataFrame:
        """Return everything a user had to do with and need not be shown, in the same columns."""
        return self.events.filter(
            pl.col("item_id").is_not_null() & ~pl.col("event").is_in(list(NOT_HAD))
        ).select("user_id", "item_id", (pl.col("timestamp") / 1e6).alias("timestamp"))

    def before(self, plan: Plan) -> npt.NDArray[np.bool_]:
        """Return which events a plan lets an engine train on, bool[n].

        Strictly before the cut; without one, all that is not of a held-out user and item.
        """
        if plan.split.cut is not None:
            return (self.events["timestamp"] / 1e6 < plan.split.cut).to_numpy()
        held = pl.DataFrame(
            {
                "user_id": [plan.users[n] for n in plan.user[plan.split.test]],
                "item_id": [plan.items[n] for n in plan.item[plan.split.test]],
            },
            schema={"user_id": pl.String, "item_id": pl.String},
        ).with_columns(held=True)
        joined = self.events.select("user_id", "item_id").join(
            held, on=["user_id", "item_id"], how="left", maintain_order="left"
        )
        return joined["held"].is_null().to_numpy()


def read_past(directory: str | Path, url: str | None = None) -> Past:
    """Return everything in a recommender's directory, without changing it."""
    with open_store(directory, url, read_only=True) as store:
        tail = store.tail(Position())
        log = tail.events
        if not len(log):
            raise InvalidInput(f"{directory} has no events; record some before evaluating")
        people, who = np.unique(log.users, return_inverse=True)
        users = store.people.get(people.tolist())
        numbers = tail.items["number"].to_numpy()
        ids = tail.items["item_id"].gather(np.argsort(numbers, kind="stable"))
        known = np.sort(numbers)
        item = pl.Series(np.searchsorted(known, np.maximum(log.items, 0)))
        n = len(log)
        events = pl.DataFrame(
            {
                "user_id": users["user_id"].gather(who),
                "item_id": ids.gather(item),
                "event": pl.Series(log.kind_names, dtype=pl.String).gather(log.kinds),
                "timestamp": np.rint(log.times * 1e6).astype(np.int64),
                "value": pl.Series(log.values.astype(np.float64), nan_to_null=True),
                "key": [o.to_bytes(16) for o in log.offsets.tolist()],
                "slate_id": pl.Series(log.slates or [None] * n, dtype=pl.String),
                "text": pl.Series(log.texts or [None] * n, dtype=pl.String),
                "context": pl.Series(log.contexts or [None] * n, dtype=pl.String),
                "shared": log.shared,
            },
            schema=EVENTS,
        ).with_columns(
            item_id=pl.when(pl.Series(log.items >= 0)).then(pl.col("item_id")).otherwise(None)
        )
        kinds = Kinds.from_settings(store.settings)
        wanted = kinds.wanted(log.kind_names, log.kinds, log.values) & (log.items >= 0)
        return Past(
            directory=Path(directory),
            events=events,
            wanted=wanted,
            items=tail.items.filter("described").select(list(ITEMS)),
            users=users.drop("number").drop_nulls("user_id"),
            links=store.people.links(),
        )


def rebuild(past: Past, keep: npt.NDArray[np.bool_], target: Path) -> None:
    """Make a recommender in `target` of everything but the events that `keep` bool[n] leaves out.

    Settings come along, and the vectors of texts, which say nothing of time. Nothing learned does.
    """
    target.mkdir(parents=True)
    for name in (FILE, SCALES_FILE):
        if (past.directory / name).exists():
            shutil.copy2(past.directory / name, target / name)
    # What is measured is what everybody gets, also of a period in which an experiment ran.
    Stops(target).halt("this is a copy that an evaluation asks")
    if (past.directory / VECTORS).exists():
        # SQLite's own copy: another process may be writing the file.
        source = f"file:{past.directory / VECTORS}?mode=ro"
        with (
            closing(sqlite3.connect(source, uri=True)) as old,
            closing(sqlite3.connect(target / VECTORS)) as new,
        ):
            old.backup(new)
    with open_store(target) as store:
        store.catalogue.upsert(past.items)
        store.people.upsert(past.users)
        if past.links.height:
            store.people.add_links(past.links)
        store.log.append(past.events.filter(pl.Series(keep)))
