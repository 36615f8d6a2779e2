"""Threads and processes that write at once: nothing lost, nothing doubled, all agree."""

from __future__ import annotations

import multiprocessing
import threading
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sqlalchemy import Connection

from conformance.conftest import Place
from penchant.store import schema
from penchant.store.appender import checked
from penchant.store.bulk import BulkInsert
from penchant.store.faults import StoreError
from penchant.store.open import Store, open_store
from penchant.store.tail import Position
from penchant.types import InvalidInput
from store.frames import events


def test_what_was_appended_is_seen_by_every_thread_at_once(store: Store) -> None:
    failures: list[str] = []

    def work(name: str) -> None:
        for k in range(15):
            store.log.append(events((name, f"i{k}", k)))
            user = int(store.people.numbers([name])[0])
            if len(store.log.history(user, 99, 1e9)) != k + 1:
                failures.append(f"{name} does not see its event {k}")

    threads = [threading.Thread(target=work, args=(f"u{n}",)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert store.log.scan(0, 999).offsets.tolist() == list(range(1, 91))


def _append_many(directory: Path, url: str | None, name: str, start: object) -> None:
    with open_store(directory, url) as store:
        start.wait()  # type: ignore[attr-defined]
        for k in range(60):
            store.log.append(
                events(
                    (f"{name}-{k % 5}", f"i{k % 13}", k, "click", f"{name}:{k}"),
                    ("both", f"{name}-{k}", k, "view", f"{name}:both:{k}"),
                    ("both", "same", k, "view", f"shared:{k}"),
                )
            )


def test_two_processes_lose_nothing_double_nothing_and_agree(place: Place) -> None:
    store = place.open()
    context = multiprocessing.get_context("spawn")
    start = context.Barrier(3)
    workers = [
        context.Process(target=_append_many, args=(place.directory, place.url, name, start))
        for name in ("a", "b")
    ]
    for worker in workers:
        worker.start()
    start.wait()
    # A reader that follows meanwhile must come to the same log: offsets become visible in order.
    position, followed = Position(), []
    while any(worker.is_alive() for worker in workers):
        if store.moved(position):
            tail = store.tail(position)
            followed += tail.events.offsets.tolist()
            position = tail.position
        time.sleep(0.001)
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    followed += store.tail(position).events.offsets.tolist()
    log = store.log.scan(0, 10**6)
    assert len(log) == 60 * 2 + 60 * 2 + 60
    assert followed == log.offsets.tolist()
    people = store.people.get(range(len(store.people)))
    assert people["number"].to_list() == list(range(11))
    assert people["user_id"].n_unique() == 11
    catalogue, _ = store.catalogue.changed(0)
    assert sorted(catalogue["number"]) == list(range(13 + 120 + 1))
    assert catalogue["item_id"].n_unique() == 134


def test_a_bad_append_does_not_fail_the_good_ones_beside_it(store: Store) -> None:
    store.log.append(events(("u", "i", 1)))
    outcomes: list[str] = []

    def work(k: int) -> None:
        frame = events(("u", "i", k + 2, "bad" if k % 2 else "click", f"event {k}"))
        if not k % 2:
            outcomes.append(f"{store.log.append(frame).new} new")
            return
        job = store.log._appender.job(checked(frame))

        def failing(connection: Connection) -> None:
            job(connection)
            raise InvalidInput("after everything was written")

        try:
            store.databases[0].write(failing)
        except InvalidInput:
            outcomes.append("refused")

    threads = [threading.Thread(target=work, args=(k,)) for k in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["1 new"] * 6 + ["refused"] * 6
    assert len(store.log.scan(0, 99)) == 7
    assert store.log.scan(0, 99).kind_names == ("click",)


def test_a_statement_that_fails_midway_leaves_nothing_behind(store: Store) -> None:
    store.log.append(events(("u", "i", 1)))
    database = store.databases[0]
    insert = BulkInsert(database, schema.kinds)
    names = [f"kind {k}".encode() if k != 60 else None for k in range(1, 121)]
    with pytest.raises(StoreError):
        database.write(lambda connection: insert(connection, [range(1, 121), names]))
    store.log.append(events(("u", "i", 2, "view")))
    assert store.log.scan(0, 99).kind_names == ("click", "view")


def test_a_click_is_not_kept_waiting_by_a_load_nor_a_load_by_clicks(store: Store) -> None:
    n = 150_000
    load = events(("u", "i", 1))[[0] * n].with_columns(
        key=pl.Series([k.to_bytes(16) for k in range(n)]), timestamp=pl.int_range(n)
    )
    done = []
    thread = threading.Thread(target=lambda: done.append(store.log.append(load)))
    thread.start()
    clicks = 0
    while thread.is_alive() and not done:
        assert store.log.append(events(("v", "j", clicks))).new == 1
        clicks += 1
    thread.join()
    assert done[0].new == n
    log = store.log.scan(0, 2 * n)
    assert log.offsets.tolist() == list(range(1, n + clicks + 1))
    of_load = log.users == store.people.numbers(["u"])[0]
    # In between, while pieces of the load wait, and these keep their order.
    assert (np.diff(np.flatnonzero(of_load)) > 1).any()
    assert (np.diff(log.times[of_load]) > 0).all()
