"""Prints how fast the store is: appending, reading one person, following, vectors.

python benchmarks/store.py [--events 1000000] [--directory .] [--url postgresql://...]
"""

from __future__ import annotations

import argparse
import functools
import os
import sqlite3
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import polars as pl

from penchant.store.impressions import Impression
from penchant.store.open import Store, open_store
from penchant.store.tail import Position
from penchant.store.vectors import Vectors

ITEMS, USERS = 50_000, 100_000


def log_of(n: int, rng: np.random.Generator) -> pl.DataFrame:
    """A long-tailed catalogue, people of very different diligence, a thousand days."""
    users = (USERS * rng.random(n) ** 1.5).astype(np.int64)
    items = (ITEMS * rng.random(n) ** 2).astype(np.int64)
    day = 86_400_000_000
    return pl.DataFrame(
        {
            "user_id": [f"user-{u}" for u in users],
            "item_id": [f"item-{i}" for i in items],
            "event": rng.choice(["click", "view", "purchase"], n),
            "timestamp": np.sort(rng.integers(0, 1000 * day, n)) + 20_000 * day,
            "key": [rng.bytes(16) for _ in range(n)],
        }
    )


def timed(work: Callable[[int], object], times: int) -> np.ndarray:
    took = np.empty(times)
    for k in range(times):
        start = time.perf_counter()
        work(k)
        took[k] = time.perf_counter() - start
    return took


def show(name: str, took: np.ndarray, unit: float = 1e3, word: str = "ms") -> None:
    low, middle, high, worst = (unit * x for x in np.quantile(took, [0.1, 0.5, 0.99, 1]))
    print(
        f"{name:<44} median {middle:8.3f} {word}   p10 {low:8.3f}   p99 {high:8.3f}   "
        f"max {worst:8.3f}"
    )


def rate(name: str, n: int, work: Callable[[], object]) -> None:
    start, cpu = time.perf_counter(), time.process_time()
    work()
    took, busy = time.perf_counter() - start, time.process_time() - cpu
    print(f"{name:<44} {n / took:10,.0f} a second   ({took:.1f} s, of which {busy:.1f} s of CPU)")


def plain(frame: pl.DataFrame, folder: Path) -> None:
    """The same rows into the same table by sqlite3 alone: no ids, no checks, nothing known."""
    with closing(sqlite3.connect(folder / "plain.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA cache_size=-262144")
        connection.execute("PRAGMA wal_autocheckpoint=16000")
        connection.execute(
            "CREATE TABLE events (o INTEGER PRIMARY KEY, u INT, i INT, t INT, k INT, v DOUBLE, "
            "s DOUBLE, e BLOB UNIQUE, l BLOB, c TEXT, x BLOB)"
        )
        connection.execute("CREATE INDEX by_user ON events (u, t, o, i, k)")
        for part in frame.with_row_index("o").iter_slices(50_000):
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(
                "INSERT INTO events (o, u, i, t, k, s, e) VALUES (?, ?, ?, ?, ?, ?, ?)", part.rows()
            )
            connection.execute("COMMIT")


def measure(store: Store, n: int) -> None:
    rng = np.random.default_rng(0)
    frame = log_of(n, rng)
    numbered = frame.select(
        pl.col("user_id").rank("dense") - 1,
        pl.col("item_id").rank("dense") - 1,
        "timestamp",
        pl.lit(0, pl.Int64).alias("kind"),
        pl.lit(1.0).alias("shared"),
        "key",
    ).cast({"user_id": pl.Int64, "item_id": pl.Int64})
    rate(f"sqlite3 alone, {n:,} rows", n, lambda: plain(numbered, store.directory.parent))
    rate(f"append {n:,} events, new people and items", n, lambda: store.log.append(frame))
    rate("append them again: all known", n, lambda: store.log.append(frame))
    rate("scan them", n, lambda: store.log.scan(0, n))
    position = store.tail(Position()).position
    now = 1e12
    one = frame[:1]
    singles = [one.with_columns(key=pl.lit(rng.bytes(16))) for _ in range(2000)]
    show("append one event, durable", timed(lambda k: store.log.append(singles[k]), 2000))
    counts = store.log.scan(0, n).users
    often = np.argsort(-np.bincount(counts))[:1000]
    people = rng.integers(0, len(store.people), 2000)
    show("history of 100, anybody", timed(lambda k: store.log.history(people[k], 100, now), 2000))
    show("history of 50, the busiest", timed(lambda k: store.log.history(often[k], 50, now), 1000))
    show(
        "history of 100, the busiest", timed(lambda k: store.log.history(often[k], 100, now), 1000)
    )
    show("seen, anybody", timed(lambda k: store.log.seen(people[k], now), 2000))
    show("number of one person", timed(lambda k: store.people.numbers([f"user-{k}"]), 2000))
    store.tail(position)
    show("moved, when nothing did", timed(lambda _: store.moved(), 5000), 1e6, "us")

    def follow(k: int) -> None:
        nonlocal position
        position = store.tail(position).position

    took = []
    for _ in range(300):
        store.log.append(one.with_columns(key=pl.lit(rng.bytes(16))))
        took.append(timed(follow, 1)[0])
    show("tail of one new event", np.array(took))
    values = np.zeros(10, dtype=np.float32)
    items = np.arange(10, dtype=np.int32)
    features = np.zeros((10, 60), dtype=np.float32)
    names = tuple(f"feature {k}" for k in range(60))

    def shown(k: int) -> Impression:
        return Impression(f"slate {k}", 0, 0.0, "x", items, values, values, features, names)

    slates = [shown(k) for k in range(2000)]
    show("add an impression", timed(lambda k: store.impressions.add(slates[k]), 2000), 1e6, "us")
    store.impressions.flush()
    catalogue = pl.DataFrame(
        {
            "item_id": [f"item-{k}" for k in range(ITEMS)],
            "title": [f"The title of item {k}" for k in range(ITEMS)],
            "description": [f"What can be said of {k}. " * 10 for k in range(ITEMS)],
            "tags": [["a", "b"]] * ITEMS,
        }
    )
    rate(f"upsert {ITEMS:,} items", ITEMS, lambda: store.catalogue.upsert(catalogue))
    rate("upsert them again: all same", ITEMS, lambda: store.catalogue.upsert(catalogue))
    rate("read them all", ITEMS, lambda: store.catalogue.changed(0))


def vectors() -> None:
    rng = np.random.default_rng(0)
    for n, d in ((20_000, 128), (20_000, 384), (200_000, 128)):
        rows = rng.standard_normal((n, d), dtype=np.float32)
        with tempfile.TemporaryDirectory() as folder:
            for kind in ("float32", "int8"):
                Vectors(rows).save(f"{folder}/{kind}.npy", kind)
                opened = Vectors.open(f"{folder}/{kind}.npy")
                opened.set(np.arange(n, n + 100, dtype=np.int32), rows[:100])
                dot = functools.partial(opened.dot, rows[0])
                times = timed(lambda _, dot=dot: dot(), 100)
                show(f"dot with {n:,} x {d} {kind}, one thread", times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--directory", type=Path, default=Path())
    parser.add_argument("--url")
    arguments = parser.parse_args()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, seed 0")
    with (
        tempfile.TemporaryDirectory(dir=arguments.directory) as folder,
        open_store(Path(folder) / "store", arguments.url) as store,
    ):
        measure(store, arguments.events)
    vectors()


if __name__ == "__main__":
    main()
