"""Connections: slow heads are cut off, short ones come through quickly, the stuck are replaced."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from penchant.serve.service import accepting, parent
from penchant.serve.service.board import Board
from serve.service.running import Service, alive, eventually
from shelves import filled

pytestmark = pytest.mark.service

GREETING = b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    shelf = filled(tmp_path_factory.mktemp("accepting") / "shelf")
    with Service(shelf, workers=2) as running:
        yield running


def answered(connection: socket.socket) -> bytes:
    connection.settimeout(10)
    return connection.recv(65_536)


def cut_off(connection: socket.socket) -> bool:
    """Return whether the other side closed a connection without a word."""
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def test_a_board_says_who_holds_the_fewest(tmp_path: Path) -> None:
    board = Board(tmp_path, 3, create=True)
    other = Board(tmp_path, 3)  # of another process
    assert other.fewest(besides=0) is None
    board.write(1, 7)
    board.write(2, 4)
    assert other.fewest(besides=0) == 4
    assert other.fewest(besides=2) == 7
    board.clear(2)
    assert other.fewest(besides=0) == 7
    assert other.beat(1) > 0
    assert other.beat(2) == 0


def test_slow_heads_hold_nobody_up_and_are_cut_off(service: Service) -> None:
    slow = [socket.create_connection(service.address) for _ in range(50)]
    for connection in slow:
        connection.sendall(GREETING[:20])
    began = time.monotonic()
    for _ in range(20):
        assert service.ask("/health/live")[0] == 200
    assert time.monotonic() - began < 5
    # One that goes on in time is answered.
    slow[0].sendall(GREETING[20:] + b"\r\n")
    assert answered(slow[0]).startswith(b"HTTP/1.1 200")
    until = began + accepting.HEADERS + 10
    for connection in slow[1:]:
        connection.settimeout(max(1.0, until - time.monotonic()))
        assert cut_off(connection)
        connection.close()
    slow[0].close()


def test_connections_of_one_request_each_are_not_kept_waiting(service: Service) -> None:
    took: list[float] = []

    def ask() -> None:
        for _ in range(40):
            began = time.perf_counter()
            with socket.create_connection(service.address) as connection:
                connection.sendall(GREETING + b"Connection: close\r\n\r\n")
                assert answered(connection).startswith(b"HTTP/1.1 200")
            took.append(time.perf_counter() - began)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(took) == 160
    assert sorted(took)[80] < 0.1


def test_requests_sent_together_on_one_connection_are_answered_in_order(service: Service) -> None:
    with socket.create_connection(service.address) as connection:
        connection.sendall((GREETING + b"\r\n") * 2 + GREETING + b"Connection: close\r\n\r\n")
        read = b""
        while part := answered(connection):
            read += part
        assert read.count(b"HTTP/1.1 200") == 3


@pytest.mark.slow
def test_a_worker_whose_loop_does_not_turn_is_replaced(tmp_path: Path) -> None:
    with Service(filled(tmp_path / "shelf"), workers=2) as service:
        eventually(lambda: service.ask("/health/live")[0] == 200)
        victim = service.workers[0]
        os.kill(victim, signal.SIGSTOP)
        eventually(lambda: not alive(victim), within=parent.STUCK + 30, every=1.0)
        eventually(lambda: len(service.workers) == 2)
        assert service.lines("stuck")
