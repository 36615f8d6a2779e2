"""The writer's thread gathers what waits; where nobody waits for it, it waits a little for more."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine
from sqlalchemy.exc import IntegrityError
from sqlalchemy.pool import NullPool

from penchant.store import writer
from penchant.store.writer import PIECE_ROWS, Writer


class Place:
    """A database of one table, and how many rows each transaction was announced with."""

    def __init__(self, path: Path, linger: float) -> None:
        self.engine = create_engine(f"sqlite:///{path}", poolclass=NullPool)
        with self.engine.begin() as connection:
            connection.exec_driver_sql("CREATE TABLE line (number INTEGER PRIMARY KEY)")
        self.groups: list[int] = []
        self.order: list[int] = []
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

    def add(
        self,
        number: int,
        rows: int = 1,
        then: Callable[[], object] = lambda: None,
        *,
        soon: bool = False,
    ) -> Future[int]:
        def job(connection: Connection) -> int:
            connection.exec_driver_sql("INSERT INTO line VALUES (?)", (number,))
            self.order.append(number)
            then()
            return number

        return self.writer.submit(job, rows, soon=soon)

    def begun(self) -> tuple[Future[int], threading.Event]:
        """Return the first piece of a load, being written until the event is set."""
        started, go = threading.Event(), threading.Event()
        piece = self.add(0, PIECE_ROWS, lambda: (started.set(), go.wait(10)))
        assert started.wait(10)
        return piece, go

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
        assert place.add(number).result(10) == number
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


def test_what_is_wanted_soon_ends_the_wait_for_more(tmp_path: Path) -> None:
    place = Place(tmp_path / "s.db", linger=30.0)
    waiting = [place.add(number) for number in range(3)]
    time.sleep(0.05)
    assert not any(done.done() for done in waiting)
    began = time.monotonic()
    assert place.add(3, soon=True).result(10) == 3
    assert time.monotonic() - began < 5
    assert [done.result(0) for done in waiting] == [0, 1, 2]
    later = place.add(4)
    time.sleep(0.05)
    assert not later.done()
    place.writer.close()
    assert later.result(0) == 4


def test_pieces_of_a_load_share_a_transaction_while_nobody_else_waits(tmp_path: Path) -> None:
    place = Place(tmp_path / "d.db", linger=0.0)
    first, go = place.begun()
    pieces = [first]
    pieces += [place.add(number, PIECE_ROWS) for number in range(1, 4)]
    assert not pieces[0].done()
    go.set()
    assert [piece.result(10) for piece in pieces] == [0, 1, 2, 3]
    assert place.groups == [PIECE_ROWS]
    assert place.lines() == 4
    place.writer.close()


def test_a_click_passes_the_pieces_that_wait_and_ends_their_transaction(tmp_path: Path) -> None:
    place = Place(tmp_path / "e.db", linger=0.0)
    first, go = place.begun()
    pieces = [first]
    pieces += [place.add(number, PIECE_ROWS) for number in range(1, 4)]
    click = place.add(9)
    go.set()
    assert click.result(10) == 9
    assert [piece.result(10) for piece in pieces] == [0, 1, 2, 3]
    assert place.order == [0, 9, 1, 2, 3]
    assert place.groups == [PIECE_ROWS, 1, PIECE_ROWS]
    place.writer.close()


def test_clicks_without_end_do_not_keep_a_load_waiting(tmp_path: Path) -> None:
    place = Place(tmp_path / "f.db", linger=0.0)
    load: list[Future[int]] = []

    def more(number: int) -> None:
        # Each click brings the next before it is done: one always waits.
        if number == 3:
            load.append(place.add(1000, PIECE_ROWS))
        if number < 50:
            place.add(number + 1, then=lambda: more(number + 1))

    place.add(0, then=lambda: more(0)).result(10)
    while not load:
        time.sleep(0.001)
    assert load[0].result(10) == 1000
    assert place.order.index(1000) <= 6
    until = time.monotonic() + 10
    while place.lines() < 52 and time.monotonic() < until:
        time.sleep(0.01)
    place.writer.close()
    assert [number for number in place.order if number != 1000] == list(range(51))


def test_a_load_lets_other_processes_write_in_between(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "HOLD", 0.0)
    place = Place(tmp_path / "g.db", linger=0.0)
    first, go = place.begun()
    pieces = [first]
    pieces += [place.add(number, PIECE_ROWS) for number in range(1, 4)]
    go.set()
    assert [piece.result(10) for piece in pieces] == [0, 1, 2, 3]
    assert place.groups == [PIECE_ROWS] * 4
    place.writer.close()


def test_a_piece_that_fails_fails_alone_and_the_others_keep_their_order(tmp_path: Path) -> None:
    place = Place(tmp_path / "h.db", linger=0.0)
    first, go = place.begun()
    pieces = [first]
    pieces += [place.add(number, PIECE_ROWS) for number in (1, 0, 2)]
    go.set()
    assert [piece.result(10) for piece in pieces if piece is not pieces[2]] == [0, 1, 2]
    with pytest.raises(IntegrityError):
        pieces[2].result(10)
    assert place.order[-3:] == [0, 1, 2]
    assert place.lines() == 3
    place.writer.close()
    with pytest.raises(RuntimeError):
        place.add(5)
