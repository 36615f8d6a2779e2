"""The writer's thread gathers what waits; where nobody waits for it, it waits a little for more."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine
from sqlalchemy.pool import NullPool

from penchant.store.writer import Writer


class Place:
    """A database of one table, and how many rows each transaction was announced with."""

    def __init__(self, path: Path, linger: float) -> None:
        self.engine = create_engine(f"sqlite:///{path}", poolclass=NullPool)
        with self.engine.begin() as connection:
            connection.exec_driver_sql("CREATE TABLE line (number INTEGER PRIMARY KEY)")
        self.groups: list[int] = []
        self.writer = Writer(
            name="writer",
            connect=self.engine.connect,
            locked=self._locked,
            begin=lambda connection, rows: self.groups.append(rows),
            rolled_back=lambda: None,
            linger=linger,
        )

    @contextmanager
    def _locked(self) -> Iterator[None]:
        yield

    def add(self, number: int) -> object:
        def job(connection: Connection) -> int:
            connection.exec_driver_sql("INSERT INTO line VALUES (?)", (number,))
            return number

        return self.writer.submit(job)

    def lines(self) -> int:
        with self.engine.connect() as connection:
            return connection.exec_driver_sql("SELECT count(*) FROM line").scalar_one()


def test_lines_that_come_one_after_another_share_a_transaction(tmp_path: Path) -> None:
    place = Place(tmp_path / "a.db", linger=0.3)
    waiting = []
    for number in range(10):
        waiting.append(place.add(number))
        time.sleep(0.005)
    assert [done.result(10) for done in waiting] == list(range(10))
    assert place.groups == [10]
    place.writer.close()
    assert place.lines() == 10


def test_without_lingering_a_line_that_somebody_waits_for_is_written_at_once(
    tmp_path: Path,
) -> None:
    place = Place(tmp_path / "b.db", linger=0.0)
    for number in range(3):
        assert place.add(number).result(10) == number  # type: ignore[attr-defined]
    assert place.groups == [1, 1, 1]
    place.writer.close()


def test_closing_writes_what_waits_while_it_lingers(tmp_path: Path) -> None:
    place = Place(tmp_path / "c.db", linger=0.2)
    done = [place.add(number) for number in range(5)]
    ended = threading.Event()

    def close() -> None:
        place.writer.close()
        ended.set()

    threading.Thread(target=close).start()
    assert ended.wait(10)
    assert [one.result(0) for one in done] == list(range(5))
    assert place.lines() == 5
    with pytest.raises(RuntimeError):
        place.add(9)
